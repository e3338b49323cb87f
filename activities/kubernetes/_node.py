"""What the actions on a node share: how it is looked at, how it is cordoned, and where Halon's mark is."""

from collections.abc import Sequence

from activities.kubernetes._object import annotate, cluster_of
from halon.clients.kubernetes.api import NODES
from halon.clients.kubernetes.nodes import Node
from halon.contracts.base import JsonObject
from halon.errors import PermanentError
from halon.kit.action import Permission, State
from halon.kit.env import Env

MARK = "halon.dev/change-schedulable"
"""Annotation with the key of the last write to whether the node takes pods."""
LEAVING = frozenset({"ToBeDeletedByClusterAutoscaler", "karpenter.sh/disrupted", "karpenter.sh/disruption"})
"""Taints by which an autoscaler says that it is about to remove a node."""

GET = Permission("kubernetes", ("get",), "/nodes", "to see it", scope="cluster")
COUNT = Permission("kubernetes", ("list",), "/nodes", "to see how many others take pods", scope="cluster")
PATCH = Permission("kubernetes", ("patch",), "/nodes", "to write whether it takes pods", scope="cluster")


class Seen(State):
    """A node."""

    node: Node
    others: int = 0
    """How many other nodes the scheduler may give pods to, where that was counted."""

    @property
    def title(self) -> str:
        """What people call it."""
        return f"node {self.node.metadata.name}"

    @property
    def owned(self) -> JsonObject:
        """What the changes of a node own: whether this very machine takes pods."""
        return {"node": self.node.metadata.uid, "unschedulable": self.node.spec.unschedulable}

    def wanting(self, *, unschedulable: bool) -> JsonObject:
        """The same, as it is wanted."""
        return {**self.owned, "unschedulable": unschedulable}

    def too_few(self, leaves: int) -> str:
        """Why the node may not be taken out of use; empty when enough others take pods."""
        if self.others >= leaves:
            return ""
        return f"only {self.others} other nodes are ready and take pods, and {leaves} must be left"


def target(cluster: str, name: str) -> str:
    """Name the node for people and policy; a node is in no namespace."""
    return f"k8s/{cluster or 'default'}/-/node/{name}"


async def read(env: Env, cluster: str, name: str) -> Node:
    """Look at a node.

    Raises:
        NotFound, PermissionDenied, TransientError: as the API server says.
    """
    return await cluster_of(env, cluster).get(Node, NODES, "", name)


async def others(env: Env, cluster: str, name: str) -> int:
    """Count the nodes beside this one that the scheduler may give pods to."""
    nodes = await cluster_of(env, cluster).list(Node, NODES)
    return sum(1 for one in nodes if one.metadata.name != name and one.takes_pods)


def mark(node: Node) -> str:
    """Give the key of the last write."""
    return node.metadata.annotations.get(MARK, "")


def cordoning(node: Node, key: str, more: dict[str, str] | None = None) -> list[JsonObject]:
    """Operations that cordon a node and stamp the key, if there is one, with `more` annotations."""
    return [{"op": "add", "path": "/spec/unschedulable", "value": True}, *_stamped(node, key, more or {})]


def uncordoning(node: Node, key: str) -> list[JsonObject]:
    """Operations that let a cordoned node take pods again."""
    return [{"op": "remove", "path": "/spec/unschedulable"}, *_stamped(node, key, {})]


def _stamped(node: Node, key: str, more: dict[str, str]) -> list[JsonObject]:
    return annotate("/metadata", bool(node.metadata.annotations), {MARK: key, **more}) if key else []


async def write(env: Env, cluster: str, seen: Node, operations: Sequence[JsonObject], *, dry_run: bool = False) -> None:
    """Patch the node as it was seen.

    Raises:
        Conflict: it changed since.
    """
    await cluster_of(env, cluster).patch(NODES, seen.metadata, operations, dry_run=dry_run)


def refuse(why: str) -> None:
    """Do not write what has become wrong since it was planned.

    Raises:
        PermanentError: there is a reason.
    """
    if why:
        raise PermanentError(f"not done, for this came up since it was planned: {why}")


def leaving(node: Node) -> str:
    """The taint by which an autoscaler takes the node away, or empty."""
    return next((one.key for one in node.spec.taints if one.key in LEAVING), "")
