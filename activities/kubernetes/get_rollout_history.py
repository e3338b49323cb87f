"""Tell which revisions a Deployment has had, which one runs and which one ran before."""

from datetime import datetime, timedelta
from typing import ClassVar

from activities.kubernetes._deployment import LOOK, ClusterName, Name, Namespace, Workload, look, target
from halon.clients.kubernetes.ownership import managers
from halon.clients.kubernetes.rollout import differences, images, plain, previous, rolled_out_at
from halon.contracts.base import Duration, JsonObject
from halon.kit.action import Output, Permission, Read
from halon.kit.env import Env

MAX_REVISIONS = 25
MAX_CHANGED = 30


class RevisionSeen(Output):
    """One revision that is kept."""

    number: int
    """Its number now."""
    hash: str
    """Its pods' label pod-template-hash."""
    images: dict[str, str]
    """Image by container."""
    created_at: datetime | None
    """When it was rolled out for the first time."""
    replicas: int
    """Pods that it shall have."""
    available: int
    """Pods of it that serve."""


class History(Output):
    """A Deployment's rollouts."""

    current: int
    """The number of the current revision; 0 while there is none yet."""
    age: Duration
    """Time since the current version was rolled out. Restarts do not count: they roll out no other version."""
    previous: int | None
    """The number of the revision to go back to: the last one before the current that differs by more than a restart, and
    rather one that still serves. Null when there is none, and when the Deployment has gone back already."""
    previous_reason: str
    """Why there is no previous one."""
    changed: tuple[str, ...]
    """Places in the pod template where the current revision differs from the previous one; the first 30, by name."""
    images: dict[str, str]
    """Image by container of the current revision."""
    selector: str
    """The label selector of its pods."""
    replicas: int
    """How many replicas are wanted."""
    paused: bool
    """Whether rollouts are held back."""
    managed_by: tuple[str, ...]
    """Who else writes to it, such as Argo CD, Flux or Helm, one sentence each."""
    troubles: tuple[str, ...]
    """Containers of the current revision that crash-loop or cannot start."""
    revisions: tuple[RevisionSeen, ...]
    """The revisions that are kept, newest first, at most 25."""


class GetRolloutHistory(Read[History]):
    """Tell which revisions a Deployment has had, which one runs, since when, and which one to go back to.

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

    async def run(self, env: Env) -> History:
        """Look."""
        return _told(await look(env, self.cluster, self.namespace, self.name), env.now())


def _told(state: Workload, now: datetime) -> History:
    deployment, known = state.deployment, state.revisions
    earlier = previous(deployment, known)
    began = rolled_out_at(deployment, known)
    template = plain(deployment.spec.template)
    runs = state.current
    return History(
        current=runs.number if runs is not None else 0,
        age=max(now - began, timedelta()) if began is not None else timedelta(),
        previous=earlier.revision.number if earlier.revision is not None else None,
        previous_reason=earlier.reason,
        changed=tuple(differences(earlier.revision.template, template))[:MAX_CHANGED] if earlier.revision else (),
        images=images(template),
        selector=str(deployment.spec.selector),
        replicas=deployment.spec.replicas,
        paused=deployment.spec.paused,
        managed_by=managers(deployment.metadata),
        troubles=state.troubles,
        revisions=tuple(
            RevisionSeen(
                number=one.number,
                hash=one.hash,
                images=one.images,
                created_at=one.created,
                replicas=one.replicas,
                available=one.available,
            )
            for one in reversed(known[-MAX_REVISIONS:])
        ),
    )
