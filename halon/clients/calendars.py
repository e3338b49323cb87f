"""Change freezes: single windows, windows that begin by cron, and iCalendar files, each in its own time zone.

A calendar is read when the process starts, and again when its file changes. One that cannot be read any more counts as
frozen: nobody knows what it says.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from fnmatch import fnmatchcase
from itertools import islice
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import recurring_ical_events  # type: ignore[import-untyped]  # theirs has no types
from cronsim import CronSim
from icalendar import Calendar
from icalendar.timezone import tzp

from halon.contracts.policy import Frozen
from halon.errors import Misconfigured
from halon.redaction import cut_text
from halon.settings.model import FreezeWindow

MAX_FILE = 1024 * 1024
MAX_EVENTS = 10_000
MAX_OCCURRENCES = 1000
"""Events of one calendar that touch a day."""
_DAY = timedelta(days=1)
_CLOCK_CHANGE = timedelta(hours=3)
"""More than any change of the clocks."""
_MAX_STEPS = 200
"""Windows that may begin within that time, one a minute, and some."""
_UNREAD = (-1, -1)
"""No version of a file."""


class Freezes:
    """Every freeze of an installation."""

    def __init__(self, windows: Sequence[FreezeWindow], *, readable: bool = True) -> None:
        """Read the calendars. Who only looks takes one that is not `readable` as well: it counts as frozen.

        Raises:
            Misconfigured: one cannot be read.
        """
        for one in windows:
            if readable and one.calendar is not None:
                _read(one.calendar, one.name)
        self._windows = [(one, _source(one)) for one in windows]

    def active(self, at: datetime, *, target: str, playbook: str) -> tuple[Frozen, ...]:
        """Give the freezes that are in force at this moment for a playbook on a target."""
        found: list[Frozen] = []
        for window, source in self._windows:
            if _covers(window.playbooks, playbook) and _covers_target(window.targets, target):
                frozen = source(at)
                if frozen is not None:
                    found.append(frozen)
        return tuple(found)

    def now(self, at: datetime) -> tuple[Frozen, ...]:
        """Give the freezes that are in force at this moment for anything."""
        return tuple(found for _, source in self._windows if (found := source(at)) is not None)


def _covers(globs: Sequence[str], name: str) -> bool:
    return not globs or any(fnmatchcase(name, one) for one in globs)


def _covers_target(prefixes: Sequence[str], target: str) -> bool:
    return not prefixes or any(target.startswith(one) or fnmatchcase(target, one) for one in prefixes)


def _source(window: FreezeWindow) -> Callable[[datetime], Frozen | None]:
    zone = ZoneInfo(window.timezone)
    if window.cron is not None and window.duration is not None:
        return lambda at: _by_cron(window, zone, at)
    if window.calendar is not None:
        return _CalendarFile(window, window.calendar, zone).at
    return lambda at: _once(window, at)


def _once(window: FreezeWindow, at: datetime) -> Frozen | None:
    if window.from_ is None or window.until is None or not window.from_ <= at < window.until:
        return None
    return Frozen(name=window.name, reason=window.reason, until=window.until)


def _by_cron(window: FreezeWindow, zone: ZoneInfo, at: datetime) -> Frozen | None:
    """The last window that has begun, when it goes on. A day of 23 or 25 hours is for the library to know."""
    assert window.cron is not None  # noqa: S101  # the caller has looked
    assert window.duration is not None  # noqa: S101
    # In the hour that comes twice the search backwards passes over what began in the first one: it starts later.
    found = CronSim(window.cron, (at + _CLOCK_CHANGE).astimezone(zone), reverse=True)
    begun = next((one for one in islice(found, _MAX_STEPS) if one.astimezone(UTC) <= at), None)
    if begun is None:
        return None
    until = (begun.astimezone(UTC) + window.duration).astimezone(zone)
    return Frozen(name=window.name, reason=window.reason, until=until) if begun <= at < until else None


@dataclass(frozen=True, slots=True)
class _Event:
    begins: datetime
    ends: datetime
    title: str


class _CalendarFile:
    """The events of an iCalendar file, a day at a time."""

    def __init__(self, window: FreezeWindow, path: Path, zone: ZoneInfo) -> None:
        self._window = window
        self._path = path
        self._zone = zone
        self._version: tuple[int, int] | None = _UNREAD
        self._calendar = Calendar()
        self._day: date | None = None
        self._events: list[_Event] = []

    def at(self, at: datetime) -> Frozen | None:
        """Give the event that covers this moment and ends last."""
        try:
            self._refresh(at)
        except Misconfigured as error:
            return Frozen(name=self._window.name, reason=f"{error}; as long as it cannot be read, all is frozen")
        covering = [one for one in self._events if one.begins <= at < one.ends]
        if not covering:
            return None
        last = max(covering, key=lambda one: one.ends)
        reason = ": ".join(one for one in (last.title, self._window.reason) if one)
        return Frozen(name=self._window.name, reason=reason, until=last.ends.astimezone(self._zone))

    def _refresh(self, at: datetime) -> None:
        version = _version(self._path)
        if version != self._version:
            self._calendar = _read(self._path, self._window.name)
            self._version, self._day = version, None
        day = at.astimezone(UTC).date()
        if day != self._day:
            self._events = self._on(day)
            self._day = day

    def _on(self, day: date) -> list[_Event]:
        return [
            _Event(
                moment(one.start, self._zone), moment(one.end, self._zone), cut_text(str(one.get("SUMMARY", "")), 200)
            )
            for one in events_around(self._calendar, day, f"the calendar {self._path}")
        ]


def _version(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


def _read(path: Path, name: str) -> Calendar:
    what = f"the calendar {path} of freeze {name}"
    return parse_calendar(read_calendar(path, what), what)


def read_calendar(path: Path, what: str) -> bytes:
    """Read a file; `what` names it in errors.

    Raises:
        Misconfigured: it cannot be read, or is too large.
    """
    try:
        with path.open("rb") as opened:
            raw = opened.read(MAX_FILE + 1)
    except OSError as error:
        raise Misconfigured(f"{what} cannot be read: {error.strerror}") from error
    if len(raw) > MAX_FILE:
        raise Misconfigured(f"{what} is larger than {MAX_FILE} bytes")
    return raw


def parse_calendar(raw: bytes, what: str) -> Calendar:
    """Parse a calendar whole; `what` names it in errors.

    Raises:
        Misconfigured: it is none, or has an event that cannot be read.
    """
    tzp.use_default()  # zones that another calendar has defined under the same name are not this one's
    try:
        calendar = Calendar.from_ical(raw)
    except (ValueError, IndexError, KeyError, UnicodeDecodeError) as error:
        raise Misconfigured(f"{what} is no iCalendar file: {error}") from error
    if str(calendar.name) != "VCALENDAR":
        raise Misconfigured(f"{what} does not begin with BEGIN:VCALENDAR")
    if raw.count(b"BEGIN:VEVENT") > MAX_EVENTS:
        raise Misconfigured(f"{what} has more than {MAX_EVENTS} events")
    for event in calendar.events:
        if event.errors:
            name, why = event.errors[0]
            raise Misconfigured(f"{what} has an event that cannot be read: {name}: {why}")
        begins: Any = event.get("DTSTART")
        if begins is not None and "TZID" in begins.params and getattr(begins.dt, "tzinfo", UTC) is None:
            raise Misconfigured(f"{what} uses time zone {begins.params['TZID']} and does not define it")
    return calendar


def events_around(calendar: Calendar, day: date, what: str) -> list[Any]:
    """Give the occurrences that touch a day in any time zone, without those that are cancelled.

    Raises:
        Misconfigured: there are too many, or one cannot be read.
    """
    midnight = datetime.combine(day, time(), UTC)
    try:
        found: list[Any] = recurring_ical_events.of(calendar).between(midnight - _DAY, midnight + 2 * _DAY)
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        raise Misconfigured(f"{what} has an event that cannot be read: {error}") from error
    if len(found) > MAX_OCCURRENCES:
        raise Misconfigured(f"{what} has more than {MAX_OCCURRENCES} events around {day}")
    return [one for one in found if str(one.get("STATUS", "")).upper() != "CANCELLED"]


def moment(value: date | datetime, zone: ZoneInfo) -> datetime:
    """Give a time as such. Whole days, and times without a zone, are those of `zone`."""
    at = value if isinstance(value, datetime) else datetime.combine(value, time())
    return at if at.tzinfo is not None else at.replace(tzinfo=zone)
