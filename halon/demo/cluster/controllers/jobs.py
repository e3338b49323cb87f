"""The Job controller: pods until enough have succeeded, or too many have failed; suspension; clean-up by age."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from halon.demo.cluster.controllers.pods import has_ended, kept_pods, new_pod, owned_pods
from halon.demo.cluster.controllers.quotas import Room
from halon.demo.cluster.deletion import HowToDelete, delete
from halon.demo.cluster.objects import (
    Json,
    child,
    clone,
    condition_of,
    is_deleting,
    is_pod_ready,
    name_of,
    objects,
    parse_timestamp,
    random_suffix,
    uid_of,
)
from halon.demo.cluster.resources import JOBS, PODS
from halon.demo.cluster.world import World, set_condition

_NAME = "job-controller"
_BACKOFF_LIMIT = 6


class Jobs:
    """Runs Jobs. What a pod came to counts once, also when the pod is deleted afterwards."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._outcomes: dict[str, dict[str, str]] = {}
        """Phase by pod, by Job: of the pods that have ended."""
        self._due: list[datetime] = []
        self._room = Room(world, JOBS, _NAME)

    def reconcile(self) -> datetime | None:
        """Bring every Job one step further."""
        self._due = []
        jobs = self._world.store.items(JOBS)
        alive = {uid_of(job) for job in jobs}
        self._outcomes = {uid: phases for uid, phases in self._outcomes.items() if uid in alive}
        owned = owned_pods(self._world)
        for job in jobs:
            if is_deleting(job):
                continue
            if finished_at(job) is not None:
                self._clean_up(job)
            else:
                self._reconcile(job, kept_pods(self._world, JOBS, job, owned[uid_of(job)]))
        return min(self._due, default=None)

    def _clean_up(self, job: Json) -> None:
        """Delete a Job that has ended, once its `ttlSecondsAfterFinished` is over."""
        kept, ended = child(job, "spec").get("ttlSecondsAfterFinished"), finished_at(job)
        if kept is None or ended is None:
            return
        until = ended + timedelta(seconds=int(kept))
        if self._world.now() < until:
            self._due.append(until)
        else:
            delete(self._world, JOBS, job, HowToDelete(propagation="Foreground"))

    def _reconcile(self, job: Json, pods: list[Json]) -> None:
        outcomes = self._outcomes.setdefault(uid_of(job), {})
        outcomes.update({uid_of(pod): str(child(pod, "status").get("phase")) for pod in pods if has_ended(pod)})
        active = [pod for pod in pods if not has_ended(pod) and not is_deleting(pod)]
        phases = list(outcomes.values())
        succeeded, failed = phases.count("Succeeded"), phases.count("Failed")
        spec, status = child(job, "spec"), clone(child(job, "status"))
        why = self._failure(job, active, failed)
        if why is not None:
            self._delete(job, active)
            self._end(status, ("FailureTarget", "Failed"), why)
            self._world.record(JOBS, job, "Warning", why[0], why[1], _NAME)
        elif _is_complete(spec, succeeded, len(active)):
            reached = ("CompletionsReached", "Reached expected number of succeeded pods")
            self._end(status, ("SuccessCriteriaMet", "Complete"), reached)
            status["completionTime"] = self._world.stamp()
            self._world.record(JOBS, job, "Normal", "Completed", "Job completed", _NAME)
        else:
            active = self._run(job, status, active, _wanted(spec, succeeded, len(active)))
        counts = {
            "active": 0 if finished_at({"status": status}) else len(active),
            "ready": sum(1 for pod in active if is_pod_ready(pod)),
            "succeeded": succeeded,
            "failed": failed,
            "terminating": sum(1 for pod in owned_pods(self._world)[uid_of(job)] if is_deleting(pod)),
        }
        for key, count in counts.items():
            status.pop(key, None)
            if count or key in {"ready", "terminating"}:
                status[key] = count
        self._world.write_status(JOBS, job, status)

    def _run(self, job: Json, status: Json, active: list[Json], wanted: int) -> list[Json]:
        """Suspend or resume a Job, and give it the pods that it may have."""
        spec, now = child(job, "spec"), self._world.stamp()
        suspended = condition_of(job, "Suspended").get("status") == "True"
        if spec.get("suspend"):
            self._delete(job, active)
            if not suspended:
                condition = {"type": "Suspended", "status": "True", "reason": "JobSuspended"}
                set_condition(status, {**condition, "message": "Job suspended", "lastProbeTime": now}, now)
                self._world.record(JOBS, job, "Normal", "Suspended", "Job suspended", _NAME)
            status.pop("startTime", None)
            return []
        if suspended:
            condition = {"type": "Suspended", "status": "False", "reason": "JobResumed"}
            set_condition(status, {**condition, "message": "Job resumed", "lastProbeTime": now}, now)
            self._world.record(JOBS, job, "Normal", "Resumed", "Job resumed", _NAME)
        status.setdefault("startTime", now)
        self._delete(job, active[wanted:])
        return active[:wanted] + list(self._made(job, wanted - len(active)))

    def _failure(self, job: Json, active: list[Json], failed: int) -> tuple[str, str] | None:
        """Say why a Job has failed for good, in the words of its condition; None when it has not."""
        spec = child(job, "spec")
        restarts = sum(
            int(container.get("restartCount", 0))
            for pod in active
            if child(pod, "spec").get("restartPolicy") == "OnFailure"
            for container in objects(pod, "status", "containerStatuses")
        )
        if failed + restarts > int(spec.get("backoffLimit", _BACKOFF_LIMIT)):
            return "BackoffLimitExceeded", "Job has reached the specified backoff limit"
        started, seconds = child(job, "status").get("startTime"), spec.get("activeDeadlineSeconds")
        if started and seconds is not None and not spec.get("suspend"):
            deadline = parse_timestamp(str(started)) + timedelta(seconds=int(seconds))
            if self._world.now() >= deadline:
                return "DeadlineExceeded", "Job was active longer than specified deadline"
            self._due.append(deadline)
        return None

    def _end(self, status: Json, kinds: tuple[str, ...], why: tuple[str, str]) -> None:
        now = self._world.stamp()
        for kind in kinds:
            condition = {"type": kind, "status": "True", "reason": why[0], "message": why[1], "lastProbeTime": now}
            set_condition(status, condition, now)

    def _made(self, job: Json, number: int) -> Iterator[Json]:
        """Make so many pods, or as many as there is room for."""
        for _ in range(number):
            name = f"{name_of(job)}-{random_suffix()}"
            pod = new_pod(self._world, JOBS, job, child(job, "spec", "template"), name)
            if self._room.lacks(job, pod):
                return
            self._world.record(JOBS, job, "Normal", "SuccessfulCreate", f"Created pod: {name}", _NAME)
            yield self._world.store.put(PODS, pod)

    def _delete(self, job: Json, pods: list[Json]) -> None:
        for pod in pods:
            delete(self._world, PODS, pod, HowToDelete())
            self._world.record(JOBS, job, "Normal", "SuccessfulDelete", f"Deleted pod: {name_of(pod)}", _NAME)


def _is_complete(spec: Json, succeeded: int, active: int) -> bool:
    """Whether enough pods have succeeded; of a work queue, whose size nobody knows, one has and the others ended."""
    completions = spec.get("completions")
    return bool(succeeded and not active) if completions is None else succeeded >= int(completions)


def _wanted(spec: Json, succeeded: int, active: int) -> int:
    """How many pods shall run; a work queue gets no new ones once one has succeeded."""
    completions, most = spec.get("completions"), int(spec.get("parallelism", 1))
    left = (active if succeeded else most) if completions is None else int(completions) - succeeded
    return min(most, left)


def finished_at(job: Json) -> datetime | None:
    """Give when a Job ended, in success or failure; None while it has not."""
    for kind in ("Complete", "Failed"):
        condition = condition_of(job, kind)
        if condition.get("status") == "True":
            return parse_timestamp(str(condition["lastTransitionTime"]))
    return None
