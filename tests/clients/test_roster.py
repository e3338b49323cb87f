"""The people as they are now: schedules are asked again and again, and one that does not answer names nobody."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

from halon.clients.oncall import OnCall, directory_of
from halon.clients.roster import Roster, roster_of
from halon.settings import Settings

NOW = datetime(2026, 6, 1, 3, 0, tzinfo=UTC)
SHIFT = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//test//EN
BEGIN:VEVENT
UID:1
DTSTAMP:20260101T000000Z
DTSTART:20260601T000000Z
DTEND:20260601T080000Z
SUMMARY:ana
END:VEVENT
END:VCALENDAR
"""


def settings_with(calendar: Path) -> Settings:
    return Settings.model_validate(
        {
            "people": {"ana": {}, "ben": {}},
            "groups": {"oncall": {"members": ["ben"], "calendar": {"file": calendar}}, "all": {"members": ["ana"]}},
            "auth": {"oidc": {"issuer": "https://id.example.com", "audience": ["halon"]}},
        }
    )


async def test_who_is_on_call_is_in_the_group_and_nobody_else_when_the_schedule_cannot_be_read(tmp_path: Path) -> None:
    calendar = tmp_path / "oncall.ics"
    calendar.write_text(SHIFT.replace("\n", "\r\n"))
    settings = settings_with(calendar)
    roster = Roster(settings)
    async with OnCall(settings) as on_call:
        assert roster().members("group:oncall") == ("ben",)
        await roster.renew(on_call, NOW)
        assert roster().members("group:oncall") == ("ana", "ben")
        calendar.unlink()
        await roster.renew(on_call, NOW + timedelta(hours=1))
        assert roster().members("group:oncall") == ("ben",)


async def test_a_roster_asks_its_schedules_by_itself(tmp_path: Path) -> None:
    calendar = tmp_path / "oncall.ics"
    calendar.write_text(SHIFT.replace("\n", "\r\n"))
    async with roster_of(settings_with(calendar), lambda: NOW) as roster, asyncio.timeout(10):
        while roster().members("group:oncall") != ("ana", "ben"):  # noqa: ASYNC110  # it says when by changing
            await asyncio.sleep(0.01)


def test_a_proof_puts_nobody_on_call() -> None:
    assert directory_of(settings_with(Path("oncall.ics"))).open == frozenset({"all"})
