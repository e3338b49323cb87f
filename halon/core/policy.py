"""Policy: rules above all playbooks, asked about every planned change. Pure; a rule that has no answer denies."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from halon.contracts.base import format_duration
from halon.contracts.policy import PolicyRule
from halon.contracts.steps import Approve
from halon.core.expressions import EvaluationError, ExpressionError, ScopeValue, compile_expression, condition
from halon.errors import Misconfigured

NAMES = frozenset({"step", "playbook", "alert", "environment", "now"})
"""What a rule's expression may use."""


@dataclass(frozen=True, slots=True)
class Ruling:
    """What the rules come to for one change."""

    denied: tuple[str, ...] = ()
    """Why it is never made, one sentence a rule."""
    quorum: int = 0
    """People that must approve; 0 when no rule asks for any."""
    from_: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    """Names of the rules that ask for people."""


def judge(rules: Iterable[PolicyRule], facts: Mapping[str, ScopeValue], expires: timedelta | None) -> Ruling:
    """Ask every rule about one change. `facts` are the `NAMES`; `expires` is the change's lease."""
    denied: list[str] = []
    reasons: list[str] = []
    people: list[str] = []
    quorum = 0
    for rule in rules:
        try:
            if not condition(rule.if_, facts):
                continue
        except EvaluationError as error:
            denied.append(f"policy '{rule.name}' has no answer, which denies: {error}")
            continue
        if rule.deny is not None:
            denied.append(f"policy '{rule.name}': {rule.deny}")
        elif rule.require_lease is not None and (expires is None or expires > rule.require_lease):
            most = format_duration(rule.require_lease)
            denied.append(f"policy '{rule.name}': the change must be given back: set `expires`, at most {most}")
        elif rule.require is not None:
            quorum = max(quorum, rule.require.quorum)
            people += rule.require.from_
            reasons.append(rule.name)
    return Ruling(tuple(denied), quorum, tuple(dict.fromkeys(people)), tuple(reasons))


def tightened(approve: Approve | None, ruling: Ruling) -> Approve | None:
    """Give the question as the policy wants it: never fewer people, and only those whom it names, if it does."""
    if not ruling.quorum:
        return approve
    base = approve or Approve(message=f"policy {', '.join(ruling.reasons)} asks for it")
    return base.model_copy(update={"quorum": max(base.quorum, ruling.quorum), "from_": ruling.from_ or base.from_})


def check_rules(rules: Iterable[PolicyRule]) -> None:
    """Compile every rule, so that a wrong one stops the start and not a remediation.

    Raises:
        Misconfigured: one does not compile, or uses a name that rules do not have.
    """
    for index, rule in enumerate(rules):
        try:
            expression = compile_expression(rule.if_, NAMES)
        except ExpressionError as error:
            raise Misconfigured(f"policy[{index}] ('{rule.name}') in halon.yaml: `if`: {error}") from error
        strange = sorted({path[0] for path in expression.references} - NAMES)
        if strange:
            known = ", ".join(sorted(NAMES))
            raise Misconfigured(f"policy[{index}] ('{rule.name}') in halon.yaml: no name {strange[0]}; known: {known}")
        if expression.type not in {"bool", "dyn"}:
            raise Misconfigured(f"policy[{index}] ('{rule.name}') in halon.yaml: `if` must be true or false")
