"""Suspending and resuming Jobs and CronJobs: what all four actions have in common."""

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar, Generic, TypeVar

from activities.kubernetes._object import (
    ClusterName,
    Name,
    Namespace,
    cluster_of,
    mark,
    rehearse,
    stamped,
    target,
    title,
)
from halon.clients.kubernetes.connection import Resource
from halon.clients.kubernetes.objects import Metadata
from halon.clients.kubernetes.ownership import managers
from halon.clients.kubernetes.workloads import CRON_JOBS, JOBS, CronJob, Job
from halon.contracts.base import JsonObject
from halon.contracts.plan import Row
from halon.errors import PermanentError
from halon.kit.action import Change, Nothing, Permission, Proposal, Refusal, State
from halon.kit.env import Env

_KUEUE = "kueue.x-k8s.io/queue-name"
"""Label by which Kueue takes a Job into its queue; it suspends and resumes it from then on."""


class Suspendable(State):
    """What can be suspended."""

    kind: ClassVar[str]

    @property
    def metadata(self) -> Metadata:
        """Of the object."""
        raise NotImplementedError

    @property
    def suspended(self) -> bool:
        """Whether it is asked to run nothing."""
        raise NotImplementedError

    @property
    def title(self) -> str:
        """What people call it."""
        return title(self.kind, self.metadata)

    @property
    def owned(self) -> JsonObject:
        """Which one of its name it is, and whether it is suspended."""
        return {"uid": self.metadata.uid, "suspend": self.suspended}

    @property
    def objection(self) -> str:
        """Why it can be neither suspended nor resumed; empty when it can."""
        return f"{self.title} is being deleted" if self.metadata.deletion_timestamp is not None else ""


SeenT = TypeVar("SeenT", bound=Suspendable)


class SeenCronJob(Suspendable):
    """A CronJob."""

    kind: ClassVar[str] = "CronJob"
    cronjob: CronJob

    @property
    def metadata(self) -> Metadata:
        """Of the CronJob."""
        return self.cronjob.metadata

    @property
    def suspended(self) -> bool:
        """Whether it makes no Jobs."""
        return self.cronjob.spec.suspend


class SeenJob(Suspendable):
    """A Job."""

    kind: ClassVar[str] = "Job"
    job: Job

    @property
    def metadata(self) -> Metadata:
        """Of the Job."""
        return self.job.metadata

    @property
    def suspended(self) -> bool:
        """Whether it is to have no pods."""
        return self.job.spec.suspend

    @property
    def objection(self) -> str:
        """One that has ended stays as it is."""
        ended = self.job.ended
        if ended is None:
            return super().objection
        return f"{self.title} has ended ({ended.type}: {ended.reason}): there is nothing to suspend or resume"


class OfSuspend(Change[SeenT], Generic[SeenT]):
    """A change of whether something is suspended."""

    resource: ClassVar[Resource]
    kind: ClassVar[str]
    suspends: ClassVar[bool]

    namespace: Namespace
    """Where it is."""
    name: Name
    """Its name."""
    cluster: ClusterName = ""
    """A cluster of halon.yaml; without it, the default one."""

    def notes(self, state: SeenT) -> Sequence[str]:
        """What the one who decides should know. Pure."""
        raise NotImplementedError

    def target(self) -> str:
        """Name it."""
        return target(self.cluster, self.namespace, self.kind, self.name)

    def plan(self, state: SeenT, now: datetime) -> Proposal | Nothing | Refusal:
        """Compare, unless it has ended or goes."""
        if state.objection:
            return Refusal(state.objection)
        if state.suspended == self.suspends:
            return Nothing(f"{state.title} is {'suspended already' if self.suspends else 'not suspended'}")
        return Proposal(
            summary=f"{'Suspend' if self.suspends else 'Resume'} {state.title}",
            before=state.owned,
            after={**state.owned, "suspend": self.suspends},
            rows=[Row(field="suspend", before=state.suspended, after=self.suspends)],
            notes=(*self.notes(state), *_others(state.metadata)),
        )

    async def rehearse(self, env: Env, after: JsonObject, state: SeenT) -> Sequence[str]:
        """Let the API server check the patch."""
        return await rehearse(env, self.cluster, self.resource, state.metadata, _operations(after))

    def owned(self, state: SeenT) -> JsonObject:
        """Which one of its name it is, and whether it is suspended."""
        return state.owned

    def mark(self, state: SeenT) -> str:
        """The key of the last change to that."""
        return mark(state.metadata, "suspend")

    async def apply(self, env: Env, after: JsonObject, state: SeenT, key: str) -> None:
        """Write it.

        Raises:
            PermanentError: it has ended since it was planned, or is being deleted.
        """
        if state.objection:
            raise PermanentError(f"not done, for this came up since it was planned: {state.objection}")
        operations = [*_operations(after), *stamped(state.metadata, "suspend", key)]
        await cluster_of(env, self.cluster).patch(self.resource, state.metadata, operations)

    def backwards(self) -> JsonObject:
        """Parameters of the action that takes this one back."""
        return {"namespace": self.namespace, "name": self.name, "cluster": self.cluster}


class OfCronJob(OfSuspend[SeenCronJob]):
    """A change of whether a CronJob is suspended."""

    permissions: ClassVar[tuple[Permission, ...]] = (
        Permission("kubernetes", ("get",), "batch/cronjobs", "to look at it", name="{name}"),
        Permission("kubernetes", ("patch",), "batch/cronjobs", "to write whether it is suspended", name="{name}"),
    )
    example: ClassVar[JsonObject] = {"namespace": "shop", "name": "nightly"}
    resource: ClassVar[Resource] = CRON_JOBS
    kind: ClassVar[str] = SeenCronJob.kind

    async def observe(self, env: Env) -> SeenCronJob:
        """Look at the CronJob."""
        api = cluster_of(env, self.cluster)
        return SeenCronJob(cronjob=await api.get(CronJob, CRON_JOBS, self.namespace, self.name))


class OfJob(OfSuspend[SeenJob]):
    """A change of whether a Job is suspended."""

    permissions: ClassVar[tuple[Permission, ...]] = (
        Permission("kubernetes", ("get",), "batch/jobs", "to look at it", name="{name}"),
        Permission("kubernetes", ("patch",), "batch/jobs", "to write whether it is suspended", name="{name}"),
    )
    example: ClassVar[JsonObject] = {"namespace": "shop", "name": "import-28411200"}
    resource: ClassVar[Resource] = JOBS
    kind: ClassVar[str] = SeenJob.kind

    async def observe(self, env: Env) -> SeenJob:
        """Look at the Job."""
        return SeenJob(job=await cluster_of(env, self.cluster).get(Job, JOBS, self.namespace, self.name))


def _others(meta: Metadata) -> tuple[str, ...]:
    """Say who else may set whether it is suspended, one sentence each."""
    queue = meta.labels.get(_KUEUE, "")
    queued = (f"in Kueue's queue {queue}, which suspends and resumes it by itself and may revert this",)
    return (*managers(meta), *(queued if queue else ()))


def _operations(after: JsonObject) -> list[JsonObject]:
    return [{"op": "add", "path": "/spec/suspend", "value": after["suspend"]}]
