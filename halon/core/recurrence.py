"""What follows when a group fires that fired before: reopen its incident, leave it be for a while, or begin anew. Pure.

Each decision gives its reason, which goes into the audit.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from halon.contracts.base import format_duration
from halon.contracts.outcome import Outcome
from halon.contracts.past import EarlierIncident, GroupPast
from halon.contracts.playbook import After, Once, Trigger
from halon.core.ids import MAX_RUNS

NAMED_WITHIN = timedelta(days=1)
"""How long a new incident names the one before it."""
MAX_WINDOWS = 12
"""After so many times `within` an incident gives up waiting for the alerts that `after` asks for."""


def reopens(trigger: Trigger, past: GroupPast, now: datetime) -> EarlierIncident | None:
    """Give the incident that goes on when the group fires now; None when a new one opens."""
    settled = past.settled
    if settled is None or settled.runs >= MAX_RUNS or not Outcome(settled.outcome).success:
        return None
    return settled if now - settled.at < trigger.reopen_within else None


def recurrence(trigger: Trigger, past: GroupPast, now: datetime, incident: str) -> str:
    """Say that the remedy did not last, when the group fires again soon after it was remediated. Otherwise empty.

    The sentence names the run, so that each recurrence is told from the one before.
    """
    settled = past.settled
    if settled is None or settled.outcome != Outcome.REMEDIATED.value or now - settled.at >= trigger.reopen_within:
        return ""
    whose = "this incident" if settled.incident == incident else f"incident {settled.incident}"
    return f"the alert fired again {_ago(settled.at, now)} after run {settled.runs} of {whose} ended as remediated"


def throttled(trigger: Trigger, past: GroupPast, now: datetime, has_resolved: Callable[[str], bool]) -> str:
    """Say why `once` lets no run start now; empty text when one may.

    `has_resolved` tells of a condition whether it resolved since `past` was read.
    """
    acted, once = past.acted, trigger.once
    if once is None or acted is None:
        return ""
    who = f"incident {acted.incident} acted {_ago(acted.at, now)} ago"
    if isinstance(once, Once):
        until = acted.at + once.within
        if now >= until:
            return ""
        return f"{who}, and the trigger asks for one run within {format_duration(once.within)}: not before {_at(until)}"
    still = [condition for condition in past.unresolved if not has_resolved(condition)]
    if not still:
        return ""
    count = "1 alert" if len(still) == 1 else f"{len(still)} alerts"
    return f"{who}, and the trigger asks for one run until resolved: {count} of the group did not resolve since"


def in_window(after: After, fired: Sequence[datetime], now: datetime) -> int:
    """Count the alerts that came within the window that ends now."""
    return sum(1 for at in fired if at > now - after.within)


def most_in_window(after: After, fired: Sequence[datetime]) -> int:
    """Count the alerts in the fullest window that there was."""
    return max((in_window(after, fired[: index + 1], at) for index, at in enumerate(fired)), default=0)


def window_left(after: After, fired: Sequence[datetime], opened: datetime, now: datetime) -> timedelta:
    """Give how long to wait for more alerts: until the oldest that counts is out of the window. Zero is 'no longer'."""
    counted = [at for at in fired if at > now - after.within]
    if not counted:
        return timedelta()
    end = min(counted[0] + after.within, opened + MAX_WINDOWS * after.within)
    return max(timedelta(), end - now)


def reopened_text(settled: EarlierIncident, now: datetime) -> str:
    """Say that an incident goes on."""
    how_often = _ordinal(settled.reopened + 1)
    return f"Fires again {_ago(settled.at, now)} after it ended as {settled.outcome}: reopened for the {how_often} time"


def predecessor_text(past: GroupPast, now: datetime) -> str:
    """Name the group's incident before a new one, when it is not long ago; otherwise empty."""
    previous = past.previous
    if previous is None or now - previous.at > NAMED_WITHIN:
        return ""
    return f"; the one before it, {previous.incident}, ended as {previous.outcome} {_ago(previous.at, now)} ago"


def _ago(then: datetime, now: datetime) -> str:
    """How long ago, in whole seconds, and in whole minutes after the first hour."""
    age = max(timedelta(), now - then)
    unit = timedelta(minutes=1) if age >= timedelta(hours=1) else timedelta(seconds=1)
    return format_duration(age // unit * unit)


def _at(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S} UTC"


def _ordinal(number: int) -> str:
    teens = 10 <= number % 100 <= 20  # noqa: PLR2004  # eleventh, twelfth, thirteenth
    return f"{number}{'th' if teens else {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th')}"
