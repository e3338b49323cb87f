"""What messages in Slack look like: Block Kit, with every text from outside escaped and cut to Slack's bounds. Pure.

https://docs.slack.dev/reference/block-kit/blocks
"""

import json
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from pydantic import ValidationError

from halon.contracts.base import Contract, Json
from halon.contracts.incident import IncidentRow
from halon.contracts.plan import Plan
from halon.contracts.run import OpenGate
from halon.errors import InvalidInput

MAX_BLOCKS = 50
MAX_TEXT = 3000
MAX_HEADER = 150
MAX_VALUE = 2000
"""Characters of what a button carries."""
MAX_COMMENT = 3000
MAX_PLANS = 10
MAX_ROWS = 12
_MAX_CELL = 200
APPROVE, DENY, COMMENT = "halon.approve", "halon.deny", "halon.comment"
"""Ids of the buttons, and of the field between them."""
Block: TypeAlias = dict[str, Any]
_UNSEEN = frozenset({"Cc", "Cf", "Co", "Cs", "Zl", "Zp"})


@dataclass(frozen=True, slots=True)
class SlackMessage:
    """A message: blocks, and the text of its notification."""

    text: str
    blocks: Sequence[Block] = ()

    def body(self) -> dict[str, Any]:
        """As the API takes it."""
        shown = {"blocks": list(self.blocks)[:MAX_BLOCKS]} if self.blocks else {}
        return {"text": cut(self.text, MAX_TEXT), "unfurl_links": False, "unfurl_media": False, **shown}


class Button(Contract):
    """What a button carries: which question it decides."""

    run: str
    step: str
    plan: str

    def value(self) -> str:
        """Write it."""
        return self.model_dump_json()


def button_of(value: str) -> Button:
    """Read what a button carries.

    Raises:
        InvalidInput: it is nothing of ours.
    """
    try:
        return Button.model_validate_json(value[: MAX_VALUE + 1])
    except ValidationError as error:
        raise InvalidInput("the button is none of Halon's") from error


def escaped(text: str, limit: int = MAX_TEXT) -> str:
    """Give text from outside: nothing in it is a mention, a link or an entity, and it has at most `limit` characters.

    What Slack reads as formatting stays readable; it cannot address anybody.
    """
    seen = "".join(
        one if one in "\n\t" or unicodedata.category(one) not in _UNSEEN else "\ufffd" for one in text[:limit]
    )
    written = seen.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return cut(written, limit)


def cut(text: str, limit: int) -> str:
    """Cut to a length, and never within an entity."""
    if len(text) <= limit:
        return text
    return re.sub(r"&[a-z]{0,3}$", "", text[: limit - 1]) + "…"


def question_message(row: IncidentRow, gate: OpenGate, run: str, console: str = "") -> SlackMessage:
    """Ask. The buttons carry run, step and digest, and decide just that plan."""
    button = Button(run=run, step=gate.step, plan=gate.digest).value()
    headline = _headline(gate)
    blocks = [*_described(row, gate, console), *_tally(gate)]
    if len(button) <= MAX_VALUE:
        blocks += [_comment(), _buttons(button, headline)]
    else:
        blocks.append(_section("_Decide in the console: the step's name is too long for a button._"))
    return SlackMessage(f"{escaped(headline, 200)}?", blocks)


def decided_message(row: IncidentRow, gate: OpenGate, outcome: str, console: str = "") -> SlackMessage:
    """The same question, when nothing waits any more: what came of it instead of the buttons.

    `outcome` is Slack's own markup, escaped where it must be.
    """
    headline = _headline(gate)
    text = cut(outcome, MAX_TEXT)
    return SlackMessage(f"{escaped(headline, 200)}: {text}", [*_described(row, gate, console), _section(text)])


