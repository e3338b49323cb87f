"""The scheduler: gives each pod a node, the emptiest of those that take it."""

from datetime import datetime

from halon.demo.cluster.objects import (
    Json,
    child,
    clone,
    condition_of,
    ensure,
    is_deleting,
    labels_of,
    name_of,
    objects,
    strings,
)
from halon.demo.cluster.resources import NODES, PODS
from halon.demo.cluster.world import World, set_condition

_NAME = "default-scheduler"
CORDONED = "node.kubernetes.io/unschedulable"
NOT_READY = "node.kubernetes.io/not-ready"


class Scheduler:
    """Binds pods. Cordoned, unready and tainted nodes are heeded, and the nodes that a pod asks for; sizes are not."""

    def __init__(self, world: World) -> None:
        self._world = world

    def reconcile(self) -> datetime | None:
        """Bind every pod that can be bound."""
        world = self._world
        pods = world.store.items(PODS)
        waiting = [pod for pod in pods if not child(pod, "spec").get("nodeName") and not is_deleting(pod)]
        if not waiting:
            return None
        load = {str(node["metadata"]["name"]): 0 for node in world.store.items(NODES)}
        for pod in pods:
            node = str(child(pod, "spec").get("nodeName") or "")
            if node in load:
                load[node] += 1
        for pod in waiting:
            fitting = [str(node["metadata"]["name"]) for node in world.store.items(NODES) if takes(node, pod)]
            if not fitting:
                self._refuse(pod, len(load))
                continue
            chosen = min(fitting, key=lambda name: (load[name], name))
            load[chosen] += 1
            self._bind(pod, chosen)
        return None

    def _bind(self, pod: Json, node: str) -> None:
        bound = clone(pod)
        ensure(bound, "spec")["nodeName"] = node
        set_condition(ensure(bound, "status"), {"type": "PodScheduled", "status": "True"}, self._world.stamp())
        bound = self._world.store.put(PODS, bound)
        metadata = pod["metadata"]
        message = f"Successfully assigned {metadata['namespace']}/{metadata['name']} to {node}"
        self._world.record(PODS, bound, "Normal", "Scheduled", message, _NAME)

    def _refuse(self, pod: Json, nodes: int) -> None:
        """Say once that no node takes the pod."""
        if condition_of(pod, "PodScheduled").get("reason") == "Unschedulable":
            return
        message = f"0/{nodes} nodes are available: {nodes} node(s) were unschedulable."
        status = clone(child(pod, "status"))
        condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
        set_condition(status, condition, self._world.stamp())
        self._world.write_status(PODS, pod, status)
        self._world.record(PODS, pod, "Warning", "FailedScheduling", message, _NAME)


def takes(node: Json, pod: Json) -> bool:
    """Whether a node takes a pod: what it repels the pod must tolerate, and what the pod asks for it must have."""
    spec = child(node, "spec")
    repels = [taint for taint in objects(spec, "taints") if taint.get("effect") in {"NoSchedule", "NoExecute"}]
    repels += [{"key": CORDONED, "effect": "NoSchedule"}] if spec.get("unschedulable") else []
    ready = condition_of(node, "Ready").get("status", "True") == "True"
    repels += [] if ready else [{"key": NOT_READY, "effect": "NoExecute"}]
    tolerated = objects(pod, "spec", "tolerations")
    if not all(any(_tolerates(item, taint) for item in tolerated) for taint in repels):
        return False
    required = "requiredDuringSchedulingIgnoredDuringExecution"
    terms = objects(pod, "spec", "affinity", "nodeAffinity", required, "nodeSelectorTerms")
    named = [field for term in terms for field in objects(term, "matchFields") if field.get("key") == "metadata.name"]
    if named and not any(name_of(node) in field.get("values", []) for field in named):
        return False
    return strings(pod, "spec", "nodeSelector").items() <= labels_of(node).items()


def _tolerates(toleration: Json, taint: Json) -> bool:
    if toleration.get("effect") not in {None, "", taint.get("effect")}:
        return False
    if toleration.get("operator") == "Exists":
        return toleration.get("key") in {None, "", taint.get("key")}
    return toleration.get("key") == taint.get("key") and toleration.get("value", "") == taint.get("value", "")
