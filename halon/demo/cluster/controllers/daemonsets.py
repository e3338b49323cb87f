"""The DaemonSet controller: one pod on every node that takes it, replaced within `maxUnavailable`.

The order of decisions is the real controller's (k8s.io/kubernetes/pkg/controller/daemon); a surge is not modelled.
"""

from datetime import datetime

from halon.demo.cluster.controllers.history import HASH, History, mark_of
from halon.demo.cluster.controllers.pods import Availability, has_ended, kept_pods, new_pod, owned_pods
from halon.demo.cluster.controllers.quotas import Room
from halon.demo.cluster.controllers.scheduling import CORDONED, NOT_READY, takes
from halon.demo.cluster.deletion import HowToDelete, delete
from halon.demo.cluster.objects import (
    Json,
    child,
    ensure,
    is_deleting,
    is_pod_ready,
    labels_of,
    name_of,
    objects,
    random_suffix,
    uid_of,
)
from halon.demo.cluster.resources import DAEMON_SETS, NODES, PODS
from halon.demo.cluster.scaling import resolve
from halon.demo.cluster.world import World

_NAME = "daemonset-controller"
_TOLERATIONS = (
    (NOT_READY, "NoExecute"),
    ("node.kubernetes.io/unreachable", "NoExecute"),
    ("node.kubernetes.io/disk-pressure", "NoSchedule"),
    ("node.kubernetes.io/memory-pressure", "NoSchedule"),
    ("node.kubernetes.io/pid-pressure", "NoSchedule"),
    (CORDONED, "NoSchedule"),
)
"""What the controller lets every pod of a DaemonSet tolerate."""


class DaemonSets:
    """Runs DaemonSets."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._history = History(world, DAEMON_SETS)
        self._availability = Availability(world)
        self._room = Room(world, DAEMON_SETS, _NAME)

    def reconcile(self) -> datetime | None:
        """Bring every DaemonSet one step further."""
        self._availability.begin()
        owned = owned_pods(self._world)
        for owner in self._world.store.items(DAEMON_SETS):
            if not is_deleting(owner):
                self._reconcile(owner, kept_pods(self._world, DAEMON_SETS, owner, owned[uid_of(owner)]))
        return self._availability.due()

    def _reconcile(self, owner: Json, pods: list[Json]) -> None:
        mark = mark_of(DAEMON_SETS, self._history.update(owner))
        nodes = self._nodes(owner)
        by_node: dict[str, list[Json]] = {}
        for pod in pods:
            by_node.setdefault(_node_of(pod), []).append(pod)
        for node, there in by_node.items():
            for pod in there:
                if not is_deleting(pod) and (has_ended(pod) or node not in nodes):
                    self._delete(owner, pod)
        for node in nodes:
            if not by_node.get(node):
                by_node[node] = self._create(owner, node, mark)
        if child(owner, "spec", "updateStrategy").get("type") != "OnDelete":
            self._replace_old(owner, [by_node[node] for node in nodes], mark)
        owned = owned_pods(self._world)[uid_of(owner)]
        self._world.write_status(DAEMON_SETS, owner, self._status(owner, owned, nodes, mark))
        self._history.forget(owner, owned, {mark})

    def _nodes(self, owner: Json) -> list[str]:
        """Name the nodes on which its pods belong."""
        pod = {"metadata": {}, "spec": {**child(owner, "spec", "template", "spec")}}
        pod["spec"]["tolerations"] = [*objects(pod, "spec", "tolerations"), *_tolerations()]
        return [name_of(node) for node in self._world.store.items(NODES) if takes(node, pod)]

    def _replace_old(self, owner: Json, by_node: list[list[Json]], mark: str) -> None:
        """Delete old pods: those that do not serve, and as many that serve as may be missing."""
        rolling = child(owner, "spec", "updateStrategy", "rollingUpdate")
        allowed = max(1, resolve(rolling.get("maxUnavailable", 1), len(by_node), up=True))
        serving: list[Json] = []
        missing = 0
        for there in by_node:
            alive = [pod for pod in there if not is_deleting(pod)]
            if not alive or not self._availability.holds(alive[0], owner):
                missing += 1
            if alive and labels_of(alive[0]).get(HASH) != mark:
                if self._availability.holds(alive[0], owner):
                    serving.append(alive[0])
                else:
                    self._delete(owner, alive[0])
        for pod in serving[: max(0, allowed - missing)]:
            self._delete(owner, pod)

    def _create(self, owner: Json, node: str, mark: str) -> list[Json]:
        """Make a node's pod, if there is room for it."""
        name = f"{name_of(owner)}-{random_suffix()}"
        pod = new_pod(self._world, DAEMON_SETS, owner, child(owner, "spec", "template"), name)
        ensure(pod, "metadata", "labels").update({HASH: mark, "pod-template-generation": "1"})
        spec = pod["spec"]
        spec["tolerations"] = [*objects(spec, "tolerations"), *_tolerations()]
        term = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node]}]}
        required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}
        ensure(spec, "affinity")["nodeAffinity"] = required
        if self._room.lacks(owner, pod):
            return []
        self._world.record(DAEMON_SETS, owner, "Normal", "SuccessfulCreate", f"Created pod: {name}", _NAME)
        return [self._world.store.put(PODS, pod)]

    def _delete(self, owner: Json, pod: Json) -> None:
        delete(self._world, PODS, pod, HowToDelete())
        self._world.record(DAEMON_SETS, owner, "Normal", "SuccessfulDelete", f"Deleted pod: {name_of(pod)}", _NAME)

    def _status(self, owner: Json, pods: list[Json], nodes: list[str], mark: str) -> Json:
        alive = [pod for pod in pods if not is_deleting(pod)]
        placed = [pod for pod in alive if _node_of(pod) in nodes]
        available = sum(1 for pod in placed if self._availability.holds(pod, owner))
        counts = {
            "updatedNumberScheduled": sum(1 for pod in placed if labels_of(pod).get(HASH) == mark),
            "numberAvailable": available,
            "numberUnavailable": len(nodes) - available,
        }
        return {
            "currentNumberScheduled": len(placed),
            "numberMisscheduled": len(alive) - len(placed),
            "desiredNumberScheduled": len(nodes),
            "numberReady": sum(1 for pod in placed if is_pod_ready(pod)),
            "observedGeneration": child(owner, "metadata").get("generation"),
            **{key: count for key, count in counts.items() if count},
        }


def _node_of(pod: Json) -> str:
    """Name the node that a pod is on, or that it was made for."""
    required = "requiredDuringSchedulingIgnoredDuringExecution"
    terms = objects(pod, "spec", "affinity", "nodeAffinity", required, "nodeSelectorTerms")
    fields = [field for term in terms for field in objects(term, "matchFields")]
    meant = [str(value) for field in fields for value in field.get("values", [])]
    return str(child(pod, "spec").get("nodeName") or next(iter(meant), ""))


def _tolerations() -> list[Json]:
    return [{"key": key, "operator": "Exists", "effect": effect} for key, effect in _TOLERATIONS]
