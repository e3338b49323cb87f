"""Let a CronJob make no more Jobs."""

from collections.abc import Sequence
from typing import ClassVar

from activities.kubernetes import resume_cronjob  # the two undo each other
from activities.kubernetes._suspend import OfCronJob, SeenCronJob
from halon.contracts.base import JsonObject
from halon.contracts.plan import Settlement


class SuspendCronjob(OfCronJob):
    """Let a CronJob make no more Jobs until it is resumed; those that it has made go on.

    `kubernetes.suspend_job` suspends one that runs. Its undo resumes the CronJob.
    """

    suspends: ClassVar[bool] = True

    def notes(self, state: SeenCronJob) -> Sequence[str]:
        """Say what goes on, and what is left out."""
        running = len(state.cronjob.status.active)
        going = (f"Jobs of it that have not ended go on: {running}",) if running else ()
        return (*going, f"its runs at '{state.cronjob.spec.schedule}' are left out until it is resumed")

    def settled(self, state: SeenCronJob, after: JsonObject) -> Settlement:
        """Whether it is still so."""
        if state.owned == after:
            return Settlement(state="settled", reason=f"{state.title} is suspended")
        return Settlement(state="broken", reason=f"somebody resumed {state.title}, or replaced it, meanwhile")

    def undo(self, before: JsonObject, after: JsonObject) -> "resume_cronjob.ResumeCronjob":
        """Resume it."""
        return resume_cronjob.ResumeCronjob.model_validate(self.backwards())
