"""A question in Slack: what it shows, that nothing from outside speaks in Slack's own markup, and Slack's bounds."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from halon.clients.slack_blocks import (
    MAX_BLOCKS,
    MAX_TEXT,
    MAX_VALUE,
    button_of,
    cut,
    decided_message,
    escaped,
    question_message,
)
from halon.contracts.incident import IncidentRow
from halon.contracts.plan import Effect, Plan, Row
from halon.contracts.run import OpenGate

RUN = "dim-0000000000-2c02943e-run"
NASTY = "<!channel> <@U0ANA> <http://evil.example|Approve> & `code`\x00\u202e"


def plan(summary: str = "Set the lamp to 1", rows: int = 1, text: str = "9") -> Plan:
    changed = tuple(Row(field=f"level {number}", before=text, after=1) for number in range(rows))
    return Plan(
        kind="change",
        action="lamp.dim",
        params={},
        effect=Effect.CHANGE,
        target=f"lamp/{text}",
        summary=summary,
        rows=changed,
    )


def gate(*plans: Plan, **more: Any) -> OpenGate:
    asked = datetime(2026, 12, 24, 3, 0, tzinfo=UTC)
    given_: dict[str, Any] = {"step": "dim", "digest": "a" * 64, "asked_at": asked, "within": timedelta(minutes=10)}
    return OpenGate.model_validate({**given_, "quorum": 1, "plans": plans, **more})


def row(title: str = "Dim the lamp") -> IncidentRow:
    return IncidentRow.model_validate(
        {
            "id": "dim-0000000000-2c02943e", "group": "dim-0000000000", "playbook": "dim", "playbook_digest": "b" * 64,
            "title": title, "service": "stage", "severity": "warning", "state": "open",
            "workflow_id": "dim-0000000000", "run_id": "x",
            "opened_at": datetime(2026, 12, 24, 3, 0, tzinfo=UTC),
        }
    )  # fmt: skip


def texts(value: Any) -> list[str]:
    """Every text of a message that Slack reads as its markup."""
    if isinstance(value, dict):
        own = [value["text"]] if value.get("type") == "mrkdwn" else []
        return own + [one for part in value.values() for one in texts(part)]
    return [one for part in value for one in texts(part)] if isinstance(value, list) else []


def test_a_question_shows_the_change_and_its_buttons_carry_just_that_plan() -> None:
    body = question_message(row(), gate(plan()), RUN, "https://halon.example.com/x").body()
    said = json.dumps(body, ensure_ascii=False)
    for shown in (
        "Set the lamp to 1?",
        "Dim the lamp · stage · warning",
        "level 0: `9` → `1`",
        "<https://halon.example.com/x|",
    ):
        assert shown in said
    buttons = body["blocks"][-1]["elements"]
    assert [one["action_id"] for one in buttons] == ["halon.approve", "halon.deny"]
    assert all(one["confirm"]["deny"]["text"] == "Back" for one in buttons)
    carried = button_of(buttons[0]["value"])
    assert (carried.run, carried.step, carried.plan) == (RUN, "dim", "a" * 64)


def test_what_was_decided_has_no_buttons() -> None:
    body = decided_message(row(), gate(plan()), ":white_check_mark: <@U0ANA> approved").body()
    assert {one["type"] for one in body["blocks"]} == {"header", "section", "context"}
    assert "<@U0ANA> approved" in body["blocks"][-1]["text"]["text"]


def test_nothing_from_outside_is_a_mention_a_link_or_the_end_of_code() -> None:
    body = question_message(row(NASTY), gate(plan(NASTY, text=NASTY), plan(NASTY), message=NASTY), RUN).body()
    for text in texts(body["blocks"]):
        assert "<" not in text.replace("<!date^", "")
        assert "\x00" not in text
    assert "<" not in body["text"]


def test_a_question_of_any_size_stays_within_slacks_bounds() -> None:
    big = [plan("x" * 5000, rows=200, text="y" * 5000) for _ in range(200)]
    many = gate(*big, message="&" * 9000, approved_by=tuple("z" * 300 for _ in range(50)), quorum=3)
    body = question_message(row("t" * 5000), many, RUN).body()
    assert len(body["blocks"]) <= MAX_BLOCKS
    assert all(0 < len(text) <= MAX_TEXT for text in texts(body["blocks"]))
    assert len(body["blocks"][0]["text"]["text"]) <= 150
    assert body["blocks"][-1]["type"] == "actions"
    for button in body["blocks"][-1]["elements"]:
        assert len(button["value"]) <= MAX_VALUE
        assert len(button["confirm"]["text"]["text"]) <= 300


@given(st.text(), st.integers(2, 50))
def test_escaped_text_is_cut_to_size_and_never_within_an_entity(text: str, limit: int) -> None:
    written = escaped(text * 3, limit)
    assert len(written) <= limit
    rest = written.replace("&amp;", "").replace("&lt;", "").replace("&gt;", "")
    assert not set("<>&") & set(rest)
    assert cut("a&amp;", 4) == "a…"
