"""Say how far a Deployment's rollout is."""

from typing import ClassVar

from activities.kubernetes._deployment import LOOK, look
from activities.kubernetes._object import ClusterName, Name, Namespace, target
from halon.contracts.base import JsonObject
from halon.kit.action import Output, Permission, Read
from halon.kit.env import Env


class RolloutProgress(Output):
    """What `kubectl rollout status` would wait for, and whether waiting can help."""

    complete: bool
    """Every replica is up to date and available, and no old one is left."""
    broken: bool
    """It will not complete by itself: pods crash-loop, cannot start, or the deadline has passed."""
    reason: str
    """What it waits for, or why it is broken."""
    revision: int
    """The current revision's number."""
    replicas: int
    """How many are wanted."""
    updated: int
    """How many run the current template."""
    available: int
    """How many have been ready for long enough."""
    troubles: tuple[str, ...]
    """Containers of the current revision that crash-loop or cannot start, at most ten."""


class RolloutStatus(Read[RolloutProgress]):
    """Say how far a Deployment's rollout is, as `kubectl rollout status` does; a crash loop counts as broken."""

    permissions: ClassVar[tuple[Permission, ...]] = LOOK
    example: ClassVar[JsonObject] = {"namespace": "shop", "name": "cart"}

    namespace: Namespace
    """The Deployment's namespace."""
    name: Name
    """The Deployment's name."""
    cluster: ClusterName = ""
    """A cluster of halon.yaml; without it, the default one."""

    def target(self) -> str:
        """Name the Deployment."""
        return target(self.cluster, self.namespace, "Deployment", self.name)

    async def run(self, env: Env) -> RolloutProgress:
        """Look."""
        found = await look(env, self.cluster, self.namespace, self.name)
        settlement = found.progress()
        spec, status = found.deployment.spec, found.deployment.status
        return RolloutProgress(
            complete=settlement.state == "settled",
            broken=settlement.state == "broken",
            reason=settlement.reason,
            revision=found.deployment.revision,
            replicas=spec.replicas,
            updated=status.updated_replicas,
            available=status.available_replicas,
            troubles=found.troubles,
        )
