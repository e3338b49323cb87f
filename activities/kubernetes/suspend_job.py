"""Stop a Job's pods and let it run none, until it is resumed."""

from collections.abc import Sequence
from typing import ClassVar

from activities.kubernetes import resume_job  # the two undo each other
from activities.kubernetes._suspend import OfJob, SeenJob
from activities.kubernetes._told import controller
from halon.contracts.base import JsonObject
from halon.contracts.plan import Settlement


class SuspendJob(OfJob):
    """Suspend a Job: its running pods are deleted, and it makes none until it is resumed.

    What those pods have done and not kept is lost; pods that ended well still count, and those that are stopped do not
    count as failures. A Job that has ended is refused. Its undo resumes it: its pods start anew.
    """

    suspends: ClassVar[bool] = True

    def notes(self, state: SeenJob) -> Sequence[str]:
        """Say what is lost, and who may bring it back."""
        job = state.job
        lost = "what they have done and not kept is lost"
        stopped = (f"pods of it that run are deleted: {job.status.active}; {lost}",) if job.status.active else ()
        return (*stopped, *_deadline(state), *_made_by(state))

    def settled(self, state: SeenJob, after: JsonObject) -> Settlement:
        """Whether the controller has taken it up and its pods are gone."""
        if state.owned != after:
            return Settlement(state="broken", reason=f"somebody resumed {state.title}, or replaced it, meanwhile")
        job = state.job
        if job.ended is not None:
            return Settlement(state="settled", reason=f"{state.title} ended before its pods were stopped")
        if job.condition("Suspended") is None:
            return Settlement(state="waiting", reason="the controller has not taken it up yet")
        left = job.status.active + job.status.terminating
        if left:
            return Settlement(state="waiting", reason=f"{left} of its pods have not stopped yet")
        return Settlement(state="settled", reason=f"{state.title} is suspended, and none of its pods runs")

    def undo(self, before: JsonObject, after: JsonObject) -> "resume_job.ResumeJob":
        """Resume it."""
        return resume_job.ResumeJob.model_validate(self.backwards())


def _deadline(state: SeenJob) -> tuple[str, ...]:
    seconds = state.job.spec.active_deadline_seconds
    return () if seconds is None else (f"its deadline of {seconds} seconds begins anew when it is resumed",)


def _made_by(state: SeenJob) -> tuple[str, ...]:
    """Say what its controller does about it."""
    owner = state.metadata.controller
    if owner is None:
        return ()
    if owner.kind != "CronJob":
        return (f"controlled by {controller(state.metadata)}, which may resume it",)
    says = "goes on making Jobs, unless it forbids two at a time: a suspended one counts as one that runs"
    return (f"its CronJob {owner.name} {says}",)
