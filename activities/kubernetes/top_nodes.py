"""Tell what nodes use, against what they have to give."""

import asyncio
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from activities.kubernetes._object import ClusterName, cluster_of
from activities.kubernetes._usage import share, total
from halon.clients.kubernetes.api import NODE_USAGE, NODES
from halon.clients.kubernetes.nodes import Node, Usage
from halon.contracts.base import JsonObject
from halon.errors import NotFound
from halon.kit.action import Output, Permission, Read
from halon.kit.env import Env


class NodeUsage(Output):
    """One node. A share is a fraction: 0.5 is a half."""

    name: str
    takes_pods: bool
    """It is ready and not cordoned."""
    cpu: float
    """Processors."""
    cpu_share: float | None
    """Of what pods may have of it."""
    memory: float
    """Bytes."""
    memory_share: float | None
    """Of what pods may have of it."""


class NodesUsage(Output):
    """What the nodes use."""

    nodes: tuple[NodeUsage, ...]
    """The busiest first, by share."""
    total: int
    """Nodes whose usage is known, those left out included."""
    unmeasured: tuple[str, ...]
    """At most 20 nodes whose usage is not known."""


class TopNodes(Read[NodesUsage]):
    """Tell what nodes use of processors and memory, the busiest first.

    It asks the Metrics API (metrics-server or a stand-in for it). Without that, or when it knows none of the nodes, the
    answer is a failure `not_found`: no data is not little usage.
    """

    permissions: ClassVar[tuple[Permission, ...]] = (
        Permission("kubernetes", ("list",), "metrics.k8s.io/nodes", "to read what they use", scope="cluster"),
        Permission("kubernetes", ("list",), "/nodes", "to read what they have", scope="cluster"),
    )
    example: ClassVar[JsonObject] = {"by": "memory"}

    by: Literal["cpu", "memory"] = "cpu"
    """What they are sorted by."""
    most: Annotated[int, Field(ge=1, le=200)] = 20
    """So many at most."""
    cluster: ClusterName = ""
    """A cluster of halon.yaml; without it, the default one."""

    def target(self) -> str:
        """Name the nodes."""
        return f"k8s/{self.cluster or 'default'}/-/nodes/*"

    async def run(self, env: Env) -> NodesUsage:
        """Ask.

        Raises:
            NotFound: there is no Metrics API, or it knows no node.
        """
        api = cluster_of(env, self.cluster)
        measured, nodes = await asyncio.gather(api.list(Usage, NODE_USAGE), api.list(Node, NODES))
        usage = {one.metadata.name: one for one in measured}
        known = [_used(node, usage[node.metadata.name]) for node in nodes if node.metadata.name in usage]
        if not known:
            raise NotFound(f"the Metrics API does not know the usage of any of {len(nodes)} nodes")
        ranked = sorted(
            known, key=lambda one: (-((one.cpu_share if self.by == "cpu" else one.memory_share) or 0), one.name)
        )
        missing = sorted(node.metadata.name for node in nodes if node.metadata.name not in usage)
        return NodesUsage(nodes=tuple(ranked[: self.most]), total=len(known), unmeasured=tuple(missing[:20]))

    def _share(self, one: NodeUsage) -> float:
        return (one.cpu_share if self.by == "cpu" else one.memory_share) or 0.0


def _used(node: Node, usage: Usage) -> NodeUsage:
    has = node.status.allocatable
    cpu, memory = total([usage.usage.get("cpu", "0")]), total([usage.usage.get("memory", "0")])
    return NodeUsage(
        name=node.metadata.name,
        takes_pods=node.takes_pods,
        cpu=round(cpu, 3),
        cpu_share=share(cpu, total([has.get("cpu", "0")])),
        memory=memory,
        memory_share=share(memory, total([has.get("memory", "0")])),
    )
