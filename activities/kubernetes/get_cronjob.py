"""Tell how a CronJob is: when it last ran, and how its last Jobs ended."""

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar

from activities.kubernetes._job import JobWord, word
from activities.kubernetes._object import ClusterName, Name, Namespace, cluster_of, target
from activities.kubernetes._told import age, since
from halon.clients.kubernetes.ownership import managers
from halon.clients.kubernetes.workloads import CRON_JOBS, JOBS, CronJob, Job
from halon.contracts.base import Duration, JsonObject
from halon.kit.action import Output, Permission, Read
from halon.kit.env import Env

_LAST = 10


class JobTold(Output):
    """A Job that the CronJob made."""

    name: str
    state: JobWord
    reason: str
    """Why it ended, such as `BackoffLimitExceeded`; empty while it has not."""
    failed: int
    """Its pods that failed."""
    age: Duration
    """Since it was made."""


class CronJobSeen(Output):
    """How a CronJob is."""

    schedule: str
    """In cron's five fields, or a word such as `@daily`."""
    time_zone: str
    """Of the schedule; empty for that of the controller."""
    suspended: bool
    """It makes no Jobs for now; those that run go on."""
    concurrency: str
    """What it does when its last Job still runs: `Allow`, `Forbid` or `Replace`."""
    age: Duration
    """Since it was made."""
    last_scheduled_at: datetime | None
    """When it made its last Job; null when never."""
    last_successful_at: datetime | None
    """When the last one of its Jobs that ended well did so; null when none has."""
    since_scheduled: Duration | None
    """Since it made its last Job; null when never."""
    since_successful: Duration | None
    """Since the last one ended well; null when none has."""
    active: int
    """How many of its Jobs have not ended, those that are suspended included."""
    failures: int
    """How many of its last Jobs failed in a row; those that have not ended do not count."""
    jobs: tuple[JobTold, ...]
    """Its last Jobs as far as they are kept, the newest first, at most ten."""
    managed_by: tuple[str, ...]
    """Who else writes to it, such as Argo CD or Flux, and what that means."""


class GetCronjob(Read[CronJobSeen]):
    """Tell how a CronJob is: its schedule, whether it is suspended, when it last ran, and how its last Jobs ended."""

    permissions: ClassVar[tuple[Permission, ...]] = (
        Permission("kubernetes", ("get",), "batch/cronjobs", "to look at it", name="{name}"),
        Permission("kubernetes", ("list",), "batch/jobs", "to see how its Jobs ended"),
    )
    example: ClassVar[JsonObject] = {"namespace": "shop", "name": "nightly"}

    namespace: Namespace
    """The CronJob's namespace."""
    name: Name
    """The CronJob's name."""
    cluster: ClusterName = ""
    """A cluster of halon.yaml; without it, the default one."""

    def target(self) -> str:
        """Name the CronJob."""
        return target(self.cluster, self.namespace, "CronJob", self.name)

    async def run(self, env: Env) -> CronJobSeen:
        """Look.

        Raises:
            NotFound: there is no such CronJob.
            PermanentError: the namespace has more than 2,000 Jobs.
        """
        api, now = cluster_of(env, self.cluster), env.now()
        found = await api.get(CronJob, CRON_JOBS, self.namespace, self.name)
        meta, spec, status = found.metadata, found.spec, found.status
        jobs = sorted(
            (one for one in await api.list(Job, JOBS, self.namespace) if _is_of(one, meta.uid)), key=_made, reverse=True
        )
        return CronJobSeen(
            schedule=spec.schedule,
            time_zone=spec.time_zone,
            suspended=spec.suspend,
            concurrency=spec.concurrency_policy,
            age=age(meta, now),
            last_scheduled_at=status.last_schedule_time,
            last_successful_at=status.last_successful_time,
            since_scheduled=since(status.last_schedule_time, now),
            since_successful=since(status.last_successful_time, now),
            active=sum(1 for one in jobs if one.ended is None),
            failures=_failures(jobs),
            jobs=tuple(_told(one, now) for one in jobs[:_LAST]),
            managed_by=managers(meta),
        )


def _is_of(job: Job, uid: str) -> bool:
    owner = job.metadata.controller
    return owner is not None and owner.uid == uid


def _made(job: Job) -> tuple[str, str]:
    at = job.metadata.creation_timestamp
    return at.isoformat() if at else "", job.metadata.name


def _failures(jobs: Sequence[Job]) -> int:
    """Count the failed ones from the newest on, up to one that ended well."""
    ended = [word(one) for one in jobs if one.ended is not None]
    return next((number for number, one in enumerate(ended) if one == "complete"), len(ended))


def _told(job: Job, now: datetime) -> JobTold:
    return JobTold(
        name=job.metadata.name,
        state=word(job),
        reason=job.ended.reason if job.ended else "",
        failed=job.status.failed,
        age=age(job.metadata, now),
    )
