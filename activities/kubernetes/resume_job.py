"""Let a suspended Job run again."""

from collections.abc import Sequence
from typing import ClassVar

from activities.kubernetes import suspend_job  # the two undo each other
from activities.kubernetes._suspend import OfJob, SeenJob
from halon.contracts.base import JsonObject
from halon.contracts.plan import Settlement


class ResumeJob(OfJob):
    """Let a suspended Job run: its pods start anew, and so does its deadline.

    It is done when its pods are made. A Job that has ended is refused. Its undo suspends it again, and that deletes the
    pods that run by then.
    """

    suspends: ClassVar[bool] = False

    def notes(self, state: SeenJob) -> Sequence[str]:
        """Say what starts."""
        job = state.job
        wanted = "" if job.spec.completions is None else f"{job.status.succeeded} of {job.spec.completions} are done; "
        deadline = job.spec.active_deadline_seconds
        until = () if deadline is None else (f"from then on it has {deadline} seconds until its deadline",)
        return (f"{wanted}it runs up to {job.spec.parallelism} pods at a time", *until)

    def settled(self, state: SeenJob, after: JsonObject) -> Settlement:
        """Whether the controller has started it."""
        if state.owned != after:
            return Settlement(state="broken", reason=f"somebody suspended {state.title}, or replaced it, meanwhile")
        job = state.job
        if job.ended is not None:
            return Settlement(state="settled", reason=f"{state.title} ran and has ended: {job.ended.reason}")
        if job.condition("Suspended") is not None or job.status.start_time is None:
            return Settlement(state="waiting", reason="the controller has not started it yet")
        if job.spec.parallelism and not job.status.active:
            return Settlement(state="waiting", reason="it has no pods yet")
        return Settlement(state="settled", reason=f"{state.title} runs, with {job.status.active} pods")

    def undo(self, before: JsonObject, after: JsonObject) -> "suspend_job.SuspendJob":
        """Suspend it again."""
        return suspend_job.SuspendJob.model_validate(self.backwards())
