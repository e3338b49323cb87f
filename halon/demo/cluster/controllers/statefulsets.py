"""The StatefulSet controller: numbered pods, in order, one at a time, from the last to the first in an update.

The order of decisions is the real controller's (k8s.io/kubernetes/pkg/controller/statefulset), with its trap: under the
policy OrderedReady a pod that never becomes ready holds everything up, also the update that would mend it.
"""

from datetime import datetime

from halon.demo.cluster.controllers.history import HASH, History, template_of
from halon.demo.cluster.controllers.pods import Availability, has_ended, kept_pods, new_pod, owned_pods
from halon.demo.cluster.controllers.quotas import Room
from halon.demo.cluster.deletion import HowToDelete, delete
from halon.demo.cluster.objects import (
    Json,
    child,
    ensure,
    is_deleting,
    is_pod_ready,
    labels_of,
    name_of,
    namespace_of,
    uid_of,
)
from halon.demo.cluster.resources import PODS, STATEFUL_SETS
from halon.demo.cluster.world import World

_NAME = "statefulset-controller"


class StatefulSets:
    """Runs StatefulSets. Their volume claims are not made."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._history = History(world, STATEFUL_SETS)
        self._availability = Availability(world)
        self._room = Room(world, STATEFUL_SETS, _NAME)

    def reconcile(self) -> datetime | None:
        """Bring every StatefulSet one step further."""
        self._availability.begin()
        owned = owned_pods(self._world)
        for owner in self._world.store.items(STATEFUL_SETS):
            if not is_deleting(owner):
                self._reconcile(owner, kept_pods(self._world, STATEFUL_SETS, owner, owned[uid_of(owner)]))
        return self._availability.due()

    def _reconcile(self, owner: Json, pods: list[Json]) -> None:
        update = self._history.update(owner)
        known = {name_of(one): one for one in self._history.of(owner)}
        current = known.get(str(child(owner, "status").get("currentRevision")), update)
        by_ordinal = {_ordinal(pod): pod for pod in pods}
        wanted = range(int(child(owner, "spec").get("replicas", 1)))
        self._step(owner, by_ordinal, wanted, current, update)
        owned = owned_pods(self._world)[uid_of(owner)]
        self._world.write_status(STATEFUL_SETS, owner, self._status(owner, owned, current, update))
        self._history.forget(owner, owned, {name_of(current), name_of(update)})

    def _step(self, owner: Json, pods: dict[int, Json], wanted: range, current: Json, update: Json) -> None:
        """Make what comes next: create what is missing, then delete what is too much, then replace what is old."""
        in_order = child(owner, "spec").get("podManagementPolicy") != "Parallel"
        for ordinal in wanted:
            if ordinal not in pods and self._is_taken(owner, ordinal):
                return
            if ordinal not in pods:
                made = self._create(owner, ordinal, current, update)
                if made is None:
                    return
                pods[ordinal] = made
            elif has_ended(pods[ordinal]) and not is_deleting(pods[ordinal]):
                self._delete(owner, pods[ordinal])
            if in_order and not self._serves(pods[ordinal], owner):
                return
        condemned = [pods[ordinal] for ordinal in sorted(pods, reverse=True) if ordinal not in wanted]
        for pod in condemned[:1] if in_order else condemned:
            if not is_deleting(pod):
                self._delete(owner, pod)
        if not (in_order and condemned) and child(owner, "spec", "updateStrategy").get("type") != "OnDelete":
            self._replace_old(owner, [pods[ordinal] for ordinal in reversed(wanted[_partition(owner) :])], update)

    def _is_taken(self, owner: Json, ordinal: int) -> bool:
        """Whether a pod that is not its own has the name of one that it is to make: then it can make none."""
        name, namespace = f"{name_of(owner)}-{ordinal}", namespace_of(owner)
        if self._world.store.get(PODS, namespace, name) is None:
            return False
        message = f'create Pod {name} in StatefulSet {name_of(owner)} failed error: pods "{name}" already exists'
        self._world.record(STATEFUL_SETS, owner, "Warning", "FailedCreate", message, _NAME)
        return True

    def _replace_old(self, owner: Json, pods: list[Json], update: Json) -> None:
        """Delete the first old pod, once every one before it serves."""
        for pod in pods:
            if labels_of(pod).get(HASH) != name_of(update) and not is_deleting(pod):
                self._delete(owner, pod)
                return
            if not self._serves(pod, owner):
                return

    def _serves(self, pod: Json, owner: Json) -> bool:
        return not is_deleting(pod) and not has_ended(pod) and self._availability.holds(pod, owner)

    def _create(self, owner: Json, ordinal: int, current: Json, update: Json) -> Json | None:
        """Make a pod; None when there is no room for it."""
        rolls = child(owner, "spec", "updateStrategy").get("type") != "OnDelete"
        revision = current if rolls and ordinal < _partition(owner) else update
        name = f"{name_of(owner)}-{ordinal}"
        pod = new_pod(self._world, STATEFUL_SETS, owner, template_of(revision), name)
        own = {"statefulset.kubernetes.io/pod-name": name, "apps.kubernetes.io/pod-index": str(ordinal)}
        ensure(pod, "metadata", "labels").update({**own, HASH: name_of(revision)})
        pod["spec"].update(hostname=name, subdomain=str(child(owner, "spec").get("serviceName") or ""))
        if self._room.lacks(owner, pod):
            return None
        message = f"create Pod {name} in StatefulSet {name_of(owner)} successful"
        self._world.record(STATEFUL_SETS, owner, "Normal", "SuccessfulCreate", message, _NAME)
        return self._world.store.put(PODS, pod)

    def _delete(self, owner: Json, pod: Json) -> None:
        delete(self._world, PODS, pod, HowToDelete())
        message = f"delete Pod {name_of(pod)} in StatefulSet {name_of(owner)} successful"
        self._world.record(STATEFUL_SETS, owner, "Normal", "SuccessfulDelete", message, _NAME)

    def _status(self, owner: Json, pods: list[Json], current: Json, update: Json) -> Json:
        alive = [pod for pod in pods if not is_deleting(pod)]
        ready = [pod for pod in pods if is_pod_ready(pod) and not is_deleting(pod)]
        wanted = int(child(owner, "spec").get("replicas", 1))
        updated = sum(1 for pod in alive if labels_of(pod).get(HASH) == name_of(update))
        rolls = child(owner, "spec", "updateStrategy").get("type") != "OnDelete"
        if rolls and updated == len(ready) == len(pods) == wanted:
            current = update
        counts = {
            "readyReplicas": len(ready),
            "currentReplicas": sum(1 for pod in alive if labels_of(pod).get(HASH) == name_of(current)),
            "updatedReplicas": updated,
        }
        return {
            "observedGeneration": child(owner, "metadata").get("generation"),
            "replicas": len(pods),
            "availableReplicas": sum(1 for pod in ready if self._availability.holds(pod, owner)),
            **{key: count for key, count in counts.items() if count},
            "currentRevision": name_of(current),
            "updateRevision": name_of(update),
            "collisionCount": 0,
        }


def _ordinal(pod: Json) -> int:
    return int(name_of(pod).rpartition("-")[2])


def _partition(owner: Json) -> int:
    return int(child(owner, "spec", "updateStrategy", "rollingUpdate").get("partition", 0))
