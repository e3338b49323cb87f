"""Say how far a Deployment's rollout is, as `kubectl rollout status` does."""

from typing import ClassVar, Literal

from activities.kubernetes._deployment import LOOK, ClusterName, Name, Namespace, look, target
from halon.clients.kubernetes.rollout import progress
from halon.contracts.base import JsonObject
from halon.kit.action import Output, Permission, Read
from halon.kit.env import Env


class Status(Output):
    """How far it is."""

    complete: bool
    """Every replica is up to date and available, and no old one is left."""
    state: Literal["settled", "waiting", "broken"]
    """Complete is `settled`; `broken` means that waiting longer cannot help, such as with a crash loop."""
    reason: str
    """What it waits for, or what is broken."""
    revision: int
    """The number of the current revision."""
    replicas: int
    """How many are wanted."""
    updated: int
    """How many are of the current revision."""
    available: int
    """How many serve."""
    paused: bool
    """Whether rollouts are held back."""


class RolloutStatus(Read[Status]):
    """Say how far a Deployment's rollout is.

    Errors: a Deployment that does not exist is `not_found`.
    """

    permissions: ClassVar[tuple[Permission, ...]] = LOOK
    example: ClassVar[JsonObject] = {"namespace": "shop", "name": "cart"}

    namespace: Namespace
    """The Deployment's namespace."""
    name: Name
    """The Deployment's name."""
    cluster: ClusterName = ""
    """Its cluster, by the name in halon.yaml; without it the default one."""

    def target(self) -> str:
        """Name the Deployment."""
        return target(self.cluster, self.namespace, self.name)

    async def run(self, env: Env) -> Status:
        """Look."""
        state = await look(env, self.cluster, self.namespace, self.name)
        deployment = state.deployment
        found = progress(deployment, state.current, state.troubles)
        return Status(
            complete=found.state == "settled",
            state=found.state,
            reason=found.reason,
            revision=deployment.revision,
            replicas=deployment.spec.replicas,
            updated=deployment.status.updated_replicas,
            available=deployment.status.available_replicas,
            paused=deployment.spec.paused,
        )
