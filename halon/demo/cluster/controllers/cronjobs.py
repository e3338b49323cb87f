"""The CronJob controller: a Job at each time of the schedule, as far as concurrency and suspension let it.

Of the runs that it missed, while it was suspended or because the cluster was off, it makes up for the last one.
"""

from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from halon.demo.cluster.controllers.jobs import finished_at
from halon.demo.cluster.defaults import set_defaults
from halon.demo.cluster.deletion import HowToDelete, delete
from halon.demo.cluster.objects import (
    Json,
    child,
    clone,
    condition_of,
    controller_of,
    is_deleting,
    name_of,
    namespace_of,
    parse_timestamp,
    timestamp,
    uid_of,
)
from halon.demo.cluster.resources import CRON_JOBS, JOBS
from halon.demo.cluster.schedules import schedule
from halon.demo.cluster.world import World, owner_reference

_NAME = "cronjob-controller"
_SCHEDULED_AT = "batch.kubernetes.io/cronjob-scheduled-timestamp"


class CronJobs:
    """Makes Jobs when they are due."""

    def __init__(self, world: World) -> None:
        self._world = world

    def reconcile(self) -> datetime | None:
        """Make what is due, and forget what is old."""
        owned: dict[str, list[Json]] = {}
        for job in self._world.store.items(JOBS):
            owned.setdefault(controller_of(job), []).append(job)
        due = [
            self._reconcile(one, owned.get(uid_of(one), []))
            for one in self._world.store.items(CRON_JOBS)
            if not is_deleting(one)
        ]
        return min((moment for moment in due if moment is not None), default=None)

    def _reconcile(self, owner: Json, jobs: list[Json]) -> datetime | None:
        """Bring one CronJob one step further; give when it is due next."""
        self._forget(owner, jobs)
        spec, now = child(owner, "spec"), self._world.now()
        status = clone(child(owner, "status"))
        active = [job for job in jobs if finished_at(job) is None]
        done = [job for job in jobs if condition_of(job, "Complete").get("status") == "True"]
        ends = [str(child(job, "status").get("completionTime") or "") for job in done]
        if any(ends):
            status["lastSuccessfulTime"] = max([*ends, str(status.get("lastSuccessfulTime") or "")])
        following = None
        if not spec.get("suspend"):
            plan, zone = schedule(str(spec.get("schedule"))), _zone(spec)
            last = plan.last(now, zone)
            if last and last > self._since(owner, now) and (made := self._make(owner, active, last.astimezone(UTC))):
                active = [made] if spec.get("concurrencyPolicy") == "Replace" else [*active, made]
                status["lastScheduleTime"] = timestamp(last.astimezone(UTC))
            following = plan.next(now, zone)
        status.pop("active", None)
        if active:
            status["active"] = [_reference(job) for job in active]
        self._world.write_status(CRON_JOBS, owner, status)
        return following

    def _since(self, owner: Json, now: datetime) -> datetime:
        """From when on a run counts as missed."""
        last = child(owner, "status").get("lastScheduleTime") or child(owner, "metadata").get("creationTimestamp")
        deadline = child(owner, "spec").get("startingDeadlineSeconds")
        begin = parse_timestamp(str(last))
        return begin if deadline is None else max(begin, now - timedelta(seconds=int(deadline)))

    def _make(self, owner: Json, active: list[Json], at: datetime) -> Json | None:
        """Make the Job of a time, unless another one may not run beside it."""
        policy, name = child(owner, "spec").get("concurrencyPolicy"), f"{name_of(owner)}-{int(at.timestamp()) // 60}"
        if (active and policy == "Forbid") or self._world.store.get(JOBS, namespace_of(owner), name) is not None:
            return None
        if policy == "Replace":
            for one in active:
                delete(self._world, JOBS, one, HowToDelete())
        template = clone(child(owner, "spec", "jobTemplate"))
        metadata = {**child(template, "metadata"), **self._world.new_metadata(name, namespace_of(owner))}
        metadata["annotations"] = {**child(template, "metadata", "annotations"), _SCHEDULED_AT: timestamp(at)}
        metadata |= {"generation": 1, "ownerReferences": [owner_reference(CRON_JOBS, owner)]}
        job: Json = {"apiVersion": JOBS.api_version, "kind": JOBS.kind, "metadata": metadata}
        job["spec"] = child(template, "spec")
        set_defaults(JOBS, job)
        self._world.record(CRON_JOBS, owner, "Normal", "SuccessfulCreate", f"Created job {name}", _NAME)
        return self._world.store.put(JOBS, job)

    def _forget(self, owner: Json, jobs: list[Json]) -> None:
        """Delete the oldest Jobs that ended, beyond what the CronJob keeps."""
        limits = (("Complete", "successfulJobsHistoryLimit"), ("Failed", "failedJobsHistoryLimit"))
        for kind, field in limits:
            ended = [job for job in jobs if condition_of(job, kind).get("status") == "True" and not is_deleting(job)]
            ended.sort(key=lambda job: (str(job["metadata"].get("creationTimestamp")), name_of(job)))
            kept = int(child(owner, "spec").get(field, 1))
            for job in ended[: max(0, len(ended) - kept)]:
                delete(self._world, JOBS, job, HowToDelete())


def _zone(spec: Json) -> tzinfo:
    name = str(spec.get("timeZone") or "")
    return ZoneInfo(name) if name else UTC


def _reference(job: Json) -> Json:
    return {
        "apiVersion": JOBS.api_version,
        "kind": JOBS.kind,
        "name": name_of(job),
        "namespace": namespace_of(job),
        "uid": uid_of(job),
        "resourceVersion": str(child(job, "metadata").get("resourceVersion") or ""),
    }
