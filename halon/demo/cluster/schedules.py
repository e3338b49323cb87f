"""When a CronJob is due: cron's five fields, with lists, ranges, steps and names, or a word such as `@daily`. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Literal

_WORDS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_BOUNDS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
_FIELDS = len(_BOUNDS)
_SUNDAY = 7
_FURTHEST = 366 * 8
"""Days that are looked through: the 29th of February comes at least so often."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """When something is due. Days of the month and of the week are alternatives where both are given."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either_day: bool

    def next(self, moment: datetime, zone: tzinfo) -> datetime | None:
        """When it is due next after a moment; None when never, such as on the 30th of February."""
        return next((one for one in self._around(moment, zone, 1) if one > moment), None)

    def last(self, moment: datetime, zone: tzinfo) -> datetime | None:
        """When it was due last, up to a moment."""
        return next((one for one in self._around(moment, zone, -1) if one <= moment), None)

    def _around(self, moment: datetime, zone: tzinfo, way: Literal[1, -1]) -> Iterator[datetime]:
        """Give the moments at which it is due, from the day of this one on, or back."""
        today = moment.astimezone(zone).date()
        for distance in range(_FURTHEST):
            day = today + way * timedelta(days=distance)
            if self._falls_on(day):
                for hour in self.hours[::way]:
                    for minute in self.minutes[::way]:
                        yield datetime.combine(day, time(hour, minute), tzinfo=zone)

    def _falls_on(self, day: date) -> bool:
        by_month, by_week = day.day in self.days, day.isoweekday() % _SUNDAY in self.weekdays
        fits = by_month or by_week if self.either_day else by_month and by_week
        return day.month in self.months and fits


def schedule(text: str) -> Schedule:
    """Read a schedule.

    Raises:
        ValueError: it is none.
    """
    parts = _WORDS.get(text, text).lower().split()
    if len(parts) != _FIELDS:
        raise ValueError(f"expected exactly 5 fields, found {len(parts)}: [{text}]")
    sets = [_field(part, *bounds) for part, bounds in zip(parts, _BOUNDS, strict=True)]
    minutes, hours, days, months, weekdays = sets
    either = not parts[2].startswith(("*", "?")) and not parts[4].startswith(("*", "?"))
    return Schedule(
        minutes=tuple(sorted(minutes)),
        hours=tuple(sorted(hours)),
        days=frozenset(days),
        months=frozenset(months),
        weekdays=frozenset(one % _SUNDAY for one in weekdays),
        either_day=either,
    )


def _field(text: str, low: int, high: int) -> set[int]:
    found: set[int] = set()
    for part in text.split(","):
        extent, _, step = part.partition("/")
        first, _, last = extent.partition("-")
        if extent in {"*", "?"}:
            begin, end = low, high
        else:
            begin = _number(first)
            end = _number(last) if last else (high if step else begin)
        width = int(step) if step else 1
        if not low <= begin <= end <= high or width < 1:
            raise ValueError(f"{part} is not within {low} to {high}")
        found |= set(range(begin, end + 1, width))
    return found


def _number(text: str) -> int:
    if text in _MONTHS:
        return _MONTHS.index(text) + 1
    return _DAYS.index(text) if text in _DAYS else int(text)
