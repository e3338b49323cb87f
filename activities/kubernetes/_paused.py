"""Pausing and resuming the rollouts of a Deployment: what both have in common."""

from collections.abc import Sequence

from activities.kubernetes._deployment import Workload, look
from activities.kubernetes._object import ClusterName, Name, Namespace, cluster_of, mark, rehearse, stamped, target
from halon.contracts.base import JsonObject
from halon.kit.action import Change
from halon.kit.env import Env


class OfPause(Change[Workload]):
    """A change of whether a Deployment rolls out what changes in its template."""

    namespace: Namespace
    """The Deployment's namespace."""
    name: Name
    """The Deployment's name."""
    cluster: ClusterName = ""
    """A cluster of halon.yaml; without it, the default one."""

    def target(self) -> str:
        """Name the Deployment."""
        return target(self.cluster, self.namespace, "Deployment", self.name)

    async def observe(self, env: Env) -> Workload:
        """Look at the Deployment and its revisions."""
        return await look(env, self.cluster, self.namespace, self.name)

    async def rehearse(self, env: Env, after: JsonObject, state: Workload) -> Sequence[str]:
        """Let the API server check the patch."""
        return await rehearse(env, self.cluster, state.resource, state.metadata, _operations(after))

    def owned(self, state: Workload) -> JsonObject:
        """Whether its rollouts are paused, and what would be rolled out: which template, by digest."""
        return {"paused": state.deployment.spec.paused, **state.pinned()}

    def mark(self, state: Workload) -> str:
        """The key of the last pause or resumption."""
        return mark(state.metadata, "paused")

    async def apply(self, env: Env, after: JsonObject, state: Workload, key: str) -> None:
        """Write it."""
        operations = [*_operations(after), *stamped(state.metadata, "paused", key)]
        await cluster_of(env, self.cluster).patch(state.resource, state.metadata, operations)


def _operations(after: JsonObject) -> list[JsonObject]:
    return [{"op": "add", "path": "/spec/paused", "value": after["paused"]}]
