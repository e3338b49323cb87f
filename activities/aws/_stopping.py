"""What the actions that stop work share: its state, which only goes one way, and how that is told."""

from collections.abc import Mapping
from typing import Literal, TypeAlias

from halon.contracts.base import JsonObject
from halon.contracts.plan import Row, Settlement
from halon.kit.action import Nothing, NoUndo, Proposal, State

Phase: TypeAlias = Literal["open", "stopped", "succeeded", "failed"]


class Work(State):
    """Something that runs until it ends."""

    phase: Phase
    status: str
    """AWS's own word."""
    ended: bool
    """Whether AWS is done with it; a stop may take a while."""
    key: str = ""
    """Halon's mark, where the stop leaves one."""

    @property
    def owned(self) -> JsonObject:
        """What a stop changes."""
        return {"phase": self.phase}


def phase_of(status: str, phases: Mapping[str, Phase]) -> Phase:
    """Read a state; one that is not known is taken for open, so that nobody believes that it has ended."""
    return phases.get(status, "open")


def stopping(work: Work, title: str, lost: str) -> Proposal | Nothing:
    """Propose to stop it, unless it has ended."""
    if work.phase != "open":
        return Nothing(f"{title} has ended already: {work.status}")
    return Proposal(
        summary=f"Stop {title}, which is {work.status}",
        before=work.owned,
        after={"phase": "stopped"},
        rows=[Row(field="state", before=work.status, after="stopped")],
        notes=[lost],
    )


def stopped(work: Work) -> Settlement:
    """Whether it has come to its end."""
    if work.phase == "open":
        return Settlement(state="waiting", reason=f"it is {work.status}")
    if work.phase != "stopped":
        return Settlement(state="broken", reason=f"it ended by itself meanwhile: {work.status}")
    return Settlement(state="settled" if work.ended else "waiting", reason=f"it is {work.status}")


STAYS_STOPPED = NoUndo("what was stopped does not go on: start it anew when that is wanted")
