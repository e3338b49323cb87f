"""What is told of one incident, in which words: events for the audit, drafts for people, lines for the thread. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from halon.contracts.alert import Alert
from halon.contracts.audit import AuditKind
from halon.contracts.base import JsonObject
from halon.contracts.communication import CHANNEL
from halon.contracts.coordination import CoordinationInput, CoordinationState, Question
from halon.core.runtime import Event
from halon.core.scope import alert_scope, metadata_scope
from halon.core.threads import Threads
from halon.core.wording import Wording

BUTTONS = "slack"
"""The channel whose messages have buttons."""
MAX_LINE = 600
_LAST_LINES = 10

Kind = Literal["page", "ticket", "update", "question", "duty"]
Severity = Literal["info", "warning", "critical"]


@dataclass(frozen=True, slots=True)
class Draft:
    """A message to people, before it is known who and where they are."""

    kind: Kind
    to: tuple[str, ...]
    title: str
    body: str
    severity: Severity = "info"
    question: Question | None = None


class Bulletin:
    """Puts what happens into words."""

    def __init__(
        self, given: CoordinationInput, state: CoordinationState, facts: Callable[[], Mapping[str, str]]
    ) -> None:
        self._given, self._spec = given, given.communication
        self._wording = Wording(self._spec.templates)
        self._facts = facts
        self._events: list[Event] = []
        self._drafts: list[Draft] = []
        self.threads = Threads(self._spec.threads, state.threads, state.lines, state.first_line)
        self.alerts = list(state.alerts or given.alerts)

    def drain(self) -> tuple[tuple[Event, ...], tuple[Draft, ...]]:
        """Give what happened and what is to be told since this was asked last."""
        events, drafts = tuple(self._events), tuple(self._drafts)
        self._events.clear()
        self._drafts.clear()
        return events, drafts

    def line(self, at: datetime, now: datetime, text: str) -> None:
        """Put a line to the thread's news."""
        plain = " ".join(text.split())
        self.threads.add(f"{at:%H:%M:%S} {plain[:MAX_LINE]}", now, self._spec.gather)

    def note(self, kind: AuditKind, message: str, data: JsonObject, actor: str = "halon") -> None:
        """Put something into the audit alone."""
        self._events.append(Event(kind, message, actor=actor, data=data))

    def tell(self, now: datetime, kind: AuditKind, message: str, data: JsonObject, actor: str = "halon") -> None:
        """Put something into the audit and the thread."""
        self.note(kind, message, data, actor)
        self.line(now, now, message)

    def page(self, to: Sequence[str], now: datetime, why: str = "") -> None:
        """Call people, because an objective is threatened."""
        scope = self.scope(self._latest(), now)
        body = self._wording.text("page_body", scope)
        title = self._wording.text("page_title", scope)
        self._drafts.append(Draft("page", tuple(to), title, f"{why}\n\n{body}" if why else body, "critical"))

    def ticket(self, now: datetime, why: str = "") -> None:
        """Put the incident where people find it in the morning."""
        if not self._spec.tickets:
            return
        scope = self.scope(self._latest(), now)
        body = self._wording.text("ticket_body", scope)
        to = tuple(f"channel:{one}" for one in self._spec.tickets)
        title = self._wording.text("ticket_title", scope)
        self._drafts.append(Draft("ticket", to, title, f"{why}\n\n{body}" if why else body, "warning"))

    @property
    def floors(self) -> tuple[str, ...]:
        """Channels where a question is put before everybody, with buttons to answer it."""
        return tuple(f"{CHANNEL}{one}" for one in self._spec.threads if one == BUTTONS)

    def direct(  # one for each part of a message
        self,
        kind: Kind,
        to: Sequence[str],
        title: str,
        body: str,
        severity: Severity = "info",
        question: Question | None = None,
    ) -> None:
        """Tell people something in so many words."""
        if to:
            self._drafts.append(Draft(kind, tuple(dict.fromkeys(to)), title, body, severity, question))

    def update(self, news: Sequence[str], left_out: int, now: datetime) -> tuple[str, str]:
        """Title and body of a thread's next message."""
        older = [f"({left_out} older news left out)"] if left_out else []
        scope = self.scope([*older, *news], now)
        return self._wording.text("update_title", scope), self._wording.text("update_body", scope)

    def words(self, name: str, now: datetime) -> str:
        """A template filled in, without news."""
        return self._wording.text(name, self.scope((), now))

    def scope(self, news: Sequence[str], now: datetime) -> dict[str, object]:
        """What templates see."""
        given = self._given
        facts = self._facts()
        incident = {
            "id": given.incident,
            "title": given.metadata.title,
            "service": given.service,
            "severity": given.severity,
            "opened": f"{given.opened_at:%Y-%m-%d %H:%M:%S} UTC",
            "started_by": given.started_by,
            **facts,
        }
        first = {"alert": alert_scope(self.alerts[0], now)} if self.alerts else {}
        return {
            "incident": incident,
            "news": list(news),
            "metadata": metadata_scope(given.metadata),
            "environment": self._spec.environment,
            "now": now,
            **first,
        }

    def _latest(self) -> Sequence[str]:
        return self.threads.lines[-_LAST_LINES:]


def about(alert: Alert) -> str:
    """What an alert says of itself, in a few words."""
    words = alert.annotations.get("summary") or alert.annotations.get("description") or ""
    return f": {' '.join(words.split())[:300]}" if words else ""


def long_ago(opened: datetime, now: datetime) -> timedelta:
    """How long something has lasted, in whole seconds."""
    return timedelta(seconds=max(0, round((now - opened).total_seconds())))
