"""`halon people` and `halon oncall` show whom halon.yaml and its schedules mean."""

from pathlib import Path

import pytest
from command import Shell, configure

PEOPLE = """
people: {ana: {name: Ana Lopez, email: ana@example.com}, ben: {}}
groups: {sre: {members: [ben], calendar: {file: sre.ics}}, lost: {calendar: {file: lost.ics}}}
roles: {responder: {may: [decide], to: ["group:sre"]}}
"""
CALENDAR = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//x//EN
BEGIN:VEVENT
UID:1
DTSTART:20261224T000000Z
DTEND:20261225T000000Z
ATTENDEE:mailto:ana@example.com
ATTENDEE:mailto:dan@example.com
END:VEVENT
END:VCALENDAR
"""


@pytest.fixture
def called(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    (tmp_path / "sre.ics").write_text(CALENDAR)
    return Shell(configure(tmp_path, PEOPLE), capsys)


def test_who_is_on_call_is_shown_for_a_time(called: Shell) -> None:
    answer = called("oncall", "sre", "--at", "2026-12-24T03:00:00+01:00")
    assert answer.code == 0
    assert [line.split() for line in answer.out.splitlines()] == [
        ["person", "name", "why"],
        ["ana", "Ana", "Lopez", "on", "call"],
        ["ben", "member"],
    ]
    assert "names dan@example.com, who is not under `people`" in answer.err
    shown = called("oncall", "sre", "--at", "2026-12-24T03:00:00+01:00", "--json").json
    assert (shown["members"], shown["on_call"]) == (["ana", "ben"], ["ana"])


def test_people_are_listed_with_their_groups_and_what_is_missing(called: Shell) -> None:
    answer = called("people")
    assert answer.code == 0
    assert [line.split() for line in answer.out.splitlines()][1:] == [
        ["ana", "Ana", "Lopez"],
        ["ben", "sre", "responder"],
    ]
    assert "group lost: the calendar of group lost cannot be read: No such file" in answer.err
    assert called("people", "--json").json["people"][1] == {
        "person": "ben", "name": "", "groups": ["sre"], "roles": ["responder"],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "code", "finding"),
    [
        (("oncall", "nobody"), 1, "there is no group nobody"),
        (("oncall", "lost"), 1, "the calendar of group lost cannot be read"),
        (("oncall", "sre", "--at", "tomorrow"), 2, "--at is no time with a zone"),
        (("oncall", "sre", "--at", "2026-12-24T03:00:00"), 2, "--at is no time with a zone"),
    ],
)
def test_what_cannot_be_shown_is_told(called: Shell, arguments: tuple[str, ...], code: int, finding: str) -> None:
    answer = called(*arguments)
    assert answer.code == code
    assert finding in answer.err