def _described(row: IncidentRow, gate: OpenGate, console: str) -> list[Block]:
    about = " · ".join(escaped(one, 200) for one in (row.title, row.service, row.severity) if one)
    blocks = [_header(f"{_headline(gate)}?"), _section(f"*{about}*" if about else f"`{_code(row.id)}`")]
    if gate.message:
        blocks.append(_section(escaped(gate.message)))
    blocks += [_plan(plan, alone=len(gate.plans) == 1) for plan in gate.plans[:MAX_PLANS]]
    more = len(gate.plans) - MAX_PLANS
    if more > 0:
        blocks.append(_section(f"_and {more} more changes: look at them in the console_"))
    until = gate.asked_at + gate.within
    ends = f"<!date^{int(until.timestamp())}^{{date_short_pretty}} {{time}}|{until:%Y-%m-%d %H:%M} UTC>"
    where = f"<{console}|{_code(row.id)}>" if console else f"`{_code(row.id)}`"
    told = f"If nobody decides by {ends}, nothing of this is done. Plan `{gate.digest[:12]}`, incident {where}."
    return [*blocks, {"type": "context", "elements": [{"type": "mrkdwn", "text": cut(told, MAX_TEXT)}]}]


def _headline(gate: OpenGate) -> str:
    if len(gate.plans) == 1:
        return gate.plans[0].summary
    return f"Make {len(gate.plans)} changes" if gate.plans else f"Go on with step {gate.step}"


def _plan(plan: Plan, *, alone: bool) -> Block:
    lines = [] if alone else [f"*{escaped(plan.summary, 300)}*"]
    lines.append(f"On `{_code(plan.target)}`")
    lines += [
        f"{escaped(one.field, 100)}: `{_cell(one.before)}` → `{_cell(one.after)}`" for one in plan.rows[:MAX_ROWS]
    ]
    if len(plan.rows) > MAX_ROWS:
        lines.append(f"_and {len(plan.rows) - MAX_ROWS} more lines_")
    lines += [f":warning: {escaped(one, 300)}" for one in plan.notes[:3]]
    return _section("\n".join(lines))


def _tally(gate: OpenGate) -> list[Block]:
    if gate.quorum <= 1 and not gate.approved_by:
        return []
    who = escaped(", ".join(gate.approved_by), 500)
    return [_section(f"*{len(gate.approved_by)} of {gate.quorum} approvals*{f' ({who})' if who else ''}")]


def _comment() -> Block:
    field = {"type": "plain_text_input", "action_id": COMMENT, "max_length": MAX_COMMENT}
    label = {"type": "plain_text", "text": "Comment"}
    return {"type": "input", "block_id": COMMENT, "optional": True, "label": label, "element": field}


def _buttons(value: str, headline: str) -> Block:
    return {
        "type": "actions",
        "elements": [
            _button(APPROVE, "Approve", "primary", value, f"Approve: {headline}"),
            _button(DENY, "Deny", "danger", value, f"Deny: {headline}. Nothing more is changed."),
        ],
    }


def _button(name: str, word: str, style: str, value: str, sure: str) -> Block:
    confirm = {
        "title": {"type": "plain_text", "text": f"{word}?"},
        "text": {"type": "plain_text", "text": cut(sure, 300)},
        "confirm": {"type": "plain_text", "text": word},
        "deny": {"type": "plain_text", "text": "Back"},
        "style": style,
    }
    text = {"type": "plain_text", "text": word}
    return {"type": "button", "action_id": name, "text": text, "style": style, "value": value, "confirm": confirm}


def _header(text: str) -> Block:
    seen = " ".join(text.split())
    return {"type": "header", "text": {"type": "plain_text", "text": cut(seen, MAX_HEADER), "emoji": False}}


def _section(text: str) -> Block:
    return {"type": "section", "text": {"type": "mrkdwn", "text": cut(text, MAX_TEXT)}}


def _cell(value: Json) -> str:
    text = "(nothing)" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return _code(text) or " "


def _code(text: str) -> str:
    """Give text for between backticks: on one line, and it cannot end them."""
    return escaped(" ".join(text.split()).replace("`", "'"), _MAX_CELL)
