"""What a person reads inside Temporal's UI: the state, the plan as a table, how to decide, and what happened. Markdown.

The UI shows a workflow's current details as Markdown. Text from outside (alerts, plans) is escaped, so that it can
neither break the table nor plant a link.
"""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime

from halon.contracts.alert import Alert, AlertStatus
from halon.contracts.audit import AuditKind
from halon.contracts.base import Json, JsonObject, format_duration
from halon.contracts.coordination import CoordinationStatus
from halon.contracts.ledger import LedgerState
from halon.contracts.outcome import RunResult
from halon.contracts.plan import Plan
from halon.core.ids import incident_of
from halon.core.runtime import Event, Gate

MAX_LINES = 40
MAX_CELL = 300
MAX_PEOPLE = 20
COUNTS_A_RECORD = 400
"""Episodes whose repeats one record of the audit tells: what a record holds is bounded."""
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#+!|~])")


def plain(text: str, limit: int = MAX_CELL) -> str:
    """Text from outside as Markdown that shows it literally, on one line and cut to `limit` characters."""
    line = " ".join(text.split())
    if len(line) > limit:
        line = line[: limit - 1] + "…"
    return _MARKDOWN.sub(r"\\\1", line)


def cell(value: Json) -> str:
    """A JSON value as the text of a table's cell."""
    return plain(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def plan_table(plan: Plan) -> str:
    """The plan: what, where, before and after, how it is undone, and what to know."""
    lines = [f"**{plain(plan.summary)}**", "", f"Target: {plain(plan.target)}", ""]
    if plan.rows:
        lines += [_row("field", "before", "after"), "|---|---|---|"]
        lines += [_row(plain(row.field), cell(row.before), cell(row.after)) for row in plan.rows]
        lines.append("")
    lines += [f"- Note: {plain(note)}" for note in plan.notes]
    undo = plain(plan.undo.call.action) if plan.undo.call else f"none: {plain(plan.undo.reason)}"
    lines += [f"- Undo: {undo}", f"- Plan: {plan.digest[:12]}", ""]
    return "\n".join(lines)


def _row(*cells: str) -> str:
    """A line of a table. Temporal's UI draws no space between columns, so each cell brings its own."""
    return "".join(f"| {one}\u00a0\u00a0 " for one in cells) + "|"


def gate_text(gate: Gate, workflow_id: str, approved_by: Sequence[str]) -> str:
    """The question, whom it is put to, the plans, and every way to answer it."""
    given = f" ({plain(', '.join(approved_by))})" if approved_by else ""
    expires = gate.asked_at + gate.approve.within
    votes = f"{gate.approve.quorum} needed, {len(approved_by)} given{given}"
    asked, ends = f"asked {gate.asked_at:%Y-%m-%d %H:%M:%S} UTC", f"expires {expires:%Y-%m-%d %H:%M:%S} UTC"
    times = f"{asked}, {ends}, after {format_duration(gate.approve.within)}"
    lines = [f"## Waiting for a decision: {plain(gate.step)}", "", f"From {_asked(gate)}; {votes}; {times}.", ""]
    lines += [f"- Not reached: {plain(one)}" for one in gate.electorate.missing]
    if gate.approve.message:
        lines += [plain(gate.approve.message, 1000), ""]
    for plan in gate.plans:
        lines.append(plan_table(plan))
    lines += [f"- Not planned yet, asked for in its turn: {plain(reason)}" for reason in gate.unplanned]
    return "\n".join([*lines, "", "### How to decide", "", *_ways(gate, workflow_id), ""])


def _asked(gate: Gate) -> str:
    who = ", ".join(gate.approve.from_) or "anyone who may decide"
    people = [one.person for one in gate.electorate.electors][:MAX_PEOPLE]
    more = len(gate.electorate.electors) - len(people)
    return plain(f"{who}: {', '.join(people)}{f' and {more} more' if more else ''}" if people else who)


def _ways(gate: Gate, workflow_id: str) -> list[str]:
    """Say how to decide. Where names that are only claimed do not count, the ways that only claim one are left out."""
    short, asked = gate.digest[:12], gate.electorate
    incident = incident_of(workflow_id)
    by = json.dumps({"by": "you@example.com", "plan": short})
    lines = [f"- In the console: {asked.console}"] if asked.console else []
    if asked.trust == "signed":
        return [
            *lines,
            f"- `halon approve {incident} --plan {short} --key FILE` or `halon deny …`, with a key of yours.",
            "- Decisions that are sent from here only claim a name: they are recorded, and do not count.",
        ]
    return [
        *lines,
        "- Here: *More Actions* → *Send an Update* → `decide`, with input",
        f'  `{{"verdict": "approve", "by": "you@example.com", "plan": "{short}"}}` (or `"verdict": "deny"`).',
        f"- Here, without an answer: *More Actions* → *Send a Signal* → `approve` or `deny`, with input `{by}`.",
        f"- `halon approve {incident} --by you@example.com --plan {short}` or `halon deny …`",
        f"- `temporal workflow signal --workflow-id {workflow_id} --name approve --input '{by}'`",
    ]


def repeat_events(counts: Mapping[str, int]) -> list[Event]:
    """Say how often each alert came again, by episode."""
    rows = list(counts.items())
    events: list[Event] = []
    for start in range(0, len(rows), COUNTS_A_RECORD):
        part = dict[str, Json](rows[start : start + COUNTS_A_RECORD])
        times = sum(times for _, times in rows[start : start + COUNTS_A_RECORD])
        message = f"{len(part)} alerts came again, {times} times in all"
        events.append(Event(AuditKind.ALERT_REPEATED, message, data={"times": times, "episodes": part}))
    return events


def alert_event(alert: Alert, news: str) -> Event | None:
    """What is to be told of an alert of which `Members.take` says what is new. An identical repeat is only counted."""
    firing = alert.status is AlertStatus.FIRING
    told = {
        (False, "resolved"): (AuditKind.ALERT_RESOLVED, f"Alert {alert.name} resolved"),
        (True, "new"): (AuditKind.ALERT_RECEIVED, f"Alert {alert.name} received from {alert.source}"),
        (True, "taken"): (AuditKind.ALERT_SUPPRESSED, f"Alert {alert.name} belongs to an incident that is closed"),
    }.get((firing, news))
    if told is None:
        return None
    facts: JsonObject = {
        "alert": alert.name,
        "labels": dict[str, Json](alert.labels),
        "starts_at": alert.starts_at.isoformat(),
        "fingerprint": alert.fingerprint,
        "source": alert.source,
        "episode": alert.episode,
    }
    return Event(*told, data=facts)


def line(at: datetime, event: Event) -> str:
    """One line of the story: time, step, sentence."""
    step = f" {event.step}:" if event.step else ""
    return f"{at:%H:%M:%S}{step} {event.message}"


def details(headline: str, gates: Sequence[str], story: Sequence[str], result: RunResult | None) -> str:
    """The whole of the current details: headline, what waits, how it ended, what happened."""
    parts = [f"# {plain(headline)}", ""]
    if result is not None:
        parts += [f"**{result.outcome.value}**: {plain(result.reason, 1000)}", ""]
        parts += [
            f"- STILL IN PLACE: {plain(left.summary)} on {plain(left.target)}: {plain(left.reason, 600)}"
            for left in result.left
        ]
    parts += list(gates)
    parts += ["", "## What happened", ""]
    parts += [f"- {plain(one, 600)}" for one in story[-MAX_LINES:]]
    return "\n".join(parts)


def ledger_details(state: LedgerState) -> str:
    """What the guards hold, as tables: what stops runs first."""
    lines = [f"**Paused:** {plain(one.sentence)}" for one in state.pauses]
    if state.storm:
        lines.append(f"**Storm** since {state.storm.since:%Y-%m-%d %H:%M:%S} UTC: {state.storm.incidents} incidents")
    breakers = [one for one in state.breakers.values() if one.state != "closed" or one.failures]
    if breakers:
        lines += ["", _row("breaker", "state", "failures", "why"), "|---|---|---|---|"]
        for one in breakers[:MAX_LINES]:
            lines.append(_row(plain(one.key), plain(one.state), str(len(one.failures)), plain(one.reason)))
    if state.locks:
        lines += ["", _row("lock", "held for", "since", "kept because"), "|---|---|---|---|"]
        for lock in list(state.locks.values())[:MAX_LINES]:
            since = f"{lock.since:%Y-%m-%d %H:%M:%S} UTC"
            lines.append(_row(plain(lock.name), plain(lock.incident), since, plain(lock.kept)))
    return "\n".join(lines) or "Nothing is held and nothing is paused."


def coordination_details(status: CoordinationStatus) -> str:
    """Who looks after an incident, what is due, and whom a message has not reached."""
    lines = [f"**{'Page' if status.urgency == 'page' else 'Ticket'}** {plain(status.reason)}", ""]
    ack = status.acknowledgement
    if ack is not None and ack.by:
        lines.append(f"- Acknowledged by {plain(ack.by)}")
    elif ack is not None and ack.due is not None:
        lines.append(f"- Not acknowledged; further people are called at {ack.due:%Y-%m-%d %H:%M:%S} UTC")
    elif ack is not None:
        lines.append("- Not acknowledged")
    lines += [f"- {plain(part).capitalize()}: {plain(role.person)}" for part, role in sorted(status.roles.items())]
    for one in status.deadlines:
        how = f"done by {one.done_by}" if one.done_at else f"due {one.due:%Y-%m-%d %H:%M} UTC"
        lines.append(f"- {plain(one.title)}: {plain(how)}{', MISSED' if one.missed and not one.done_at else ''}")
    page = status.status_page
    if page is not None:
        lines.append(f"- Status page: {plain(page.status or page.state)} {plain(page.problem)}")
    undelivered = [one for one in status.notices if one.state in {"failing", "failed"}]
    lines += [f"- NOT TOLD: {plain(one.to)}: {plain(one.title)} ({plain(one.reason)})" for one in undelivered]
    return "\n".join(lines)
