"""From what Halon knows of an incident to what its page says. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from halon.contracts.audit import AuditKind, StoredRecord
from halon.contracts.base import Json, is_object
from halon.contracts.people import Electorate, Principal
from halon.contracts.run import OpenGate
from halon.core.ids import run_id
from halon.gateway.console.shown import line, passage
from halon.operations.plans import PlanView, of_plan
from halon.operations.showing import Shown

MAX_LINES = 100
"""Lines of the timeline that a page begins with."""
MAX_ALERTS = 10
MAX_LABELS = 30
_TONES = {
    "approval": "warn",
    "approved": "good",
    "confirmed": "good",
    "denied": "warn",
    "verified": "good",
    "unverified": "warn",
    "step.failed": "bad",
    "undo.failed": "bad",
    "decision.refused": "warn",
    "run.refused": "warn",
    "diagnosed": "warn",
    "expired": "warn",
    "held": "warn",
}
_OUTCOMES = {
    "remediated": "good",
    "unnecessary": "good",
    "resolved": "good",
    "dry_run": "",
    "failed": "bad",
}
_SEVERITIES = {"critical": "bad", "page": "bad", "error": "bad", "warning": "warn"}


@dataclass(frozen=True, slots=True)
class Line:
    """One line of what happened."""

    position: int
    at: datetime
    what: str
    tone: str
    step: str
    text: str
    by: str


@dataclass(frozen=True, slots=True)
class Question:
    """What waits for people."""

    step: str
    digest: str
    """Of all that is asked about, in whole: a decision is for this and nothing else."""
    headline: str
    asked_at: datetime
    until: datetime
    quorum: int
    approved_by: Sequence[str]
    asked: Sequence[str]
    """Who is asked, as the playbook names them, each with the people who that is."""
    missing_people: Sequence[str]
    """Who is asked and could not be found, with the reason."""
    counts: bool
    """Whether an approval of whoever looks would count."""
    message: str
    plans: Sequence[PlanView]
    unplanned: Sequence[str]

    @property
    def missing(self) -> int:
        """How many more must approve."""
        return max(0, self.quorum - len(self.approved_by))


@dataclass(frozen=True, slots=True)
class Trouble:
    """An alert of the incident."""

    name: str
    labels: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Standing:
    """How an incident stands, in a word and its tone."""

    word: str
    tone: str


def question_of(gate: OpenGate, who: Principal, now: datetime) -> Question:
    """View a question, as somebody sees it."""
    plans = [of_plan(plan) for plan in gate.plans]
    if len(plans) == 1:
        headline = line(plans[0].summary)
    elif plans:
        headline = f"Make {len(plans)} changes"
    else:
        headline = f"Go on with step {line(gate.step)}"
    return Question(
        step=gate.step,
        digest=gate.digest,
        headline=headline,
        asked_at=gate.asked_at,
        until=gate.asked_at + gate.within,
        quorum=gate.quorum,
        approved_by=gate.approved_by,
        asked=_asked(gate),
        missing_people=gate.electorate.missing,
        counts=_counts(gate.electorate, who, now),
        message=gate.message,
        plans=plans,
        unplanned=gate.unplanned,
    )


def questions_of(shown: Shown, who: Principal, now: datetime) -> list[Question]:
    """All that waits in an incident, as somebody sees it."""
    return [question_of(gate, who, now) for gate in shown.run.gates] if shown.run else []


def _asked(gate: OpenGate) -> list[str]:
    found: list[str] = []
    for reference in gate.from_:
        people = [one.person for one in gate.electorate.electors if reference in one.asked_as]
        found.append(reference if people in ([], [reference]) else f"{reference} ({', '.join(people)})")
    return found


def _counts(asked: Electorate, who: Principal, now: datetime) -> bool:
    """Whether somebody is among those who may approve. The run itself decides; this only tells them beforehand."""
    if asked.starter is not None and asked.starter.is_called(who.person):
        return False
    return (
        asked.anyone
        or any(group in asked.groups for group in who.groups)
        or any(
            one.is_called(who.person) or any(two.person == who.person and two.holds(now) for two in one.deputies)
            for one in asked.electors
        )
    )


def standing(state: str, outcome: str, *, waiting: bool) -> Standing:
    """Say how an incident stands."""
    if outcome:
        return Standing(outcome.replace("_", " "), _OUTCOMES.get(outcome, "warn"))
    return Standing("waits for a decision", "warn") if waiting else Standing(state, "")


def standing_of(shown: Shown) -> Standing:
    """Say how an incident stands that was looked at."""
    run, row = shown.run, shown.row
    state = run.state if run and not row.outcome else row.state
    return standing(state, row.outcome, waiting=bool(run and run.gates))


def severity_tone(severity: str) -> str:
    """The tone of a severity."""
    return _SEVERITIES.get(severity.lower(), "")


def line_of(record: StoredRecord) -> Line:
    """View a record."""
    kind = record.kind.value
    return Line(
        position=record.position,
        at=record.at,
        what=kind.replace(".", " ").replace("_", " "),
        tone=_TONES.get(kind) or _TONES.get(kind.partition(".")[0], ""),
        step=line(record.step),
        text=passage(record.message),
        by="" if record.actor == "halon" else line(record.actor),
    )


def troubles_of(records: Sequence[StoredRecord]) -> list[Trouble]:
    """The alerts that an incident's records tell of, the first ones."""
    found: dict[str, Trouble] = {}
    for record in records:
        if record.kind is AuditKind.ALERT_RECEIVED and len(found) < MAX_ALERTS:
            labels = record.data.get("labels")
            pairs = [(line(name, 100), line(str(text))) for name, text in _pairs(labels)[:MAX_LABELS]]
            found.setdefault(str(record.data.get("episode")), Trouble(line(str(record.data.get("alert", ""))), pairs))
    return list(found.values())


def workflow_of(shown: Shown) -> str:
    """The workflow id of an incident's run, as Temporal has it."""
    return run_id(shown.row.id, shown.row.runs)


def _pairs(labels: Json) -> list[tuple[str, Json]]:
    return sorted(labels.items()) if is_object(labels) else []
