"""Tell which revisions a Deployment has had, and which one ran before."""

from datetime import datetime, timedelta
from typing import ClassVar

from activities.kubernetes._deployment import LOOK, Workload, look
from activities.kubernetes._object import ClusterName, Name, Namespace, target
from halon.clients.kubernetes.ownership import managers
from halon.clients.kubernetes.rollout import Revision, previous, rolled_out_at, unsafe
from halon.contracts.base import Duration, JsonObject
from halon.kit.action import Output, Permission, Read
from halon.kit.env import Env

MAX_REVISIONS = 20


class KeptRevision(Output):
    """A revision that the cluster still has."""

    number: int
    """Its number now; taking a rollout back gives an old template a new number."""
    hash: str
    """Its pods' label pod-template-hash."""
    images: dict[str, str]
    """Image by container."""
    replicas: int
    """Pods that are wanted of it now."""


class RolloutHistory(Output):
    """The revisions of a Deployment."""

    revision: int
    """The current revision's number."""
    age: Duration
    """Since the current version was rolled out. Restarts do not count: they bring no other version."""
    previous: int | None
    """The one to go back to, told by its content: the last before the current, or rather the last that still serves.
    Null when there is none, and when it was rolled back already."""
    reason: str
    """Why there is no previous one; empty when there is."""
    unsafe: str
    """Why it cannot be rolled back, by the annotation `halon.dev/rollback: unsafe` of the current revision's template;
    empty when it does not say so."""
    rolled_back: bool
    """The current template ran earlier already: the Deployment was taken back, and nothing came since."""
    selector: str
    """Its pods, as a label selector."""
    images: dict[str, str]
    """Image by container of the current revision."""
    paused: bool
    """Its rollouts are paused."""
    managed_by: tuple[str, ...]
    """Who else writes to it, such as Argo CD or Flux, and what that means."""
    revisions: tuple[KeptRevision, ...]
    """The newest 20, oldest first."""


class GetRolloutHistory(Read[RolloutHistory]):
    """Tell which revisions a Deployment has had, how old the current one is, and which one ran before."""

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

    async def run(self, env: Env) -> RolloutHistory:
        """Look."""
        found = await look(env, self.cluster, self.namespace, self.name)
        before = previous(found.template, found.revisions)
        now = found.current
        return RolloutHistory(
            revision=found.deployment.revision,
            age=_age(found, env.now()),
            previous=before.revision.number if before.revision else None,
            reason=before.reason,
            unsafe=unsafe(found.revisions, before.revision) if before.revision else "",
            rolled_back=before.returned,
            selector=str(found.deployment.spec.selector),
            images=now.images if now else {},
            paused=found.deployment.spec.paused,
            managed_by=managers(found.deployment.metadata),
            revisions=tuple(_kept(one) for one in found.revisions[-MAX_REVISIONS:]),
        )


def _kept(one: Revision) -> KeptRevision:
    return KeptRevision(number=one.number, hash=one.hash, images=one.images, replicas=one.replicas)


def _age(found: Workload, now: datetime) -> timedelta:
    since = rolled_out_at(found.deployment, found.revisions)
    return max(now - since, timedelta()) if since else timedelta()
