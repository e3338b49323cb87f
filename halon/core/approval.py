"""Decisions about decisions: which one counts, and when there are enough. Pure, and the same for every way in."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from halon.contracts.base import digest
from halon.contracts.decision import Cause, Decision, Objection, Verdict, Vote
from halon.contracts.people import Electorate, Method, means
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
    broke_glass: bool = False


def gate_digest(plans: Sequence[Plan], unplanned: Sequence[str]) -> str:
    """What a decision is bound to: the one plan's own digest, or one over all plans and what could not be planned."""
    if len(plans) == 1 and not unplanned:
        return plans[0].digest
    return digest([[plan.digest for plan in plans], list(unplanned)])


def consider(gate: Gate, decision: Decision, earlier: Sequence[Vote]) -> Vote | Objection:
    """Whose vote `decision` is, or why it does not count for `gate`.

    A denial by the one who started the run counts: anybody who has a part in it may stop it.
    """
    objection = _on_another_plan(gate, decision) or _unproven(gate.electorate, decision)
    if objection is not None:
        return objection
    vote = _vote(gate, decision, earlier)
    if isinstance(vote, Objection) or decision.verdict is Verdict.DENY:
        return vote
    own = _started(gate, vote.voter) or _started(gate, vote.stands_for)
    if own and not gate.approve.self_approval and not decision.break_glass:
        return Objection(cause=Cause.OWN_RUN, reason=f"{decision.by} started this run and cannot approve it")
    spoken = {one for vote_ in earlier for one in (vote_.voter, vote_.stands_for)}
    if vote.voter in spoken and not decision.break_glass:
        reason = f"{decision.by} has already approved; the quorum counts distinct people"
        return Objection(cause=Cause.TWICE, reason=reason)
    return vote


def count(gate: Gate, decisions: Sequence[Decision], earlier: Sequence[Vote] = ()) -> list[Vote]:
    """Give the votes among `decisions`, after `earlier` ones."""
    votes = list(earlier)
    for decision in decisions:
        vote = consider(gate, decision, votes)
        if isinstance(vote, Vote):
            votes.append(vote)
    return votes


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


def tally(gate: Gate, votes: Sequence[Vote]) -> Tally:
    """Where the gate stands. A denial ends it; so does a quorum of approvals, or one that breaks the glass."""
    approved: list[str] = []
    for vote in votes:
        said = vote.decision
        if said.verdict is Verdict.DENY:
            return Tally(Verdict.DENY, tuple(approved), vote.told, said.comment)
        approved.append(vote.told)
        if said.break_glass or len(approved) >= gate.approve.quorum:
            return Tally(Verdict.APPROVE, tuple(approved), comment=said.comment, broke_glass=said.break_glass)
    return Tally(None, tuple(approved))


def widened(gate: Gate, more: Electorate) -> Gate:
    """The same question, put to more people."""
    asked = gate.electorate
    electors = {one.person: one for one in asked.electors}
    for one in more.electors:
        known = electors.get(one.person)
        references = (*(known.asked_as if known else ()), *one.asked_as)
        electors[one.person] = one.model_copy(update={"asked_as": tuple(dict.fromkeys(references))})
    update = {
        "anyone": asked.anyone or more.anyone,
        "electors": tuple(electors[person] for person in sorted(electors)),
        "groups": tuple(sorted({*asked.groups, *more.groups})),
        "missing": tuple(dict.fromkeys((*asked.missing, *more.missing))),
    }
    return replace(gate, electorate=asked.model_copy(update=update))


def unanswerable(gate: Gate) -> str:
    """Why no decision could ever be enough; empty when one could. Others who are asked later are not known yet."""
    asked = gate.electorate
    if asked.anyone or asked.groups or asked.breakers or gate.approve.escalate:
        return ""
    able = [one for one in asked.electors if gate.approve.self_approval or not _started(gate, one.person)]
    if len(able) >= gate.approve.quorum:
        return ""
    found = ", ".join(one.person for one in able) or "nobody"
    why = f" ({'; '.join(asked.missing)})" if asked.missing else ""
    return f"{gate.approve.quorum} must approve, and of those who are asked {found} can{why}"


