"""Which alerts are one incident, and what becomes of a batch of alerts."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from halon.contracts.alert import Alert
from halon.contracts.base import Json, digest
from halon.contracts.playbook import Playbook
from halon.core.expressions import EvaluationError, render
from halon.core.matching import match, names_alert
from halon.core.scope import trigger_scope

_GROUP_DIGITS = 10
_MAX_NAMES = 1000
_TIMELY = re.compile(r"\b(?:age|now)\b")


@dataclass(frozen=True, slots=True)
class AlertGroup:
    """Alerts that one playbook takes and that are the same incident, in the order in which they came."""

    id: str
    playbook: Playbook
    alerts: tuple[Alert, ...]


@dataclass(frozen=True, slots=True)
class Unmatched:
    """An alert that no playbook takes. `reasons` holds one sentence for each playbook that knows the alert's name."""

    alert: Alert
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Triage:
    """What becomes of a batch of alerts."""

    groups: tuple[AlertGroup, ...]
    unmatched: tuple[Unmatched, ...]


def group_id(playbook: Playbook, alert: Alert, now: datetime) -> str:
    """Name the incident that the alert belongs to: the playbook and a digest of what its `group_by` says.

    A label that is missing counts as empty. Without `group_by` every condition is its own incident.

    Raises:
        EvaluationError: an expression in `group_by` has no value for this alert.
    """
    names = playbook.trigger.group_by if playbook.trigger else ()
    values: Json
    if names:
        scope = trigger_scope(playbook.metadata, alert, now)
        values = [[name, _value(name, alert, scope)] for name in names]
    else:
        values = [alert.source, alert.fingerprint]
    return f"{playbook.metadata.name}-{digest(values)[:_GROUP_DIGITS]}"


def _value(name: str, alert: Alert, scope: Mapping[str, object]) -> Json:
    return render(name, scope) if "${{" in name else alert.labels.get(name, "")


class Triggers:
    """The playbooks that alerts may start, found by the alert's name."""

    def __init__(self, playbooks: Iterable[Playbook]) -> None:
        self._playbooks = sorted((p for p in playbooks if p.trigger is not None), key=lambda p: p.metadata.name)
        self._naming: dict[str, tuple[Playbook, ...]] = {}

    def naming(self, alert: Alert) -> tuple[Playbook, ...]:
        """Give the playbooks that ask for alerts of this name, by their own names. Others say nothing about it."""
        found = self._naming.get(alert.name)
        if found is None:
            found = tuple(playbook for playbook in self._playbooks if names_alert(playbook, alert))
            if len(self._naming) < _MAX_NAMES:
                self._naming[alert.name] = found
        return found

    def timely(self, alert: Alert) -> bool:
        """Whether what becomes of the alert may depend on the time at which that is asked."""
        return any(_TIMELY.search(text) for playbook in self.naming(alert) for text in _expressions(playbook))

    def triage(self, alerts: Sequence[Alert], now: datetime) -> Triage:
        """Sort alerts by playbook and incident. An alert may belong to several playbooks, and to none."""
        groups: dict[str, tuple[Playbook, list[Alert]]] = {}
        unmatched: list[Unmatched] = []
        for alert in alerts:
            taken = False
            reasons: list[str] = []
            for playbook in self.naming(alert):
                answer = match(playbook, alert, now)
                if not answer.matched:
                    reasons.append(f"{playbook.metadata.name}: {answer.reason}")
                    continue
                try:
                    group = group_id(playbook, alert, now)
                except EvaluationError as error:
                    reasons.append(f"{playbook.metadata.name}: its `group_by` has no value for this alert: {error}")
                    continue
                taken = True
                groups.setdefault(group, (playbook, []))[1].append(alert)
            if not taken:
                unmatched.append(Unmatched(alert, tuple(reasons)))
        return Triage(
            groups=tuple(AlertGroup(group, playbook, tuple(members)) for group, (playbook, members) in groups.items()),
            unmatched=tuple(unmatched),
        )


def triage(playbooks: Iterable[Playbook], alerts: Sequence[Alert], now: datetime) -> Triage:
    """Sort alerts once. Who does it often keeps `Triggers`."""
    return Triggers(playbooks).triage(alerts, now)


def _expressions(playbook: Playbook) -> Iterable[str]:
    trigger = playbook.trigger
    return () if trigger is None else (trigger.if_ or "", *trigger.group_by)
