"""Whom an incident is for: whether an objective is threatened, so that people are called, which duties begin. Pure.

Whether something holds is asked of each alert. What has no answer counts as `unclear` says: a person is called rather
than not, and nothing becomes public that might not.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from fnmatch import fnmatchcase
from typing import NamedTuple

from halon.contracts.alert import Alert
from halon.contracts.communication import Communication, Condition
from halon.contracts.playbook import Metadata
from halon.core.expressions import EvaluationError, ExpressionError, compile_expression, condition
from halon.core.matching import label_matches
from halon.core.scope import alert_scope, metadata_scope
from halon.errors import Misconfigured

NAMES = frozenset({"alert", "metadata", "environment", "now"})
"""What the expression of a rule may use."""


class Found(NamedTuple):
    """The first rule that holds, and why."""

    rule: int
    reason: str


class Judge:
    """Asks rules about alerts of one incident."""

    def __init__(self, spec: Communication, metadata: Metadata) -> None:
        self._spec = spec
        self._metadata = metadata

    def page(self, alerts: Sequence[Alert], now: datetime) -> Found | None:
        """The rule by which an objective is threatened; None when none is."""
        return next(self._holding(self._spec.page, alerts, now, unclear=True), None)

    def status_page(self, alerts: Sequence[Alert], now: datetime) -> Found | None:
        """The rule by which the incident is on the status page."""
        return next(self._holding(self._spec.status_page, alerts, now, unclear=False), None)

    def duties(self, alerts: Sequence[Alert], now: datetime) -> tuple[Found, ...]:
        """Every duty that the incident brings. Without an alert, those that its playbook alone brings."""
        if alerts:
            return tuple(self._holding(self._spec.deadlines, alerts, now, unclear=True))
        return tuple(
            Found(index, f"playbook {self._metadata.name}")
            for index, rule in enumerate(self._spec.deadlines)
            if not (rule.severities or rule.labels or rule.if_)
            and any(fnmatchcase(self._metadata.name, one) for one in rule.playbooks)
        )

    def _holding(
        self, rules: Sequence[Condition], alerts: Sequence[Alert], now: datetime, *, unclear: bool
    ) -> Iterator[Found]:
        for index, rule in enumerate(rules):
            for alert in alerts:
                reason = self._why(rule, alert, now, unclear=unclear)
                if reason:
                    yield Found(index, reason)
                    break

    def _why(self, rule: Condition, alert: Alert, now: datetime, *, unclear: bool) -> str:
        """Why the rule holds for the alert, or nothing."""
        reasons: list[str] = []
        if rule.severities:
            if not any(fnmatchcase(alert.severity.casefold(), one.casefold()) for one in rule.severities):
                return ""
            reasons.append(f"severity {alert.severity}")
        if rule.playbooks:
            if not any(fnmatchcase(self._metadata.name, one) for one in rule.playbooks):
                return ""
            reasons.append(f"playbook {self._metadata.name}")
        for label, patterns in sorted(rule.labels.items()):
            value = alert.labels.get(label, "")
            if not label_matches((patterns,) if isinstance(patterns, str) else patterns, value):
                return ""
            reasons.append(f"label {label}={value[:60]}")
        if rule.if_ is not None:
            scope = {
                "alert": alert_scope(alert, now),
                "metadata": metadata_scope(self._metadata),
                "environment": self._spec.environment,
                "now": now,
            }
            try:
                if not condition(rule.if_, scope):
                    return ""
            except EvaluationError as error:
                return f"its `if` has no answer, so it counts: {error}" if unclear else ""
            reasons.append(f"`{rule.if_.strip()[3:-2].strip()[:80]}` is true")
        return f"alert {alert.name}: {', '.join(reasons)}"


def check_conditions(spec: Communication) -> None:
    """Compile every expression, so that a wrong one stops the start and not the telling.

    Raises:
        Misconfigured: one does not compile, or uses a name that rules do not have.
    """
    lists: tuple[tuple[str, Sequence[Condition]], ...] = (
        ("page", spec.page),
        ("deadlines", spec.deadlines),
        ("status_page.incidents", spec.status_page),
    )
    for name, rules in lists:
        for index, rule in enumerate(rules):
            if rule.if_ is not None:
                check_expression(rule.if_, NAMES, f"communication.{name}[{index}].if")


def check_expression(source: str, names: frozenset[str], place: str, *, any_type: bool = False) -> None:
    """Compile one expression that may use `names`.

    Raises:
        Misconfigured: it does not compile, uses another name, or is neither true nor false.
    """
    try:
        expression = compile_expression(source, names)
    except ExpressionError as error:
        raise Misconfigured(f"`{place}` in halon.yaml: {error}") from error
    strange = sorted({path[0] for path in expression.references} - names)
    if strange:
        raise Misconfigured(f"`{place}` in halon.yaml: no name {strange[0]}; known: {', '.join(sorted(names))}")
    if not any_type and expression.type not in {"bool", "dyn"}:
        raise Misconfigured(f"`{place}` in halon.yaml: `if` must be true or false")
