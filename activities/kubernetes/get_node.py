"""Tell how a node is: its conditions, what keeps pods away, what it has to give, and the pods on it."""

import asyncio
from datetime import datetime, timedelta
from typing import ClassVar

from activities.kubernetes._eviction import Allowed, sort
from activities.kubernetes._node import GET, read, target
from activities.kubernetes._object import ClusterName, Name, cluster_of
from activities.kubernetes._usage import asked, share, total
from halon.clients.kubernetes.api import PODS
from halon.clients.kubernetes.nodes import Node
from halon.clients.kubernetes.objects import Condition, Pod
from halon.contracts.base import Duration, JsonObject
from halon.kit.action import Output, Permission, Read
from halon.kit.env import Env
from halon.redaction import redact_text

MAX_TEXT = 1000
"""Characters of one message."""
_PODS = 100
_CONDITIONS = 30


class NodeCondition(Output):
    """A condition, such as `MemoryPressure`."""

    type: str
    status: str
    """`True`, `False` or `Unknown`."""
    reason: str
    message: str
    lasts: Duration | None
    """Since it is so; null when nobody wrote that down."""


class PodThere(Output):
    """A pod on the node."""

    namespace: str
    name: str
    phase: str
    controller: str
    """The kind of what makes it again, such as `ReplicaSet`; empty for a bare pod."""


class NodeSeen(Output):
    """How a node is."""

    ready: bool
    """Its kubelet says that it is; a node that is not heard of is not ready."""
    not_ready_for: Duration | None
    """Since it is not; null while it is, or when nobody wrote that down."""
    cordoned: bool
    """It takes no new pods."""
    taints: tuple[str, ...]
    """What keeps pods away, as `dedicated=batch:NoSchedule`."""
    wrong: tuple[str, ...]
    """Conditions that are not as they should be, such as `MemoryPressure` or `Ready`."""
    conditions: tuple[NodeCondition, ...]
    """All of them, at most 30."""
    age: Duration
    """Since it registered."""
    kubelet: str
    """The version of its kubelet."""
    cpu: float
    """Processors that pods may have."""
    cpu_requested: float | None
    """The share of them that pods have asked for; 0.5 is a half."""
    memory: float
    """Bytes that pods may have."""
    memory_requested: float | None
    """The share of them that pods have asked for."""
    pods: int
    """Pods on it, those that have ended included."""
    pods_allowed: int
    """So many may be on it."""
    evictable: int
    """Pods that a drain would take away; the others belong to DaemonSets or to the node itself."""
    on_it: tuple[PodThere, ...]
    """At most 100 of its pods, by namespace and name."""


class GetNode(Read[NodeSeen]):
    """Tell how a node is: conditions, taints, what it has to give and what was asked of it, and the pods on it."""

    permissions: ClassVar[tuple[Permission, ...]] = (
        GET,
        Permission("kubernetes", ("list",), "/pods", "to see the pods on it", scope="cluster"),
    )
    example: ClassVar[JsonObject] = {"name": "node-a"}

    name: Name
    """The node's name."""
    cluster: ClusterName = ""
    """A cluster of halon.yaml; without it, the default one."""

    def target(self) -> str:
        """Name the node."""
        return target(self.cluster, self.name)

    async def run(self, env: Env) -> NodeSeen:
        """Look.

        Raises:
            NotFound: there is no such node.
        """
        node, pods = await asyncio.gather(
            read(env, self.cluster, self.name),
            cluster_of(env, self.cluster).list(Pod, PODS, fields=f"spec.nodeName={self.name}"),
        )
        now, has, created = env.now(), node.status.allocatable, node.metadata.creation_timestamp
        running = [pod for pod in pods if not pod.ended]
        cpu, memory = total([has.get("cpu", "0")]), total([has.get("memory", "0")])
        return NodeSeen(
            ready=node.ready,
            not_ready_for=None if node.ready else _lasting(node, "Ready", now),
            cordoned=node.spec.unschedulable,
            taints=tuple(str(one) for one in node.spec.taints),
            wrong=tuple(one.type for one in node.status.conditions if one.status != _wanted(one)),
            conditions=tuple(_condition(one, now) for one in node.status.conditions[:_CONDITIONS]),
            age=max(now - created, timedelta()) if created else timedelta(),
            kubelet=node.status.node_info.kubelet_version,
            cpu=cpu,
            cpu_requested=share(sum(asked(pod, "cpu") for pod in running), cpu),
            memory=memory,
            memory_requested=share(sum(asked(pod, "memory") for pod in running), memory),
            pods=len(pods),
            pods_allowed=int(total([has.get("pods", "0")])),
            evictable=len(sort(pods, (), Allowed()).evict),
            on_it=tuple(_there(pod) for pod in sorted(pods, key=lambda one: one.title)[:_PODS]),
        )


def _wanted(one: Condition) -> str:
    """What a condition should be: nodes are to be ready, and everything else is a complaint."""
    return "True" if one.type == "Ready" else "False"


def _lasting(node: Node, kind: str, now: datetime) -> timedelta | None:
    found = next((one for one in node.status.conditions if one.type == kind), None)
    since = found.last_transition_time if found else None
    return max(now - since, timedelta()) if since else None


def _condition(one: Condition, now: datetime) -> NodeCondition:
    since = one.last_transition_time
    return NodeCondition(
        type=one.type,
        status=one.status,
        reason=one.reason,
        message=redact_text(one.message, MAX_TEXT),
        lasts=max(now - since, timedelta()) if since else None,
    )


def _there(pod: Pod) -> PodThere:
    owner = pod.metadata.controller
    return PodThere(
        namespace=pod.metadata.namespace,
        name=pod.metadata.name,
        phase=pod.status.phase,
        controller=owner.kind if owner else "",
    )
