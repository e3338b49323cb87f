"""Times as people read them at night: in UTC, and how far from now."""

from datetime import UTC, datetime, timedelta

_JUST = timedelta(seconds=5)
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def clock_text(at: datetime, now: datetime) -> str:
    """Write a time in UTC; the day only when it is another one."""
    utc = at.astimezone(UTC)
    day = "" if utc.date() == now.astimezone(UTC).date() else f"{utc:%Y-%m-%d} "
    return f"{day}{utc:%H:%M:%S} UTC"


def iso_text(at: datetime) -> str:
    """Write a time for machines."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def distance_text(at: datetime, now: datetime) -> str:
    """Write how far a time is from now: `5 min ago`, `in 24 min`, `now`."""
    away = at - now
    if abs(away) < _JUST:
        return "now"
    span = span_text(abs(away))
    return f"in {span}" if away > timedelta() else f"{span} ago"


def span_text(span: timedelta) -> str:
    """Write a span with the unit that matters, and the next one where one alone would hide half of it."""
    seconds = round(span.total_seconds())
    for number, (size, unit) in enumerate(_UNITS):
        if seconds >= size:
            whole, rest = divmod(seconds, size)
            following = _UNITS[number + 1 :][:1] if unit in {"d", "h"} and whole < 10 else ()  # noqa: PLR2004  # one digit
            more = [f"{rest // smaller} {name}" for smaller, name in following if rest // smaller]
            return " ".join([f"{whole} {unit}", *more])
    return "0 s"