def _on_another_plan(gate: Gate, decision: Decision) -> Objection | None:
    if decision.plan and len(decision.plan) < MIN_DIGEST:
        reason = f"a plan digest needs at least {MIN_DIGEST} digits; the plan shown now is {gate.digest[:12]}"
        return Objection(cause=Cause.OTHER_PLAN, reason=reason)
    if decision.plan and not gate.digest.startswith(decision.plan):
        made_on, shown = decision.plan[:12], gate.digest[:12]
        reason = f"it was made on plan {made_on}, but the plan shown now is {shown}: read it again"
        return Objection(cause=Cause.OTHER_PLAN, reason=reason)
    return None


def _unproven(asked: Electorate, decision: Decision) -> Objection | None:
    if not decision.by.strip():
        return Objection(cause=Cause.UNNAMED, reason="it does not say who decides")
    if asked.trust == "signed" and decision.authenticated in {"", Method.CLAIMED}:
        where = f" at {asked.console}" if asked.console else " in the console, with the API or with a key of yours"
        reason = f"a name that is only claimed does not count here: decide{where}"
        return Objection(cause=Cause.UNSEALED, reason=reason)
    return None


def _vote(gate: Gate, decision: Decision, earlier: Sequence[Vote]) -> Vote | Objection:
    """Find whose word it is."""
    if decision.break_glass and decision.verdict is Verdict.APPROVE:
        return _breaking_glass(gate.electorate, decision)
    found = next(_readings(gate, decision, earlier), None)
    if found is not None:
        return found
    who = ", ".join(gate.approve.from_) or "those who have the right to decide"
    return Objection(cause=Cause.NOT_ASKED, reason=f"{decision.by} is not among those who are asked: {who}")


def _readings(gate: Gate, decision: Decision, earlier: Sequence[Vote]) -> Iterator[Vote]:
    """Give the votes that it could be, the best first: one's own word, a proven group's, that of one's elector."""
    asked = gate.electorate
    proven = tuple(f"group:{one}" for one in sorted(frozenset(asked.groups) & frozenset(decision.groups)))
    stops = decision.verdict is Verdict.DENY and _may_stop(gate, decision)
    yield from (
        Vote(decision=decision, voter=one.person, stands_for=one.person, asked_as=one.asked_as)
        for one in asked.electors
        if one.is_called(decision.by)
    )
    if proven:
        yield _own_word(decision, earlier, proven)
    yield from _deputed(gate, decision, earlier)
    if asked.anyone or stops:
        yield _own_word(decision, earlier)


def _own_word(decision: Decision, earlier: Sequence[Vote], asked_as: tuple[str, ...] = ()) -> Vote:
    """The vote of somebody who is not an elector by name. However they spell it, they are one person."""
    person = next((one.voter for one in earlier if means(decision.by, one.voter, ())), decision.by.strip())
    return Vote(decision=decision, voter=person, stands_for=person, asked_as=asked_as)


def _breaking_glass(asked: Electorate, decision: Decision) -> Vote | Objection:
    found = next((one.person for one in asked.breakers if one.is_called(decision.by)), None)
    if found is None and not asked.anyone:
        return Objection(cause=Cause.NO_RIGHT, reason=f"{decision.by} has no right to break the glass")
    if not decision.comment.strip():
        return Objection(cause=Cause.NO_REASON, reason="breaking the glass needs a comment that says why")
    person = found or decision.by.strip()
    return Vote(decision=decision, voter=person, stands_for=person)


def _deputed(gate: Gate, decision: Decision, earlier: Sequence[Vote]) -> Iterator[Vote]:
    """Give the votes that it could be on behalf of others, those whose word is not given yet."""
    given = {one.stands_for for one in earlier}
    for elector in gate.electorate.electors:
        for deputy in elector.deputies:
            if not means(decision.by, deputy.person, deputy.names) or not deputy.holds(decision.at):
                continue
            if elector.person not in given and not _started(gate, elector.person):
                yield Vote(decision=decision, voter=deputy.person, stands_for=elector.person, asked_as=elector.asked_as)


def _may_stop(gate: Gate, decision: Decision) -> bool:
    return _started(gate, decision.by) or any(one.is_called(decision.by) for one in gate.electorate.breakers)


def _started(gate: Gate, name: str) -> bool:
    """Whether a name is that of the one who started the run."""
    asked = gate.electorate
    known = (*((asked.starter,) if asked.starter else ()), *asked.electors, *asked.breakers)
    return means(name, gate.started_by, ()) or any(
        one.is_called(gate.started_by) and one.is_called(name) for one in known
    )


def _names(gates: Sequence[Gate]) -> str:
    return ", ".join(gate.step for gate in gates)
