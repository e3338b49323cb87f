"""What is remembered of a group from one incident to the next: how its conditions stand, and who acted last."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from halon.contracts.base import Contract

MAX_CHANGES = 16
"""Times of changes that are kept of a condition; enough to tell that it flaps, and how much."""


class Sighting(Contract):
    """One time that a condition was heard of."""

    condition: str
    """`Alert.condition`."""
    firing: bool
    starts_at: datetime
    """When the episode that it belongs to began, by the source's clock."""
    at: datetime
    """When it was heard of."""
    undated: bool = False
    """Whether `starts_at` is only when the source last spoke of it: a later one is then no new episode."""


class ConditionState(Contract):
    """How a condition last stood, and when it changed."""

    condition: str
    firing: bool
    starts_at: datetime
    """Beginning of its last episode, by the source's clock."""
    since: datetime
    """Since when it fires, or is resolved, without a break."""
    changes: Annotated[tuple[datetime, ...], Field(max_length=MAX_CHANGES)] = ()
    """When it began, or began anew, or resolved; the last ones, oldest first. Its first beginning is no change."""


class EarlierIncident(Contract):
    """An incident of the same group that came before."""

    incident: str
    outcome: str
    at: datetime
    opened_at: datetime
    reopened: int = 0
    runs: int = 0


class GroupPast(Contract):
    """What a new incident must know of the group's incidents before it."""

    previous: EarlierIncident | None = None
    """The last one that closed; `at` says when."""
    settled: EarlierIncident | None = None
    """The last one that came to an end of its own, by a run or because its alerts cleared; `at` says when, `outcome`
    how. One that was refused before any run is not meant."""
    acted: EarlierIncident | None = None
    """The last one that started a run; `at` says when."""
    unresolved: tuple[str, ...] = ()
    """Conditions that fired before the last run ended and have not resolved since."""
