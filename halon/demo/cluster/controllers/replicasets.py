"""The ReplicaSet controller: as many pods as each set wants, and a status that counts them."""

from collections import defaultdict
from datetime import datetime, timedelta

from halon.demo.cluster.defaults import set_defaults
from halon.demo.cluster.deletion import HowToDelete, delete
from halon.demo.cluster.objects import (
    Json,
    annotations_of,
    child,
    clone,
    condition_of,
    controller_of,
    is_deleting,
    is_pod_ready,
    labels_of,
    name_of,
    namespace_of,
    objects,
    parse_timestamp,
    random_suffix,
    uid_of,
)
from halon.demo.cluster.resources import PODS, REPLICA_SETS
from halon.demo.cluster.world import World, owner_reference

_NAME = "replicaset-controller"


class ReplicaSets:
    """Creates and deletes pods for the sets that own them."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._due: list[datetime] = []

    def reconcile(self) -> datetime | None:
        """Bring every set's pods and status up to date."""
        self._due = []
        owned: defaultdict[str, list[Json]] = defaultdict(list)
        for pod in self._world.store.items(PODS):
            if not is_deleting(pod) and child(pod, "status").get("phase") not in {"Succeeded", "Failed"}:
                owned[controller_of(pod)].append(pod)
        for replica_set in self._world.store.items(REPLICA_SETS):
            if not is_deleting(replica_set):
                self._reconcile(replica_set, owned[uid_of(replica_set)])
        return min(self._due, default=None)

    def _reconcile(self, replica_set: Json, pods: list[Json]) -> None:
        wanted = int(child(replica_set, "spec").get("replicas", 1))
        pods = pods + [self._create(replica_set) for _ in range(wanted - len(pods))]
        ranked = sorted(pods, key=_worth)
        surplus = max(0, len(pods) - wanted)
        for pod in ranked[:surplus]:
            delete(self._world, PODS, pod, HowToDelete())
            self._world.record(
                REPLICA_SETS, replica_set, "Normal", "SuccessfulDelete", f"Deleted pod: {name_of(pod)}", _NAME
            )
        self._world.write_status(REPLICA_SETS, replica_set, self._status(replica_set, ranked[surplus:]))

    def _create(self, replica_set: Json) -> Json:
        template = clone(child(replica_set, "spec", "template"))
        name, namespace = f"{name_of(replica_set)}-{random_suffix()}", namespace_of(replica_set)
        pod: Json = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                **child(template, "metadata"),
                **self._world.new_metadata(name, namespace),
                "generateName": f"{name_of(replica_set)}-",
                "generation": 1,
                "ownerReferences": [owner_reference(REPLICA_SETS, replica_set)],
            },
            "spec": child(template, "spec"),
        }
        set_defaults(PODS, pod)
        self._world.record(REPLICA_SETS, replica_set, "Normal", "SuccessfulCreate", f"Created pod: {name}", _NAME)
        return self._world.store.put(PODS, pod)

    def _status(self, replica_set: Json, pods: list[Json]) -> Json:
        least = timedelta(seconds=int(child(replica_set, "spec").get("minReadySeconds", 0)))
        ready = [pod for pod in pods if is_pod_ready(pod)]
        available = [pod for pod in ready if self._is_available(pod, least)]
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

    def _is_available(self, pod: Json, least: timedelta) -> bool:
        """Whether a ready pod has been so for long enough; if not, the loop is to come back when it has."""
        if not least:
            return True
        since = parse_timestamp(str(condition_of(pod, "Ready").get("lastTransitionTime")))
        if self._world.now() >= since + least:
            return True
        self._due.append(since + least)
        return False


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
