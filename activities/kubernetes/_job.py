"""What the actions on Jobs share: the state of one in a word, its pods, and how those ended."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, TypeAlias

from activities.kubernetes._told import said
from halon.clients.kubernetes.api import MAX_ITEMS, Cluster
from halon.clients.kubernetes.objects import ContainerStatus, Pod
from halon.clients.kubernetes.workloads import Job
from halon.kit.action import Output

JobWord: TypeAlias = Literal["running", "suspended", "complete", "failed"]
_STARTS = frozenset({"", "ContainerCreating", "PodInitializing"})
"""What a container waits in that is no error."""


class PodError(Output):
    """How a container of a pod ended or why it cannot start, or why its pod does not run."""

    pod: str
    container: str
    """Empty when it is about the pod, such as one that no node takes."""
    reason: str
    """Such as `Error`, `OOMKilled`, `ImagePullBackOff`, `Unschedulable` or `Evicted`."""
    exit_code: int | None
    """Null when it did not end."""
    message: str
    """What looks like a secret is masked."""
    ended_at: datetime | None
    """Null when it did not end."""


def word(job: Job) -> JobWord:
    """How the Job is, in a word: one that has ended stays ended, whatever else is asked of it."""
    ended = job.ended
    if ended is not None:
        return "failed" if ended.type == "Failed" else "complete"
    return "suspended" if job.spec.suspend else "running"


async def pods_of(api: Cluster, job: Job) -> tuple[Pod, ...]:
    """Read the pods that a Job controls, at most 2,000 of those that it selects."""
    selector = str(job.spec.selector)
    if not selector:
        return ()
    found = await api.pods(job.metadata.namespace, selector, most=MAX_ITEMS)
    uid = job.metadata.uid
    return tuple(one for one in found if one.metadata.controller is not None and one.metadata.controller.uid == uid)


def errors(pods: Sequence[Pod], most: int) -> tuple[PodError, ...]:
    """What went wrong in the pods, the newest first: one error a container, and at most so many."""
    found = [(_when(pod, one), one) for pod in pods for one in _errors(pod)]
    found.sort(key=lambda pair: (pair[0], pair[1].pod, pair[1].container), reverse=True)
    return tuple(one for _, one in found[:most])


def _when(pod: Pod, error: PodError) -> str:
    at = error.ended_at or pod.metadata.creation_timestamp
    return at.isoformat() if at else ""


def _errors(pod: Pod) -> list[PodError]:
    name, status = pod.metadata.name, pod.status
    found = [error for one in pod.containers if (error := _of_container(name, one))]
    if found or status.phase == "Succeeded":
        return found
    why = [(status.reason, status.message)] if status.reason else _unscheduled(pod)
    return [
        PodError(pod=name, container="", reason=reason, exit_code=None, message=said(message), ended_at=None)
        for reason, message in why
    ]


def _unscheduled(pod: Pod) -> list[tuple[str, str]]:
    conditions = (one for one in pod.status.conditions if one.type == "PodScheduled" and one.status == "False")
    return [(one.reason, one.message) for one in conditions]


def _of_container(pod: str, one: ContainerStatus) -> PodError | None:
    """Its present end or else its last one, when that was an error; otherwise why it cannot start."""
    waiting = one.state.waiting
    ended = one.state.terminated or one.last_state.terminated
    if ended is not None and ended.exit_code:
        reason, message = ended.reason, ended.message
        if waiting is not None and waiting.reason not in {*_STARTS, "CrashLoopBackOff"}:
            reason, message = waiting.reason, waiting.message
        return PodError(
            pod=pod,
            container=one.name,
            reason=reason,
            exit_code=ended.exit_code,
            message=said(message),
            ended_at=ended.finished_at,
        )
    if waiting is not None and waiting.reason not in _STARTS:
        return PodError(
            pod=pod,
            container=one.name,
            reason=waiting.reason,
            exit_code=None,
            message=said(waiting.message),
            ended_at=None,
        )
    return None
