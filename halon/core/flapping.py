"""Conditions that come and go: what counts as a change, and when there are so many that nobody should trust them. Pure.

A condition is what a source names by its fingerprint. It changes when it resolves, when it fires again, and when a new
episode of it begins although nobody said that the one before had ended.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from halon.contracts.alert import Alert, AlertStatus
from halon.contracts.base import format_duration
from halon.contracts.past import MAX_CHANGES, ConditionState, Sighting

CHANGES = 4
"""So many changes within `WITHIN` are flapping: the condition came for the third time."""
WITHIN = timedelta(minutes=15)
MAX_CONDITIONS = 1000
"""Conditions that an incident follows; further ones are not looked at."""


def sighting(alert: Alert, at: datetime) -> Sighting:
    """Give what an alert says of its condition."""
    firing = alert.status is AlertStatus.FIRING
    return Sighting(condition=alert.condition, firing=firing, starts_at=alert.starts_at, at=at, undated=alert.undated)


def heard(past: ConditionState | None, seen: Sighting) -> ConditionState:
    """Give how a condition stands after it was heard of. A late word about an earlier episode says nothing new."""
    if past is None:
        return ConditionState(
            condition=seen.condition, firing=seen.firing, starts_at=seen.starts_at, since=seen.at, changes=()
        )
    if seen.starts_at < past.starts_at and not seen.undated:
        return past
    turned = seen.firing != past.firing
    anew = seen.firing and not seen.undated and seen.starts_at > past.starts_at
    if not turned and not anew:
        return past.model_copy(update={"starts_at": seen.starts_at})
    return ConditionState(
        condition=past.condition,
        firing=seen.firing,
        starts_at=seen.starts_at,
        since=seen.at if turned else past.since,
        changes=(*past.changes, seen.at)[-MAX_CHANGES:],
    )


def recent_changes(state: ConditionState, now: datetime) -> int:
    """Count the changes within the window that ends now."""
    return sum(1 for at in state.changes if at >= now - WITHIN)


def flaps(state: ConditionState, now: datetime) -> bool:
    """Whether the condition flaps now."""
    return recent_changes(state, now) >= CHANGES


class Conditions:
    """The conditions of one incident, as its workflow hears of them."""

    def __init__(self) -> None:
        self._states: dict[str, ConditionState] = {}
        self._names: dict[str, str] = {}
        self._resolved: dict[str, Sighting] = {}
        self._unsaved: dict[str, None] = {}

    def recall(self, states: Iterable[ConditionState]) -> None:
        """Take in what the store remembers of conditions that this incident has not heard of yet."""
        for state in states:
            self._states.setdefault(state.condition, state)

    def hear(self, alert: Alert, now: datetime) -> None:
        """Note how a condition of this incident stands now."""
        seen = sighting(alert, now)
        past = self._states.get(seen.condition)
        if past is None and len(self._states) >= MAX_CONDITIONS:
            return
        self._states[seen.condition] = heard(past, seen)
        self._names[seen.condition] = alert.name
        self._unsaved[seen.condition] = None

    def hear_resolved(self, alert: Alert, now: datetime) -> None:
        """Note that a condition resolved which an earlier incident of the group had taken up."""
        seen = sighting(alert, now)
        if seen.condition in self._names:
            self.hear(alert, now)
        elif len(self._resolved) < MAX_CONDITIONS:
            self._resolved[seen.condition] = seen
            self._unsaved[seen.condition] = None

    def has_resolved(self, condition: str) -> bool:
        """Whether the condition was heard to have resolved while this incident was open."""
        if condition in self._names:
            return not self._states[condition].firing
        return condition in self._resolved

    def flapping(self, now: datetime) -> Sequence[tuple[str, int]]:
        """Give the alerts that flap now, by name, with how often each changed within the window."""
        found = [(name, self._states[condition]) for condition, name in self._names.items()]
        return [(name, recent_changes(state, now)) for name, state in found if flaps(state, now)]

    def unsaved(self) -> tuple[tuple[ConditionState, ...], tuple[Sighting, ...]]:
        """Hand over what changed since the last call, for the store: states, and ends of what it alone remembers."""
        states = tuple(self._states[one] for one in self._unsaved if one in self._names)
        resolved = tuple(self._resolved[one] for one in self._unsaved if one not in self._names)
        self._unsaved.clear()
        return states, resolved


def flapping_text(name: str, changes: int) -> str:
    """Say that an alert flaps."""
    return f"Alert {name} flaps: it changed {changes} times within {format_duration(WITHIN)}"
