"""Which alerts of rule files have a playbook, which have none, and which triggers no rule can fire. Pure.

A rule says the name of its alerts and some of their labels. What its expression leaves on them, what Prometheus adds
(`external_labels`), and what a trigger's `if` would say is not known beforehand: a trigger that hangs on it *may* take
the alert, and says on what it hangs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from halon.contracts.playbook import Playbook, Trigger
from halon.core.matching import label_matches
from halon.documents import nearest
from halon.playbook.lint_triggers import labels_meet
from halon.playbook.rule_files import AlertRule

_MAX_SHOWN = 3
"""Rules that a reason names."""
_NEAR = "; did you mean"


@dataclass(frozen=True, slots=True)
class Taker:
    """A playbook that a rule's alerts may start."""

    playbook: str
    when: tuple[str, ...] = ()
    """What must hold besides, one phrase each; empty when it takes every alert of the rule."""


@dataclass(frozen=True, slots=True)
class Covered:
    """A rule and who takes its alerts. Without `takers` it is not covered."""

    rule: AlertRule
    takers: tuple[Taker, ...]
    refusals: tuple[str, ...]
    """One sentence for each playbook that asks for alerts of this name, and cannot take these."""

    @property
    def certain(self) -> bool:
        """Whether a playbook takes every alert of the rule."""
        return any(not taker.when for taker in self.takers)


@dataclass(frozen=True, slots=True)
class Unfired:
    """A trigger, or a name in it, that no rule can fire."""

    playbook: str
    file: str
    line: int
    alert: str
    """The name or glob in the trigger that no rule has; empty when it is the trigger as a whole."""
    reason: str


@dataclass(frozen=True, slots=True)
class Tally:
    """How many rules there are, and how many of them are covered."""

    rules: int
    covered: int

    @property
    def percent(self) -> float:
        """One digit after the point, never rounded up to 100; without rules there is nothing left to cover."""
        return int(1000 * self.covered / self.rules) / 10 if self.rules else 100.0


@dataclass(frozen=True, slots=True)
class Coverage:
    """What a catalogue does for rules."""

    rules: tuple[Covered, ...]
    ignored: tuple[AlertRule, ...]
    """Left out of the count on demand."""
    unfired: tuple[Unfired, ...]
    """Triggers that no rule can fire."""
    unknown_names: tuple[Unfired, ...]
    """Names in other triggers that no rule has."""
    elsewhere: tuple[str, ...]
    """Playbooks whose alerts come from other sources than Prometheus."""

    @property
    def total(self) -> Tally:
        """Over all rules."""
        return _tally(self.rules)

    @property
    def by_severity(self) -> dict[str, Tally]:
        """For each severity that a rule has, the usual ones first."""
        usual = {"critical": 0, "warning": 1, "info": 2, "none": 3}
        names = {one.rule.severity for one in self.rules}
        return {
            name: _tally([one for one in self.rules if one.rule.severity == name])
            for name in sorted(names, key=lambda name: (usual.get(name, len(usual)), name))
        }


@dataclass(frozen=True, slots=True)
class Listener:
    """A playbook with a trigger, and where that stands in its file."""

    playbook: Playbook
    trigger: Trigger
    file: str
    lines: tuple[int, ...]
    """Of each name in `trigger.alerts`."""

    @property
    def name(self) -> str:
        """The playbook's."""
        return self.playbook.metadata.name


