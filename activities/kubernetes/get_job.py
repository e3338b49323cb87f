"""Tell how a Job is: how far it has come, why it failed, and how its pods ended."""

from datetime import datetime, timedelta
from typing import ClassVar

from activities.kubernetes._job import JobWord, PodError, errors, pods_of, word
from activities.kubernetes._object import ClusterName, Name, Namespace, cluster_of, target
from activities.kubernetes._told import ConditionTold, age, conditions, controller, said
from halon.clients.kubernetes.ownership import managers
from halon.clients.kubernetes.workloads import JOBS, Job
from halon.contracts.base import Duration, JsonObject
from halon.kit.action import Output, Permission, Read
from halon.kit.env import Env

_ERRORS = 10


class JobSeen(Output):
    """How a Job is."""

    uid: str
    """Which Job of this name it is; `kubernetes.delete_job` takes it."""
    state: JobWord
    """`running`, `suspended`, `complete` or `failed`; the last two are final."""
    reason: str
    """Why it ended, such as `BackoffLimitExceeded` or `DeadlineExceeded`; empty while it has not."""
    message: str
    """The same in words, masked."""
    active: int
    """Pods that run or are about to."""
    ready: int
    """Pods that are ready."""
    succeeded: int
    """Pods that ended well."""
    failed: int
    """Pods that failed."""
    parallelism: int
    """How many pods it runs at a time."""
    completions: int | None
    """How many pods must end well; null when one is enough, as for a work queue."""
    backoff_limit: int
    """So many failures it bears."""
    deadline: Duration | None
    """How long it may run from its start; null when for ever."""
    kept_for: Duration | None
    """How long it is kept once it has ended; null when until somebody deletes it."""
    suspended: bool
    """It is asked to run no pods for now."""
    terminating: bool
    """It was deleted, and only waits to be gone."""
    age: Duration
    """Since it was made."""
    started_at: datetime | None
    """When it last started; null while it is suspended, and before."""
    runs_for: Duration | None
    """From its start up to now, or up to its end; null when it has not started."""
    controller: str
    """What made it, as `CronJob/nightly`; empty when a person or a pipeline did."""
    cronjob: str
    """The name of the CronJob that made it; empty when none did."""
    conditions: tuple[ConditionTold, ...]
    """As the controller tells them, such as `Failed`, `Suspended` or `FailureTarget`."""
    errors: tuple[PodError, ...]
    """How its pods failed or why they do not run, the newest first, at most ten. Pods that are gone are not there,
    and of more than 2000 only so many are looked at."""
    selector: str
    """Its pods, as a label selector."""
    managed_by: tuple[str, ...]
    """Who else writes to it, such as Argo CD or Flux, and what that means."""


class GetJob(Read[JobSeen]):
    """Tell how a Job is: how far it has come, why it failed, and how its pods ended last."""

    permissions: ClassVar[tuple[Permission, ...]] = (
        Permission("kubernetes", ("get",), "batch/jobs", "to look at it", name="{name}"),
        Permission("kubernetes", ("list",), "/pods", "to see how its pods ended"),
    )
    example: ClassVar[JsonObject] = {"namespace": "shop", "name": "import-28411200"}

    namespace: Namespace
    """The Job's namespace."""
    name: Name
    """The Job's name."""
    cluster: ClusterName = ""
    """A cluster of halon.yaml; without it, the default one."""

    def target(self) -> str:
        """Name the Job."""
        return target(self.cluster, self.namespace, "Job", self.name)

    async def run(self, env: Env) -> JobSeen:
        """Look.

        Raises:
            NotFound: there is no such Job, any more.
        """
        api, now = cluster_of(env, self.cluster), env.now()
        job = await api.get(Job, JOBS, self.namespace, self.name)
        pods = await pods_of(api, job)
        meta, spec, status, ended = job.metadata, job.spec, job.status, job.ended
        owner = meta.controller
        return JobSeen(
            uid=meta.uid,
            state=word(job),
            reason=ended.reason if ended else "",
            message=said(ended.message) if ended else "",
            active=status.active,
            ready=status.ready,
            succeeded=status.succeeded,
            failed=status.failed,
            parallelism=spec.parallelism,
            completions=spec.completions,
            backoff_limit=spec.backoff_limit,
            deadline=_seconds(spec.active_deadline_seconds),
            kept_for=_seconds(spec.ttl_seconds_after_finished),
            suspended=spec.suspend,
            terminating=meta.deletion_timestamp is not None,
            age=age(meta, now),
            started_at=status.start_time,
            runs_for=_runs_for(job, now),
            controller=controller(meta),
            cronjob=owner.name if owner and owner.kind == "CronJob" else "",
            conditions=conditions(status.conditions, now),
            errors=errors(pods, _ERRORS),
            selector=str(spec.selector),
            managed_by=managers(meta),
        )


def _seconds(number: int | None) -> timedelta | None:
    return None if number is None else timedelta(seconds=number)


def _runs_for(job: Job, now: datetime) -> timedelta | None:
    start, ended = job.status.start_time, job.ended
    if start is None:
        return None
    until = now if ended is None else job.status.completion_time or ended.last_transition_time or now
    return max(until - start, timedelta())
