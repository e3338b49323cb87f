"""Change freezes: by cron against a walk through the minutes, by calendar against what calendars really hold."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from halon.clients.calendars import Freezes
from halon.errors import Misconfigured
from halon.settings.model import FreezeWindow

BERLIN = ZoneInfo("Europe/Berlin")
GOOGLE = """BEGIN:VCALENDAR
PRODID:-//Google Inc//Google Calendar 70.9054//EN
VERSION:2.0
X-WR-TIMEZONE:Europe/Berlin
BEGIN:VTIMEZONE
TZID:Europe/Berlin
BEGIN:DAYLIGHT
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
TZNAME:CEST
DTSTART:19700329T020000
RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU
END:DAYLIGHT
BEGIN:STANDARD
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
TZNAME:CET
DTSTART:19701025T030000
RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU
END:STANDARD
END:VTIMEZONE
BEGIN:VEVENT
DTSTART;TZID=Europe/Berlin:20260302T090000
DTEND;TZID=Europe/Berlin:20260302T110000
RRULE:FREQ=WEEKLY;BYDAY=MO
EXDATE;TZID=Europe/Berlin:20260309T090000
UID:weekly@google.com
SUMMARY:Month-end batch
END:VEVENT
BEGIN:VEVENT
DTSTART;VALUE=DATE:20261224
DTEND;VALUE=DATE:20261227
UID:xmas@google.com
SUMMARY:Holidays
END:VEVENT
BEGIN:VEVENT
DTSTART:20260401T100000Z
DTEND:20260401T120000Z
STATUS:CANCELLED
UID:cancelled@google.com
SUMMARY:Cancelled
END:VEVENT
END:VCALENDAR
"""


def freezes(**window: Any) -> Freezes:
    return Freezes([FreezeWindow.model_validate({"name": "freeze", **window})])


def frozen(one: Freezes, at: datetime, target: str = "k8s/eu/shop/cart", playbook: str = "rollback") -> bool:
    return bool(one.active(at, target=target, playbook=playbook))


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["30 1 * * *", "0 2 * * *", "30 2 * * SUN", "0 22 * * FRI", "15 */6 * * *"]),
    st.sampled_from([30, 60, 90, 180, 600]),
    st.sampled_from(
        [datetime(2026, 3, 28, tzinfo=UTC), datetime(2026, 10, 24, tzinfo=UTC), datetime(2026, 6, 5, tzinfo=UTC)]
    ),
    st.integers(0, 3 * 24 * 60 - 1),
)
def test_a_cron_window_is_what_a_walk_through_the_minutes_says(
    cron: str, minutes: int, start: datetime, offset: int
) -> None:
    at = start + timedelta(minutes=offset)
    found = freezes(cron=cron, duration=timedelta(minutes=minutes), timezone="Europe/Berlin")
    begun = any(_begins(cron, at - timedelta(minutes=ago)) for ago in range(minutes))
    assert frozen(found, at) is begun


def _begins(cron: str, at: datetime) -> bool:
    """Whether a window begins in this minute. A time that a change of the clocks skips comes at its end instead."""
    local = at.astimezone(BERLIN)
    minute, hour, _, _, day = cron.split()
    if day != "*" and local.strftime("%a").upper() != day:
        return False
    before = (at - timedelta(minutes=1)).astimezone(BERLIN)
    skipped = (local.replace(tzinfo=None) - before.replace(tzinfo=None)) - timedelta(minutes=1)
    walls = [
        local.replace(tzinfo=None) - timedelta(minutes=ago) for ago in range(int(skipped.total_seconds() // 60) + 1)
    ]
    if hour.startswith("*/"):
        return any(one.minute == int(minute) and one.hour % int(hour[2:]) == 0 for one in walls)
    again = local.fold == 1  # the hour that comes twice counts once
    return not again and any((one.hour, one.minute) == (int(hour), int(minute)) for one in walls)


def test_a_window_goes_on_through_the_hour_that_comes_twice() -> None:
    one = freezes(cron="30 2 * * *", duration=timedelta(hours=1), timezone="Europe/Berlin")
    assert frozen(one, datetime(2026, 10, 25, 1, 10, tzinfo=UTC))
    assert not frozen(one, datetime(2026, 10, 25, 1, 30, tzinfo=UTC))


def test_one_window_has_its_beginning_and_not_its_end() -> None:
    one = freezes(**{"from": "2026-12-20T00:00:00+01:00", "until": "2027-01-02T00:00:00+01:00", "reason": "year end"})
    assert not frozen(one, datetime(2026, 12, 19, 22, 59, tzinfo=UTC))
    [found] = one.active(datetime(2026, 12, 19, 23, 0, tzinfo=UTC), target="", playbook="")
    assert found.sentence == "change freeze freeze until 2027-01-02 00:00:00 +01:00: year end"
    assert not frozen(one, datetime(2027, 1, 1, 23, 0, tzinfo=UTC))


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (datetime(2026, 3, 16, 9, 0, tzinfo=BERLIN), "Month-end batch"),
        (datetime(2026, 3, 16, 11, 0, tzinfo=BERLIN), None),
        (datetime(2026, 3, 9, 9, 30, tzinfo=BERLIN), None),
        (datetime(2026, 3, 30, 9, 30, tzinfo=BERLIN), "Month-end batch"),
        (datetime(2026, 12, 24, 0, 0, tzinfo=BERLIN), "Holidays"),
        (datetime(2026, 12, 26, 23, 59, tzinfo=BERLIN), "Holidays"),
        (datetime(2026, 12, 27, 0, 0, tzinfo=BERLIN), None),
        (datetime(2026, 4, 1, 11, 0, tzinfo=UTC), None),
    ],
)
def test_a_calendar_freezes_while_its_events_last(tmp_path: Path, at: datetime, expected: str | None) -> None:
    (tmp_path / "freeze.ics").write_text(GOOGLE)
    one = freezes(calendar=tmp_path / "freeze.ics", timezone="Europe/Berlin")
    found = one.active(at, target="", playbook="")
    assert [each.reason for each in found] == ([] if expected is None else [expected])


def test_a_calendar_that_changes_is_read_again_and_one_that_cannot_be_read_freezes_everything(tmp_path: Path) -> None:
    file, at = tmp_path / "freeze.ics", datetime(2026, 7, 1, 10, 0, tzinfo=UTC)
    file.write_text(GOOGLE)
    one = freezes(calendar=file)
    assert not frozen(one, at)
    file.write_text(
        GOOGLE.replace("20260401T100000Z", "20260701T090000Z")
        .replace("20260401T120000Z", "20260701T110000Z")
        .replace("CANCELLED", "CONFIRMED")
    )
    assert frozen(one, at)
    os.truncate(file, 0)
    [found] = one.active(at, target="", playbook="")
    assert "as long as it cannot be read, all is frozen" in found.reason
    file.unlink()
    [found] = one.active(at, target="", playbook="")
    assert "cannot be read: No such file or directory" in found.reason


def test_who_only_looks_sees_a_calendar_that_cannot_be_read_as_a_freeze(tmp_path: Path) -> None:
    window = FreezeWindow.model_validate({"name": "launches", "calendar": tmp_path / "none.ics"})
    [found] = Freezes([window], readable=False).now(datetime(2026, 7, 1, tzinfo=UTC))
    assert found.reason.endswith(
        "cannot be read: No such file or directory; as long as it cannot be read, all is frozen"
    )


def test_a_time_zone_that_is_not_defined_and_a_rule_that_cannot_be_read_stop_the_start(tmp_path: Path) -> None:
    file = tmp_path / "freeze.ics"
    file.write_text(GOOGLE.replace("TZID=Europe/Berlin:20260302", "TZID=Nowhere/Here:20260302"))
    with pytest.raises(Misconfigured, match="uses time zone Nowhere/Here and does not define it"):
        freezes(calendar=file)
    file.write_text(GOOGLE.replace("FREQ=WEEKLY", "FREQ=NEVER"))
    with pytest.raises(Misconfigured, match="an event that cannot be read"):
        freezes(calendar=file)


def test_a_freeze_is_for_its_targets_and_playbooks() -> None:
    window = {"from": "2026-01-01T00:00:00Z", "until": "2027-01-01T00:00:00Z"}
    at = datetime(2026, 7, 1, tzinfo=UTC)
    one = freezes(**window, targets=["k8s/eu/"], playbooks=["roll*"])
    assert frozen(one, at)
    assert not frozen(one, at, target="k8s/us/shop/cart")
    assert not frozen(one, at, playbook="restart")
    assert frozen(freezes(**window, targets=["k8s/*/shop/*"]), at)


@pytest.mark.parametrize("text", ["", "not a calendar", "BEGIN:VEVENT\nEND:VEVENT\n"])
def test_a_file_that_is_no_calendar_stops_the_start(tmp_path: Path, text: str) -> None:
    (tmp_path / "freeze.ics").write_text(text)
    with pytest.raises(Misconfigured, match=r"freeze\.ics of freeze freeze"):
        freezes(calendar=tmp_path / "freeze.ics")


@pytest.mark.parametrize(
    ("window", "reason"),
    [
        ({}, "exactly one of"),
        ({"cron": "0 22 * * *"}, "belong together"),
        ({"cron": "61 * * * *", "duration": "1h"}, "not the five fields of cron"),
        ({"cron": "0 22 * * *", "duration": "1h", "timezone": "Mars/Base"}, "no time zone Mars/Base"),
        ({"from": "2026-01-02T00:00:00Z", "until": "2026-01-01T00:00:00Z"}, "must come after"),
        ({"from": "2026-01-02T00:00:00", "until": "2026-01-03T00:00:00Z"}, "timezone"),
        ({"cron": "0 22 * * *", "duration": "91d"}, "less than or equal"),
    ],
)
def test_a_window_that_makes_no_sense_is_refused(window: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        freezes(**window)
