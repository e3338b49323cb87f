"""Duties with a deadline, such as telling an authority within 72 hours: reminders, and what is missed. Pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from halon.contracts.base import format_duration
from halon.contracts.communication import DeadlineRule
from halon.contracts.coordination import DeadlineState


class Word(NamedTuple):
    """Something to tell the people of a duty."""

    what: Literal["reminded", "missed"]
    left: str
    """How long they have, as people write it."""


def begun(rule: DeadlineRule, since: datetime) -> DeadlineState:
    """The duty, as it begins when the incident became known."""
    return DeadlineState(name=rule.name, title=rule.title, due=since + rule.within)


def _reminders(rule: DeadlineRule, state: DeadlineState) -> list[datetime]:
    """When people are reminded, in order. A reminder before the duty began is none."""
    began = state.due - rule.within
    return sorted({at for before in rule.remind if began < (at := state.due - before)})


def due_at(rule: DeadlineRule, state: DeadlineState) -> datetime | None:
    """When something is to be told next; None when nothing is."""
    if state.done_at is not None or state.missed:
        return None
    rest = _reminders(rule, state)[state.reminded :]
    return min([*rest, state.due])


def passed(rule: DeadlineRule, state: DeadlineState, now: datetime) -> tuple[DeadlineState, Word | None]:
    """What is to be told now. Reminders that were slept through come as one."""
    at = due_at(rule, state)
    if at is None or now < at:
        return state, None
    if state.due <= now:
        return state.model_copy(update={"missed": True}), Word("missed", _about(now - state.due))
    count = sum(1 for one in _reminders(rule, state) if one <= now)
    return state.model_copy(update={"reminded": count}), Word("reminded", _about(state.due - now))


def _about(span: timedelta) -> str:
    """A span as people say it: in whole minutes, which are rounded up."""
    return format_duration(timedelta(minutes=-(-span // timedelta(minutes=1))))


def done(states: Sequence[DeadlineState], name: str, by: str, comment: str, now: datetime) -> DeadlineState | str:
    """The duty as done, or why it cannot be. One that was missed can still be done, late."""
    state = next((one for one in states if one.name == name), None)
    if state is None:
        known = ", ".join(one.name for one in states) or "none"
        return f"this incident has no deadline {name}; it has: {known}"
    if state.done_at is not None:
        return f"{name} was done by {state.done_by} at {state.done_at:%Y-%m-%d %H:%M} UTC already"
    return state.model_copy(update={"done_by": by, "done_at": now, "comment": comment})
