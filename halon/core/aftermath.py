"""What a terminated run has left behind, told from its attempts to write. Pure.

Such a run can neither undo nor say anything. Its history still holds each write that it asked for, and what came of it.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from halon.contracts.activity import ApplyRequest
from halon.contracts.aftermath import Aftermath, Remains
from halon.contracts.outcome import LeftInPlace
from halon.contracts.plan import Applied

IN_PLACE = "its run was ended by force"
UNKNOWN = "its run was ended by force, and whether it took effect is not known"
PERHAPS_BACK = "its run was ended by force, and whether it was put back is not known"


@dataclass(frozen=True, slots=True)
class Attempt:
    """A write that was asked for, and its answer; without one nobody knows whether it took effect."""

    request: ApplyRequest
    applied: Applied | None


def aftermath(attempts: Iterable[Attempt]) -> Aftermath:
    """Give the changes that are, or may be, still in place. A write that restores what one found takes it back."""
    found: list[Remains] = []
    for attempt in attempts:
        plan, applied = attempt.request.plan, attempt.applied
        if applied is not None and (applied.status not in {"applied", "already"} or not applied.ours):
            continue
        back = [one for one in found if one.left.target == plan.target and one.left.before == plan.after]
        if back:
            found.remove(back[-1])
            if applied is None:
                left = back[-1].left.model_copy(update={"reason": PERHAPS_BACK})
                found.append(back[-1].model_copy(update={"left": left}))
            continue
        left = LeftInPlace(
            step=attempt.request.step,
            target=plan.target,
            summary=plan.summary,
            before=plan.before,
            after=plan.after,
            reason=IN_PLACE if applied is not None else UNKNOWN,
        )
        found.append(Remains(key=attempt.request.key, left=left))
    return Aftermath(remains=tuple(found))
