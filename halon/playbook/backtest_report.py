"""What a back-test came to: counted by playbook, and the things worth knowing in their order."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from halon.contracts.alert import Alert
from halon.contracts.audit import AuditKind
from halon.contracts.base import Json, JsonObject
from halon.contracts.outcome import Outcome, RunResult
from halon.core.runtime import Event
from halon.core.virtual import Told

MAX_NOTABLE = 10_000
"""Entries of the timeline; later ones are counted."""
MAX_UNMATCHED = 1000
"""Names of alerts without a playbook that are kept apart."""
MAX_SENTENCES = 5
"""Sentences of one kind that are kept for a playbook."""

_GUARD_OF = (
    ("change freeze ", "freeze"),
    ("the circuit breaker of ", "breaker"),
    ("the rate of ", "rate"),
    ("the budget ", "budget"),
    ("the lock ", "lock"),
)
"""How the guards' refusals begin."""
_NOTABLE_GUARDS = frozenset(
    {
        AuditKind.STORM_BEGAN,
        AuditKind.STORM_ENDED,
        AuditKind.BREAKER_OPENED,
        AuditKind.BREAKER_TRIPPED,
        AuditKind.BREAKER_CLOSED,
        AuditKind.LOCK_KEPT,
    }
)


@dataclass(frozen=True, slots=True)
class Notable:
    """One thing that is worth knowing."""

    at: datetime
    what: str
    """A word for it: an outcome, or `storm.began`, `reopened`, `suppressed`."""
    playbook: str
    incident: str
    message: str


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run ended."""

    incident: str
    result: RunResult
    took: timedelta
    refusals: tuple[str, ...]
    """What the guards said when they refused."""
    unanswered: tuple[str, ...]
    """Reads that nobody has given an answer of: the run then ended otherwise than a real one."""
    answers: str
    """Whose answers were taken."""
    flapping: bool
    told: tuple[Told, ...]


@dataclass(slots=True)
class PlaybookTally:
    """What one playbook would have done."""

    incidents: int = 0
    reopened: int = 0
    repeats: int = 0
    """Alerts that came again, or belonged to an incident that was open, and were not acted on."""
    suppressed: int = 0
    """Incidents that `after` or `once` kept from a run."""
    runs: int = 0
    outcomes: Counter[str] = field(default_factory=Counter[str])
    refused_by: Counter[str] = field(default_factory=Counter[str])
    """By guard, or `playbook` for a refusal of its own."""
    asked: int = 0
    """Questions that people were asked."""
    expired: int = 0
    changes: int = 0
    """Changes that took effect."""
    undone: int = 0
    flapping: int = 0
    unanswered: int = 0
    """Runs that missed an answer."""
    missing: dict[str, None] = field(default_factory=dict[str, None])
    answers: dict[str, None] = field(default_factory=dict[str, None])


@dataclass(frozen=True, slots=True)
class Uncovered:
    """Alerts of one name that no playbook took."""

    name: str
    count: int
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BacktestReport:
    """What the playbooks would have done."""

    playbooks: int
    """How many there are, also those that did nothing."""
    alerts: int
    firing: int
    first: datetime | None
    last: datetime | None
    by_playbook: dict[str, PlaybookTally]
    unmatched: tuple[Uncovered, ...]
    storms: int
    timeline: tuple[Notable, ...]
    left_out: int
    """Entries of the timeline that were too many."""

    def to_json(self) -> JsonObject:
        """The same for machines."""
        return {
            "alerts": {
                "count": self.alerts,
                "firing": self.firing,
                "first": _at(self.first),
                "last": _at(self.last),
                "unmatched": sum(one.count for one in self.unmatched),
            },
            "storms": self.storms,
            "playbooks": {name: _tally_json(tally) for name, tally in self.by_playbook.items()},
            "idle_playbooks": self.playbooks - len(self.by_playbook),
            "unmatched": [
                {"alert": one.name, "count": one.count, "reasons": list(one.reasons)} for one in self.unmatched
            ],
            "timeline": [
                {
                    "at": one.at.isoformat(),
                    "what": one.what,
                    "playbook": one.playbook,
                    "incident": one.incident,
                    "message": one.message,
                }
                for one in self.timeline
            ],
            "timeline_left_out": self.left_out,
        }


class Tallies:
    """Counts while a back-test goes on."""

    def __init__(self) -> None:
        self._alerts = self._firing = self._storms = self._left_out = 0
        self._first: datetime | None = None
        self._last: datetime | None = None
        self._books: dict[str, PlaybookTally] = {}
        self._unmatched: Counter[str] = Counter()
        self._reasons: dict[str, dict[str, None]] = {}
        self._timeline: list[Notable] = []

    def arrived(self, at: datetime, *, firing: bool) -> None:
        """An alert came."""
        self._alerts += 1
        self._firing += firing
        self._first = self._first or at
        self._last = at

    def unmatched(self, alert: Alert, reasons: Sequence[str]) -> None:
        """No playbook takes it."""
        if alert.name not in self._unmatched and len(self._unmatched) >= MAX_UNMATCHED:
            return
        self._unmatched[alert.name] += 1
        known = self._reasons.setdefault(alert.name, {})
        for reason in reasons:
            if len(known) < MAX_SENTENCES:
                known[reason] = None

    def opened(self, playbook: str, at: datetime, incident: str, *, reopened: bool) -> None:
        """An incident opened, or went on."""
        tally = self._tally(playbook)
        tally.incidents += not reopened
        tally.reopened += reopened
        if reopened:
            self._note(Notable(at, "reopened", playbook, incident, "the alert is back soon after success"))

    def repeated(self, playbook: str) -> None:
        """An alert was counted and not acted on."""
        self._tally(playbook).repeats += 1

    def suppressed(self, playbook: str, at: datetime, incident: str, result: RunResult) -> None:
        """`after` or `once` kept an incident from a run."""
        self._tally(playbook).suppressed += 1
        self._note(Notable(at, "suppressed", playbook, incident, result.reason))

    def ended(self, playbook: str, at: datetime, ending: Ending) -> None:
        """A run ended."""
        tally, result = self._tally(playbook), ending.result
        tally.runs += 1
        tally.outcomes[result.outcome.value] += 1
        if result.outcome is Outcome.REFUSED:
            guards = sorted({_guard(reason) for reason in ending.refusals}) or ["playbook"]
            tally.refused_by.update(guards)
        kinds = Counter(told.event.kind for told in ending.told)
        tally.asked += kinds[AuditKind.APPROVAL_ASKED]
        tally.expired += kinds[AuditKind.EXPIRED]
        tally.changes += len(result.applied)
        tally.undone += len(result.undone)
        tally.flapping += ending.flapping
        tally.answers[ending.answers] = None
        if ending.unanswered:
            tally.unanswered += 1
            for sentence in ending.unanswered:
                if len(tally.missing) < MAX_SENTENCES:
                    tally.missing[sentence] = None
        if not result.outcome.success or ending.unanswered:
            self._note(Notable(at, result.outcome.value, playbook, ending.incident, result.reason))

    def guards_said(self, at: datetime, event: Event) -> None:
        """The ledger has something to tell."""
        self._storms += event.kind is AuditKind.STORM_BEGAN
        if event.kind in _NOTABLE_GUARDS:
            incident = event.data.get("incident")
            self._note(Notable(at, event.kind.value, "", incident if isinstance(incident, str) else "", event.message))

    def report(self, playbooks: int) -> BacktestReport:
        """Give what was counted."""
        common = sorted(self._unmatched.items(), key=lambda one: (-one[1], one[0]))
        return BacktestReport(
            playbooks=playbooks,
            alerts=self._alerts,
            firing=self._firing,
            first=self._first,
            last=self._last,
            by_playbook=dict(sorted(self._books.items())),
            unmatched=tuple(Uncovered(name, count, tuple(self._reasons[name])) for name, count in common),
            storms=self._storms,
            timeline=tuple(self._timeline),
            left_out=self._left_out,
        )

    def _tally(self, playbook: str) -> PlaybookTally:
        return self._books.setdefault(playbook, PlaybookTally())

    def _note(self, notable: Notable) -> None:
        if len(self._timeline) < MAX_NOTABLE:
            self._timeline.append(notable)
        else:
            self._left_out += 1


def _guard(reason: str) -> str:
    found = next((guard for begins, guard in _GUARD_OF if reason.startswith(begins)), "")
    return found or ("pause" if " is paused by " in reason else "other")


def _tally_json(tally: PlaybookTally) -> dict[str, Json]:
    return {
        "incidents": tally.incidents,
        "reopened": tally.reopened,
        "repeats": tally.repeats,
        "suppressed": tally.suppressed,
        "runs": tally.runs,
        "outcomes": dict(sorted(tally.outcomes.items())),
        "refused_by": dict(sorted(tally.refused_by.items())),
        "asked": tally.asked,
        "expired": tally.expired,
        "changes": tally.changes,
        "undone": tally.undone,
        "flapping": tally.flapping,
        "unanswered": tally.unanswered,
        "missing": list(tally.missing),
        "answers": list(tally.answers),
    }


def _at(time: datetime | None) -> str | None:
    return time.isoformat() if time else None
