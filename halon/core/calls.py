"""A call to people that waits for somebody to acknowledge, and goes to further people when nobody does. Pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from halon.contracts.communication import PageRule
from halon.contracts.coordination import AckState


class Rung(NamedTuple):
    """Who is called next."""

    to: tuple[str, ...]
    level: int


def called(rule: PageRule, now: datetime) -> AckState | None:
    """The clock when the rule's people have just been called; None when nobody needs to acknowledge."""
    if rule.acknowledge is None:
        return None
    return AckState(asked_at=now, due=now + rule.acknowledge.within)


def overdue(state: AckState | None, now: datetime) -> bool:
    """Whether nobody acknowledged in time."""
    return state is not None and not state.by and state.due is not None and state.due <= now


def climb(rule: PageRule, state: AckState, now: datetime) -> tuple[AckState, Rung | None]:
    """Go on to the next people. Without any, the call is given up: it was heard by nobody."""
    levels = rule.acknowledge.then if rule.acknowledge else ()
    if state.level >= len(levels):
        return state.model_copy(update={"due": None, "given_up": True}), None
    level = levels[state.level]
    changed = state.model_copy(update={"level": state.level + 1, "due": now + level.within})
    return changed, Rung(level.to, state.level + 1)


def acknowledged(state: AckState, by: str, now: datetime) -> AckState:
    """Somebody looks after it: the clock stands still, and nobody further is called."""
    return state.model_copy(update={"by": by, "at": now, "due": None})


def stopped(state: AckState | None) -> AckState | None:
    """The incident is over by itself: nobody needs to acknowledge any more."""
    return None if state is None else state.model_copy(update={"due": None})


def people_called(rule: PageRule, state: AckState | None) -> tuple[str, ...]:
    """Everybody who was called so far, each once, in order."""
    levels = rule.acknowledge.then if rule.acknowledge and state else ()
    further = [one for level in levels[: state.level if state else 0] for one in level.to]
    return tuple(dict.fromkeys([*rule.to, *further]))


def time_to_acknowledge(state: AckState) -> timedelta | None:
    """How long it took, when somebody did."""
    return state.at - state.asked_at if state.at else None


def earliest(times: Sequence[datetime | None]) -> datetime | None:
    """The first of some times."""
    return min((one for one in times if one is not None), default=None)
