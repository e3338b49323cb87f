"""The installation's policy over what is known of a step before any alert: what it surely denies, or asks more for."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from halon.contracts.policy import PolicyRule
from halon.contracts.steps import ApproveStep, UsesStep
from halon.core.expressions import EvaluationError, ExpressionError, compile_expression
from halon.core.policy import NAMES, judge
from halon.core.scope import metadata_scope
from halon.playbook.lint_rules import Remark
from halon.playbook.lint_steps import Spot, Subject, follows


def against_policy(subject: Subject, _: Sequence[Subject]) -> Iterator[Remark]:
    """Judge each changing step by the rules that ask for nothing but what stands in the playbook."""
    for spot in subject.spots:
        action, step = subject.changing_action(spot.step), spot.step
        if action is None or not isinstance(step, UsesStep):
            continue
        around = [one.step for one in (*spot.around, spot)]
        expires = next((one.expires for one in reversed(around) if one.expires is not None), None)
        quorum = _quorum(spot, subject.spots)
        known: dict[str, Any] = {
            "action": step.uses,
            "effect": action.effect.value,
            "expires": expires,
            "quorum": quorum,
            "params": {name: value for name, value in step.with_.items() if "${{" not in repr(value)},
        }
        facts: dict[str, Any] = {
            "step": known,
            "playbook": metadata_scope(subject.playbook.metadata),
            "environment": subject.environment,
        }
        ruling = judge([rule for rule in subject.policy if _is_certain(rule, facts)], facts, expires)
        place = (*spot.path, "uses")
        for reason in ruling.denied:
            yield Remark(place, reason)
        if ruling.quorum > quorum:
            yield Remark(place, f"policy {', '.join(ruling.reasons)} asks {ruling.quorum} people, not {quorum}")


def _quorum(spot: Spot, spots: Sequence[Spot]) -> int:
    """How many people the playbook asks about a step: by itself, by what it is part of, or by a gate before it."""
    own = [one.step.approve.quorum for one in (spot, *reversed(spot.around)) if one.step.approve is not None]
    gates = [one for one in spots if isinstance(one.step, ApproveStep) and follows(one.path, spot.path)]
    return own[0] if own else max((one.step.approve.quorum for one in gates if one.step.approve), default=0)


def _is_certain(rule: PolicyRule, facts: Mapping[str, Any]) -> bool:
    """Whether a rule looks at nothing but what is known, so that a run would come to the same answer."""
    try:
        expression = compile_expression(rule.if_, NAMES)
    except (ExpressionError, EvaluationError):
        return False
    return all(_known(path, facts) for path in expression.references)


def _known(path: Sequence[str], facts: Mapping[str, Any]) -> bool:
    value: Any = facts
    for part in path:
        if not isinstance(value, Mapping):
            return True
        if part not in value:
            return False
        value = value[part]  # pyright: ignore[reportUnknownVariableType]  # any JSON
    return not isinstance(value, Mapping)
