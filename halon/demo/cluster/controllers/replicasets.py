"""The ReplicaSet controller: as many pods as each set wants, and a status that counts them."""

from collections.abc import Iterator
from datetime import datetime

from halon.demo.cluster.controllers.pods import Availability, has_ended, kept_pods, new_pod, owned_pods
from halon.demo.cluster.controllers.quotas import Room
from halon.demo.cluster.deletion import HowToDelete, delete
from halon.demo.cluster.objects import (
    Json,
    annotations_of,
    child,
    is_deleting,
    is_pod_ready,
    labels_of,
    name_of,
    objects,
    random_suffix,
    uid_of,
)
from halon.demo.cluster.resources import PODS, REPLICA_SETS
from halon.demo.cluster.world import World

_NAME = "replicaset-controller"


class ReplicaSets:
    """Creates and deletes pods for the sets that own them."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._availability = Availability(world)
        self._room = Room(world, REPLICA_SETS, _NAME)

    def reconcile(self) -> datetime | None:
        """Bring every set's pods and status up to date."""
        self._availability.begin()
        owned = owned_pods(self._world)
        for replica_set in self._world.store.items(REPLICA_SETS):
            if not is_deleting(replica_set):
                pods = kept_pods(self._world, REPLICA_SETS, replica_set, owned[uid_of(replica_set)])
                alive = [pod for pod in pods if not is_deleting(pod) and not has_ended(pod)]
                self._reconcile(replica_set, alive)
        return self._availability.due()

    def _reconcile(self, replica_set: Json, pods: list[Json]) -> None:
        wanted = int(child(replica_set, "spec").get("replicas", 1))
        pods = pods + list(self._made(replica_set, wanted - len(pods)))
        ranked = sorted(pods, key=_worth)
        surplus = max(0, len(pods) - wanted)
        for pod in ranked[:surplus]:
            delete(self._world, PODS, pod, HowToDelete())
            self._world.record(
                REPLICA_SETS, replica_set, "Normal", "SuccessfulDelete", f"Deleted pod: {name_of(pod)}", _NAME
            )
        self._world.write_status(REPLICA_SETS, replica_set, self._status(replica_set, ranked[surplus:]))

    def _made(self, replica_set: Json, number: int) -> Iterator[Json]:
        """Make so many pods, or as many as there is room for."""
        for _ in range(number):
            name = f"{name_of(replica_set)}-{random_suffix()}"
            pod = new_pod(self._world, REPLICA_SETS, replica_set, child(replica_set, "spec", "template"), name)
            if self._room.lacks(replica_set, pod):
                return
            self._world.record(REPLICA_SETS, replica_set, "Normal", "SuccessfulCreate", f"Created pod: {name}", _NAME)
            yield self._world.store.put(PODS, pod)

    def _status(self, replica_set: Json, pods: list[Json]) -> Json:
        ready = [pod for pod in pods if is_pod_ready(pod)]
        available = [pod for pod in ready if self._availability.holds(pod, replica_set)]
        labels = child(replica_set, "spec", "template", "metadata", "labels").items()
        counts = {
            "fullyLabeledReplicas": sum(1 for pod in pods if labels <= labels_of(pod).items()),
            "readyReplicas": len(ready),
            "availableReplicas": len(available),
        }
        return {
            "replicas": len(pods),
            "observedGeneration": child(replica_set, "metadata").get("generation"),
            **{key: count for key, count in counts.items() if count},
        }


def _worth(pod: Json) -> tuple[bool, bool, bool, int, int, str]:
    """Rank a pod for staying, as Kubernetes does: those unplaced, pending, unready, cheap and shaky go first."""
    cost = annotations_of(pod).get("controller.kubernetes.io/pod-deletion-cost", "0")
    restarts = sum(int(item.get("restartCount", 0)) for item in objects(pod, "status", "containerStatuses"))
    return (
        bool(child(pod, "spec").get("nodeName")),
        child(pod, "status").get("phase") == "Running",
        is_pod_ready(pod),
        int(cost) if cost.removeprefix("-").isdigit() else 0,
        -restarts,
        name_of(pod),
    )
