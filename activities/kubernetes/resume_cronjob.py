"""Let a suspended CronJob make Jobs again."""

from collections.abc import Sequence
from typing import ClassVar

from activities.kubernetes import suspend_cronjob  # the two undo each other
from activities.kubernetes._suspend import OfCronJob, SeenCronJob
from halon.contracts.base import JsonObject
from halon.contracts.plan import Settlement


class ResumeCronjob(OfCronJob):
    """Let a suspended CronJob make Jobs again. A run that it missed meanwhile may start at once, as the plan says.

    Its undo suspends it again; Jobs that it has made by then go on.
    """

    suspends: ClassVar[bool] = False

    def notes(self, state: SeenCronJob) -> Sequence[str]:
        """Say what may start at once: the controller makes up for the last run that is not too late."""
        spec = state.cronjob.spec
        deadline = spec.starting_deadline_seconds
        missed = "it missed while it was suspended"
        late = missed if deadline is None else f"{missed}, unless it is more than {deadline} seconds late,"
        return (f"it makes Jobs at '{spec.schedule}' again", f"the last run that {late} starts at once")

    def settled(self, state: SeenCronJob, after: JsonObject) -> Settlement:
        """Whether it is still so."""
        if state.owned == after:
            return Settlement(state="settled", reason=f"{state.title} makes Jobs again")
        return Settlement(state="broken", reason=f"somebody suspended {state.title}, or replaced it, meanwhile")

    def undo(self, before: JsonObject, after: JsonObject) -> "suspend_cronjob.SuspendCronjob":
        """Suspend it again."""
        return suspend_cronjob.SuspendCronjob.model_validate(self.backwards())
