"""The draft of a post-mortem: what the audit knows of an incident, in the order in which people ask, as Markdown.

What a record says is told; what only people can know is left to them as a question. Nothing is guessed.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise

from halon.contracts.audit import AuditKind, StoredRecord
from halon.contracts.base import JsonObject, format_duration, is_list, is_object
from halon.contracts.coordination import CoordinationStatus
from halon.contracts.incident import IncidentRow
from halon.core.markdown import plain
from halon.operations.answering import Connect
from halon.operations.plans import PlanView, of_record
from halon.operations.showing import Shown, look
from halon.store.incidents import IncidentFilter
from halon.store.store import Store

MAX_LINES = 400
"""Lines of the timeline: the first and the last ones, when there are more."""
MAX_EARLIER = 10
"""Earlier incidents that are named."""
MAX_ALERTS = 50
LOOKED_BACK = timedelta(days=90)
_READ_BACK = 200
"""Incidents of the same playbook that are looked at for it."""
_LINE = 600
_WORD = 200

_QUIET = frozenset(
    {AuditKind.STEP_STARTED, AuditKind.STEP_SKIPPED, AuditKind.STEP_FINISHED, AuditKind.READ, AuditKind.NOTICE_SENT}
)
"""What the timeline leaves out when it does not fit: nobody was affected by it."""
_DONE = {
    AuditKind.APPROVED: "approved",
    AuditKind.DENIED: "denied",
    AuditKind.EXPIRED: "nobody decided",
    AuditKind.APPLIED: "made",
    AuditKind.CONFIRMED: "seen to be there",
    AuditKind.DRIFTED: "not made, for its target had changed",
    AuditKind.STEP_FAILED: "failed",
    AuditKind.LEASED: "for a time only",
    AuditKind.LEASE_EXPIRED: "its time ended",
    AuditKind.UNDONE: "taken back",
    AuditKind.UNDO_FAILED: "could not be taken back",
}
_QUESTIONS: Mapping[str, Sequence[str]] = {
    "Impact": ("Who noticed it, and what could they not do?", "How many users or requests, and is any data lost?"),
    "Causes": ("What made it possible?", "What set it off at that moment?", "Why was it not found earlier?"),
    "What went well, and what did not": ("Which of it was luck?", "Did the playbook do what a person would have?"),
}


@dataclass(frozen=True, slots=True)
class Draft:
    """An incident with what came before it."""

    shown: Shown
    earlier: Sequence[IncidentRow] = field(default_factory=tuple)
    """Incidents of the same playbook and service, the latest first."""

    def markdown(self, now: datetime) -> str:
        """Write it. The same incident gives the same text, but for the time at its head."""
        return "\n".join(_text(self, now)) + "\n"


async def draft(
    store: Store, connect: Connect, incident: str, visible: Callable[[IncidentRow], bool] = lambda _: True
) -> Draft:
    """Gather what is known. Only `visible` incidents are named among the earlier ones.

    Raises:
        NotFound: no incident's id begins so.
        InvalidInput: several do.
        TransientError: the store does not answer.
    """
    shown = await look(store, connect, incident)
    row = shown.row
    wanted = IncidentFilter(playbook=row.playbook, service=row.service or None, since=row.opened_at - LOOKED_BACK)
    found = await store.incidents.list(wanted, _READ_BACK)
    earlier = [one for one in found if one.opened_at < row.opened_at and one.id != row.id and visible(one)]
    return Draft(shown, earlier[:MAX_EARLIER])


def _text(told: Draft, now: datetime) -> Iterator[str]:
    shown = told.shown
    row, records = shown.row, shown.records
    yield f"# Post-mortem: {plain(row.title or row.id, _WORD)}"
    yield ""
    yield (
        f"A draft from {len(records)} audit records, written {_at(now)}. "
        "What a record does not say is a question to you. Every sentence of it can be held against "
        f"`halon audit show {row.id}`."
    )
    if row.state != "closed":
        yield ""
        yield "**The incident is still open: what follows is how far it has come.**"
    yield from _heading("Summary")
    yield from _facts(row, records)
    yield from _heading("Times")
    yield from _times(row, records)
    yield from _asked("Impact")
    yield from _heading("What set it off")
    yield from _alerts(row, records)
    yield from _heading("What was done")
    yield from _changes(shown)
    yield from _heading("Who decided")
    yield from _decisions(records)
    yield from _heading("Evidence")
    yield from _evidence(records)
    yield from _asked("Causes")
    yield from _asked("What went well, and what did not")
    yield from _heading("What follows")
    yield from _duties(shown.people)
    yield from _heading("It happened before")
    yield from _earlier(told.earlier)
    yield from _heading("Timeline (UTC)")
    yield from _timeline(records)


def _heading(text: str) -> Iterator[str]:
    yield ""
    yield f"## {text}"
    yield ""


def _asked(title: str) -> Iterator[str]:
    yield from _heading(title)
    yield from (f"- [ ] {one}" for one in _QUESTIONS[title])


def _facts(row: IncidentRow, records: Sequence[StoredRecord]) -> Iterator[str]:
    facts = {
        "incident": row.id,
        "service": row.service,
        "severity": row.severity,
        "target": row.target,
        "playbook": f"{row.playbook}, version {row.playbook_digest[:12]}",
        "outcome": row.outcome,
        "reason": row.reason,
        "alerts": str(row.alert_count) if row.alert_count else "",
        "reopened": str(row.reopened) if row.reopened else "",
        "commander": _last_part(records, "commander"),
    }
    yield from _table(("", ""), [(name, value) for name, value in facts.items() if value])


def _last_part(records: Sequence[StoredRecord], part: str) -> str:
    """Whoever had a part last, as the records of its changes tell it."""
    told = [one.message for one in records if one.kind is AuditKind.ROLE_CHANGED and one.data.get("role") == part]
    return told[-1] if told else ""


def _times(row: IncidentRow, records: Sequence[StoredRecord]) -> Iterator[str]:
    began = _began(records) or row.opened_at
    first = {kind: next((one.at for one in records if one.kind is kind), None) for kind in AuditKind}
    moments = (
        ("began, as its source says", began),
        ("reached Halon", row.opened_at),
        ("acknowledged", first[AuditKind.ACKNOWLEDGED]),
        ("first change made", first[AuditKind.APPLIED]),
        ("effect verified", first[AuditKind.VERIFIED] if first[AuditKind.APPLIED] else None),
        ("alerts cleared", row.cleared_at),
        ("closed", row.closed_at),
    )
    rows = [(name, _at(at), _since(began, at)) for name, at in moments if at is not None]
    yield from _table(("", "at", "after"), rows)
    waits = list(_waits(records))
    if waits:
        yield ""
        yield from _table(("waited for people", "how long", "what came of it"), waits)


def _began(records: Sequence[StoredRecord]) -> datetime | None:
    """The earliest beginning that an alert of the incident told."""
    found: list[datetime] = []
    for one in records:
        told = one.data.get("starts_at") if one.kind is AuditKind.ALERT_RECEIVED else None
        if isinstance(told, str):
            try:
                found.append(datetime.fromisoformat(told))
            except ValueError:
                continue
    return min((one for one in found if one.tzinfo is not None), default=None)


def _waits(records: Sequence[StoredRecord]) -> Iterator[tuple[str, str, str]]:
    asked: dict[str, datetime] = {}
    for one in records:
        if one.kind is AuditKind.APPROVAL_ASKED:
            asked[one.step] = one.at
        elif one.kind in {AuditKind.APPROVED, AuditKind.DENIED, AuditKind.EXPIRED} and one.step in asked:
            yield one.step, _since(asked.pop(one.step), one.at), one.message
    for step in asked:
        yield step, "", "nothing so far"


def _alerts(row: IncidentRow, records: Sequence[StoredRecord]) -> Iterator[str]:
    alerts = [one for one in records if one.kind is AuditKind.ALERT_RECEIVED]
    for one in alerts[:MAX_ALERTS]:
        labels = one.data.get("labels")
        yield f"- {_at(one.at)} {plain(one.message, _LINE)}"
        if is_object(labels):
            yield f"  {plain(', '.join(f'{name}={value}' for name, value in sorted(labels.items())), _LINE)}"
    if len(alerts) > MAX_ALERTS:
        yield f"- and {len(alerts) - MAX_ALERTS} more"
    if not alerts:
        yield "A person started it by hand." if row.id.endswith("-manual") else "No alert is recorded."


def _changes(shown: Shown) -> Iterator[str]:
    lines = [line for run in _runs(shown.records) for line in _changes_of(run)]
    yield from lines or ["Nothing was to be changed."]
    for left in _left(shown):
        summary, target, reason = (plain(str(left.get(name, "")), _LINE) for name in ("summary", "target", "reason"))
        yield f"- **Still in place:** {summary} on {target}: {reason}"


def _runs(records: Sequence[StoredRecord]) -> Iterator[Sequence[StoredRecord]]:
    """Give the records of each run by themselves: those of an incident that was reopened have the same steps."""
    begins = [number for number, one in enumerate(records) if one.kind is AuditKind.RUN_STARTED]
    for begin, end in pairwise([0, *begins[1:], len(records)]):
        yield records[begin:end]


def _changes_of(run: Sequence[StoredRecord]) -> Iterator[str]:
    plans: dict[str, PlanView] = {}
    for record in run:
        view = of_record(record)
        if view is not None and view.kind == "change":
            plans[record.step] = view
    for step, plan in plans.items():
        yield from _change(step, plan, [one for one in run if one.step == step])


def _left(shown: Shown) -> Sequence[JsonObject]:
    """What the run could not take back, as it says itself or as its last records have it."""
    if shown.run and shown.run.result:
        return [one.model_dump(mode="json") for one in shown.run.result.left]
    told = [one.data.get("left") for one in shown.records if one.kind is AuditKind.RUN_FINISHED]
    return [one for one in told[-1] if is_object(one)] if told and is_list(told[-1]) else []


def _change(step: str, plan: PlanView, records: Sequence[StoredRecord]) -> Iterator[str]:
    yield f"- **{plain(plan.summary, _LINE)}** ({plain(step, _WORD)}) on {plain(plan.target, _WORD)}"
    for name, before, after in plan.rows:
        yield f"  - {plain(name, _WORD)}: {plain(str(before), _WORD)} → {plain(str(after), _WORD)}"
    for one in records:
        if one.kind in _DONE:
            done = "not there" if one.data.get("how") == "nothing" else _DONE[one.kind]
            yield f"  - {_at(one.at)} {done}: {plain(one.message, _LINE)}"
    yield f"  - way back: {plain(plan.undo, _WORD)}"


def _decisions(records: Sequence[StoredRecord]) -> Iterator[str]:
    kinds = {AuditKind.DECISION_TAKEN, AuditKind.DECISION_REFUSED, AuditKind.GLASS_BROKEN, AuditKind.RUN_CANCELLED}
    rows = [
        (_at(one.at), one.actor, one.step, one.message, _word(one, "authenticated"), _word(one, "comment"))
        for one in records
        if one.kind in kinds
    ]
    if rows:
        yield from _table(("at", "who", "step", "what", "proved by", "comment"), rows)
    else:
        yield "Nobody was asked, or nobody answered."


def _word(record: StoredRecord, name: str) -> str:
    value = record.data.get(name)
    return value if isinstance(value, str) else ""


def _evidence(records: Sequence[StoredRecord]) -> Iterator[str]:
    """What was kept before it could change, and what a diagnosis found in it."""
    any_kept = False
    for one in records:
        output = one.data.get("output") if one.kind is AuditKind.READ else None
        value = output.get("value") if is_object(output) else None
        if not is_object(value) or not isinstance(value.get("digest"), str):
            continue
        any_kept = True
        yield f"- {_at(one.at)} {plain(_word(one, 'action'), _WORD)}: `{plain(str(value['digest']), 80)}`"
        findings = value.get("findings")
        yield from (f"  - {plain(str(line), _LINE)}" for line in (findings[:20] if is_list(findings) else ()))
    if not any_kept:
        yield "None was kept."


def _duties(people: CoordinationStatus | None) -> Iterator[str]:
    for one in people.deadlines if people else ():
        done = one.done_at is not None
        how = f"done by {one.done_by}" if done else f"due {_at(one.due)}"
        yield f"- [{'x' if done else ' '}] {plain(one.title, _LINE)}: {plain(how, _WORD)}"
    yield "- [ ] What keeps it from coming back: who, and by when?"
    yield "- [ ] What would have told it earlier?"
    yield "- [ ] Should the playbook do more, or ask less?"


def _earlier(rows: Sequence[IncidentRow]) -> Iterator[str]:
    table = [(_at(one.opened_at), one.id, one.outcome or one.state, one.reason) for one in rows]
    if table:
        yield from _table(("at", "incident", "outcome", "reason"), table)
    else:
        yield f"Not within the {LOOKED_BACK.days} days before, with the same playbook and service."


def _timeline(records: Sequence[StoredRecord]) -> Iterator[str]:
    wanted = records if len(records) <= MAX_LINES else [one for one in records if one.kind not in _QUIET]
    half = MAX_LINES // 2
    shown = wanted if len(wanted) <= MAX_LINES else [*wanted[:half], *wanted[-half:]]
    yield from _table(
        ("at", "what", "step", "who", ""),
        [(_at(one.at), one.kind.value, one.step, one.actor, one.message) for one in shown],
    )
    if len(shown) < len(records):
        yield ""
        yield f"{len(records) - len(shown)} of {len(records)} records are left out here."


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(columns)} |"
    yield f"|{'---|' * len(columns)}"
    yield from (f"| {' | '.join(plain(cell, _LINE) for cell in row)} |" for row in rows)


def _at(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}"


def _since(began: datetime, at: datetime) -> str:
    return format_duration(timedelta(seconds=round(max((at - began).total_seconds(), 0))))
