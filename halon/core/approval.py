"""Decisions about decisions: which one counts, and when there are enough. Pure, and the same for every way in."""

from collections.abc import Sequence
from dataclasses import dataclass

from halon.contracts.base import digest
from halon.contracts.decision import Decision, Verdict
from halon.contracts.plan import Plan
from halon.core.runtime import Gate

MIN_DIGEST = 8
"""Digits of a plan's digest that a decision must give, when it gives one."""


@dataclass(frozen=True, slots=True)
class Tally:
    """Where a gate stands."""

    verdict: Verdict | None
    """None while it is open."""
    approved_by: tuple[str, ...]
    denied_by: str = ""
    comment: str = ""


def gate_digest(plans: Sequence[Plan], unplanned: Sequence[str]) -> str:
    """What a decision is bound to: the one plan's own digest, or one over all plans and what could not be planned."""
    if len(plans) == 1 and not unplanned:
        return plans[0].digest
    return digest([[plan.digest for plan in plans], list(unplanned)])


def same_person(one: str, other: str) -> bool:
    """Whether two names are one person's: case and outer spaces do not make another."""
    return one.strip().casefold() == other.strip().casefold()


def objection(gate: Gate, decision: Decision, earlier: Sequence[Decision]) -> str | None:
    """Why `decision` does not count for `gate`, or None when it does.

    A denial by the one who started the run counts: anybody may stop.
    """
    if decision.plan and len(decision.plan) < MIN_DIGEST:
        return f"a plan digest needs at least {MIN_DIGEST} digits; the plan shown now is {gate.digest[:12]}"
    if decision.plan and not gate.digest.startswith(decision.plan):
        return f"it was made on plan {decision.plan[:12]}, but the plan shown now is {gate.digest[:12]}: read it again"
    if not decision.by.strip():
        return "it does not say who decides"
    if decision.verdict is Verdict.APPROVE:
        own = bool(gate.started_by) and same_person(decision.by, gate.started_by)
        if own and not gate.approve.self_approval:
            return f"{decision.by} started this run and cannot approve it"
        if any(same_person(decision.by, one.by) and one.verdict is Verdict.APPROVE for one in earlier):
            return f"{decision.by} has already approved; the quorum counts distinct people"
    return None


def addressed(gates: Sequence[Gate], step: str, plan: str) -> tuple[Gate | None, str]:
    """The open gate that a decision is about, or None and why: by its step, else by its plan, else the only one."""
    if not gates:
        return None, "nothing waits for a decision now"
    if step:
        named = [gate for gate in gates if gate.step == step]
        return (named[0], "") if named else (None, f"no step {step} waits; open: {_names(gates)}")
    meant = [gate for gate in gates if gate.digest.startswith(plan)] or gates
    if len(meant) > 1:
        return None, f"several steps wait; say which with `step`: {_names(meant)}"
    return meant[0], ""


def tally(gate: Gate, decisions: Sequence[Decision]) -> Tally:
    """Where the gate stands after `decisions`, all of which count. A denial ends it; so does a quorum of approvals."""
    approved: list[str] = []
    for decision in decisions:
        if decision.verdict is Verdict.DENY:
            return Tally(Verdict.DENY, tuple(approved), decision.by, decision.comment)
        approved.append(decision.by)
        if len(approved) >= gate.approve.quorum:
            return Tally(Verdict.APPROVE, tuple(approved), comment=decision.comment)
    return Tally(None, tuple(approved))


def _names(gates: Sequence[Gate]) -> str:
    return ", ".join(gate.step for gate in gates)
