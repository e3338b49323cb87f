"""Whether a playbook's trigger takes an alert, and why or why not. The gateway and `halon test` ask."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase

from halon.contracts.alert import Alert, AlertStatus
from halon.contracts.playbook import Playbook
from halon.core.expressions import EvaluationError, condition
from halon.core.scope import trigger_scope

_SHOWN = 60
"""Characters of a label's value that a reason repeats: alerts come from outside and may be long."""


@dataclass(frozen=True, slots=True)
class Match:
    """A yes or no with its reason, one sentence without a full stop."""

    matched: bool
    reason: str


def match(playbook: Playbook, alert: Alert, now: datetime) -> Match:
    """Ask the trigger. `now` is what `alert.age` is counted to.

    An alert that has resolved is not held to `if`: the incident that it opened must learn of the end even when, for
    example, the alert has grown too old to open a new one.
    """
    trigger = playbook.trigger
    if trigger is None:
        return Match(matched=False, reason="the playbook has no trigger")
    if not _any(trigger.alerts, alert.name):
        return Match(matched=False, reason=f"alert {_short(alert.name)} is none of {', '.join(trigger.alerts)}")
    if trigger.sources and not _any(trigger.sources, alert.source):
        return Match(matched=False, reason=f"source {_short(alert.source)} is none of {', '.join(trigger.sources)}")
    for label, patterns in sorted(trigger.labels.items()):
        value = alert.labels.get(label, "")
        if not label_matches(patterns, value):
            shown = _short(value) if value else "missing"
            return Match(matched=False, reason=f"label {label} is {shown}, not {', '.join(patterns) or 'anything'}")
    if trigger.if_ is not None and alert.status is AlertStatus.FIRING:
        return _condition(playbook, trigger.if_, alert, now)
    return Match(matched=True, reason=f"the trigger of playbook {playbook.metadata.name} takes it")


def names_alert(playbook: Playbook, alert: Alert) -> bool:
    """Whether the trigger asks for alerts of this name at all, so that its reason for a no is worth telling."""
    return playbook.trigger is not None and _any(playbook.trigger.alerts, alert.name)


def label_matches(patterns: Sequence[str], value: str) -> bool:
    """Whether a label's value is one of the patterns that stand without `!`, and none of those that stand with it.

    A label that is missing is the same as an empty one, as Prometheus has it. It matches no pattern but the empty one:
    `*` asks for a label that is there, `!*` for one that is not.
    """
    wanted = [pattern for pattern in patterns if not pattern.startswith("!")]
    unwanted = [pattern[1:] for pattern in patterns if pattern.startswith("!")]
    if any(_is(pattern, value) for pattern in unwanted):
        return False
    return not wanted or any(_is(pattern, value) for pattern in wanted)


def _is(pattern: str, value: str) -> bool:
    return fnmatchcase(value, pattern) if value else not pattern


def _any(patterns: Sequence[str], value: str) -> bool:
    return any(fnmatchcase(value, pattern) for pattern in patterns)


def _condition(playbook: Playbook, source: str, alert: Alert, now: datetime) -> Match:
    try:
        holds = condition(source, trigger_scope(playbook.metadata, alert, now))
    except EvaluationError as error:
        return Match(matched=False, reason=f"its `if` cannot be answered for this alert: {error}")
    if not holds:
        return Match(matched=False, reason=f"its `if` is false: {source.strip()}")
    return Match(matched=True, reason=f"the trigger of playbook {playbook.metadata.name} takes it")


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}… ({len(text)} characters)"