def coverage(
    listeners: Sequence[Listener], rules: Sequence[AlertRule], sources: Sequence[str], ignore: Sequence[str] = ()
) -> Coverage:
    """Hold rules against triggers.

    `sources` names the sources through which Prometheus' alerts come in, for triggers that ask for some; `ignore` holds
    names and globs of alerts that nothing is to be done about.
    """
    covered = [_covered(rule, listeners, sources) for rule in rules]
    taken = {taker.playbook for one in covered for taker in one.takers}
    names = frozenset(rule.name for rule in rules)
    here = [one for one in listeners if _from_here(one.trigger, sources)]
    dead = [one for one in here if one.name not in taken]
    return Coverage(
        rules=tuple(one for one in covered if not _named(ignore, one.rule.name)),
        ignored=tuple(rule for rule in rules if _named(ignore, rule.name)),
        unfired=tuple(_unfired(one, rules, names) for one in dead),
        unknown_names=tuple(gap for one in here if one.name in taken for gap in _unknown(one, names)),
        elsewhere=tuple(one.name for one in listeners if not _from_here(one.trigger, sources)),
    )


def takes(trigger: Trigger, rule: AlertRule, sources: Sequence[str]) -> tuple[tuple[str, ...], str]:
    """Whether the trigger can take alerts of the rule: what must hold besides, or the reason why it never does."""
    if not _named(trigger.alerts, rule.name):
        return (), f"alert {rule.name} is none of {', '.join(trigger.alerts)}"
    if not _from_here(trigger, sources):
        return (), f"source {' or '.join(sources)} is none of {', '.join(trigger.sources)}"
    labels: Mapping[str, str] = {**rule.labels, "alertname": rule.name}
    when: list[str] = []
    for label, patterns in sorted(trigger.labels.items()):
        wanted = ", ".join(pattern or "missing" for pattern in patterns) or "anything"
        if label not in labels:
            if not labels_meet(patterns, ()):
                return (), f"no value of label {label} is {wanted}"
            if patterns:
                when.append(f"{label} is {wanted}")
        elif not label_matches(patterns, labels[label]):
            return (), f"label {label} is {labels[label] or 'empty'}, not {wanted}"
    if trigger.if_ is not None:
        when.append(f"if {' '.join(trigger.if_.split())}")
    return tuple(when), ""


def _covered(rule: AlertRule, listeners: Sequence[Listener], sources: Sequence[str]) -> Covered:
    takers: list[Taker] = []
    refusals: list[str] = []
    for one in listeners:
        if not _named(one.trigger.alerts, rule.name):
            continue
        when, never = takes(one.trigger, rule, sources)
        if never:
            refusals.append(f"{one.name}: {never}")
        else:
            takers.append(Taker(one.name, when))
    return Covered(rule, tuple(takers), tuple(refusals))


def _unfired(one: Listener, rules: Sequence[AlertRule], names: frozenset[str]) -> Unfired:
    """Why no rule can fire a trigger."""
    named = [rule for rule in rules if _named(one.trigger.alerts, rule.name)]
    if not named:
        gaps = _unknown(one, names)
        reason = "; ".join(gap.reason for gap in gaps[:_MAX_SHOWN])
    else:
        reasons = dict.fromkeys(takes(one.trigger, rule, ())[1] for rule in named)
        reason = f"{', '.join(rule.place for rule in named[:_MAX_SHOWN])}: {'; '.join(list(reasons)[:_MAX_SHOWN])}"
    return Unfired(one.name, one.file, one.lines[0] if one.lines else 1, "", reason)


def _unknown(one: Listener, names: frozenset[str]) -> list[Unfired]:
    """Names of a trigger that no rule has."""
    gaps: list[Unfired] = []
    for number, pattern in enumerate(one.trigger.alerts):
        if not any(fnmatchcase(name, pattern) for name in names):
            line = one.lines[number] if number < len(one.lines) else 1
            near = nearest(pattern, names)
            reason = f"no rule fires {pattern}{near if near.startswith(_NEAR) else ''}"
            gaps.append(Unfired(one.name, one.file, line, pattern, reason))
    return gaps


def _from_here(trigger: Trigger, sources: Sequence[str]) -> bool:
    return not trigger.sources or not sources or any(_named(trigger.sources, source) for source in sources)


def _named(patterns: Sequence[str], name: str) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _tally(rules: Sequence[Covered]) -> Tally:
    return Tally(len(rules), sum(bool(one.takers) for one in rules))
