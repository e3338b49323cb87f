"""Asking people, and waiting for their decision within bounds. No decision in time is never an approval."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from halon.contracts.audit import AuditKind
from halon.contracts.base import JsonObject, format_duration
from halon.contracts.decision import Decision, Objection, Verdict, Vote
from halon.contracts.outcome import Outcome
from halon.contracts.people import Electorate, ElectorateRequest
from halon.contracts.plan import Plan
from halon.contracts.steps import Approve
from halon.core.approval import Tally, consider, gate_digest, tally, unanswerable, widened
from halon.core.flow import afterwards, first
from halon.core.frame import RunEnded, StepFailed
from halon.core.runtime import ActionFailed, Event, Gate, Runtime

MAX_REMINDERS = 20
HOLD_WITHIN = timedelta(days=7)
"""Bound on a pause that a run waits for; its own time-out comes first, unless it is longer."""
UNDO_HOLD_WITHIN = timedelta(hours=1)
"""An undo that is paused for longer is handed over to a person, with what is still in place."""


@dataclass(frozen=True, slots=True)
class About:
    """What the questions of a run are about."""

    incident: str
    started_by: str
    labels: Mapping[str, str]
    """Labels that all alerts of the run agree on: rights may depend on them."""


@dataclass(slots=True)
class _Question:
    """An open question, and the votes on it."""

    gate: Gate
    votes: list[Vote] = field(default_factory=list[Vote])


class Gatekeeper:
    """Puts one run's questions to people."""

    def __init__(self, runtime: Runtime, about: About, *, ends_when_resolved: bool) -> None:
        self._runtime = runtime
        self._about = about
        self._ends_when_resolved = ends_when_resolved

    async def ask(
        self, step: str, approve: Approve, plans: Sequence[Plan], unplanned: Sequence[str], *, untouched: bool
    ) -> str:
        """Ask and wait. Gives the digest that was approved.

        `untouched` says that the run has changed nothing yet: only then may it end because the alert has cleared.

        Raises:
            StepFailed: denied, nobody decided in time, or there is nobody who could.
            RunEnded: the alert cleared first.
        """
        gate = Gate(
            step=step,
            approve=approve,
            plans=tuple(plans),
            unplanned=tuple(unplanned),
            digest=gate_digest(plans, unplanned),
            asked_at=self._runtime.now(),
            started_by=self._about.started_by,
            electorate=await self._electorate(step, approve.from_),
        )
        self._tell(gate, AuditKind.APPROVAL_ASKED, _question(gate), _facts(gate))
        nobody = unanswerable(gate)
        if nobody:
            raise StepFailed(step, "refused", f"nobody can approve it: {nobody}")
        await self._runtime.ask(gate)
        question = _Question(gate)
        decided = first(
            self._collect(question),
            self._runtime.deadline(approve.within, f"approval of {step} expires"),
            self._runtime.resolved() if self._ends_when_resolved and untouched else _for_ever(),
            self._remind(gate),
            self._escalate(question),
        )
        winner, answer = await afterwards(decided, lambda: self._runtime.answered(gate))
        if winner == 0:
            return self._conclude(gate, answer)
        if winner == 1:
            reason = f"nobody decided within {format_duration(approve.within)}"
            self._tell(gate, AuditKind.EXPIRED, f"The question expired: {reason}", {"plan": gate.digest})
            raise StepFailed(step, "expired", reason)
        raise RunEnded(Outcome.RESOLVED, "the alert cleared before anybody decided", keep=False)

    async def hold(self, step: str, plan: Plan, reason: str, *, untouched: bool) -> None:
        """Wait until people let changes go on. The run's own time goes on meanwhile.

        Raises:
            StepFailed: nobody let it go on.
            RunEnded: the alert cleared first, and the run had changed nothing.
        """
        self._runtime.emit(Event(AuditKind.HELD, f"Held before its next change: {reason}", step=step))
        ends = self._ends_when_resolved and untouched
        try:
            winner, _ = await first(
                self._runtime.clearance(plan, step, HOLD_WITHIN), self._runtime.resolved() if ends else _for_ever()
            )
        except ActionFailed as failure:
            raise StepFailed(step, "refused", failure.reason) from failure
        if winner == 1:
            raise RunEnded(Outcome.RESOLVED, f"the alert cleared while the run was held: {reason}", keep=False)
        self._runtime.emit(Event(AuditKind.HOLD_ENDED, "Goes on", step=step))

    async def hold_undo(self, step: str, plan: Plan, reason: str) -> None:
        """Wait until people let an undo go on.

        Raises:
            ActionFailed: nobody did.
        """
        self._runtime.emit(Event(AuditKind.HELD, f"Held before taking back: {reason}", step=step))
        await self._runtime.clearance(plan, step, UNDO_HOLD_WITHIN)
        self._runtime.emit(Event(AuditKind.HOLD_ENDED, "Goes on", step=step))

    def _conclude(self, gate: Gate, result: Tally) -> str:
        if result.verdict is Verdict.APPROVE:
            people = ", ".join(result.approved_by)
            self._tell(gate, AuditKind.APPROVED, f"Approved by {people}", {"plan": gate.digest, "by": people})
            return gate.digest
        reason = f"denied by {result.denied_by}" + (f": {result.comment}" if result.comment else "")
        self._tell(gate, AuditKind.DENIED, reason.capitalize(), {"plan": gate.digest, "by": result.denied_by})
        raise StepFailed(gate.step, "denied", reason)

    async def _electorate(self, step: str, references: Sequence[str]) -> Electorate:
        about = self._about
        request = ElectorateRequest(
            incident=about.incident,
            from_=tuple(references),
            labels=dict(about.labels),
            started_by=about.started_by,
            at=self._runtime.now(),
        )
        try:
            return await self._runtime.electorate(request)
        except ActionFailed as failure:
            raise StepFailed(step, "refused", f"it cannot be found who may decide: {failure.reason}") from failure

    async def _collect(self, question: _Question) -> Tally:
        while True:
            decision = await self._runtime.decision(question.gate)
            gate = question.gate
            vote = consider(gate, decision, question.votes)
            facts = {**decision_facts(decision), "plan": gate.digest}
            if isinstance(vote, Objection):
                message = f"The decision of {decision.by or 'somebody'} does not count: {vote.reason}"
                refused = {**facts, "cause": vote.cause.value}
                self._tell(gate, AuditKind.DECISION_REFUSED, message, refused, decision.by or "unknown")
                continue
            question.votes.append(vote)
            self._tell(gate, *_taken(vote), {**facts, **_vote_facts(vote)}, vote.voter)
            result = tally(gate, question.votes)
            if result.verdict is not None:
                return result

    async def _remind(self, gate: Gate) -> None:
        interval = gate.approve.remind
        for _ in range(MAX_REMINDERS if interval else 0):
            await self._runtime.deadline(interval or gate.approve.within, f"remind about {gate.step}")
            self._tell(gate, AuditKind.APPROVAL_REMINDED, f"Still waiting for a decision on {gate.step}", {})
        await _for_ever()

    async def _escalate(self, question: _Question) -> None:
        gate = question.gate
        escalate = gate.approve.escalate
        if escalate:
            await self._runtime.deadline(escalate.after, f"escalate {gate.step}")
            more = await self._electorate(gate.step, escalate.to)
            question.gate = gate = widened(gate, more)
            await self._runtime.widen(gate)
            to = ", ".join(escalate.to)
            facts = {"to": to, **_asked_facts(more)}
            self._tell(gate, AuditKind.APPROVAL_ESCALATED, f"Asked {to} as well about {gate.step}", facts)
        await _for_ever()

    def _tell(
        self, gate: Gate, kind: AuditKind, message: str, data: Mapping[str, object], actor: str = "halon"
    ) -> None:
        self._runtime.emit(Event(kind, message, step=gate.step, actor=actor, data=dict(data)))  # type: ignore[arg-type]


async def _for_ever() -> None:
    """Wait until cancelled, without a timer."""
    await asyncio.get_running_loop().create_future()


def _question(gate: Gate) -> str:
    who = ", ".join(gate.approve.from_) or "anyone who may decide"
    need = f"{gate.approve.quorum} approvals" if gate.approve.quorum > 1 else "approval"
    later = "to go on; each change is asked about when its plan is known" if gate.unplanned else "to go on"
    what = "; ".join(plan.summary for plan in gate.plans) or gate.approve.message or later
    return f"Waiting for {need} from {who} within {format_duration(gate.approve.within)}: {what}"


def _facts(gate: Gate) -> dict[str, object]:
    return {
        "plan": gate.digest,
        "plans": [plan.digest for plan in gate.plans],
        "unplanned": list(gate.unplanned),
        "from": list(gate.approve.from_),
        "quorum": gate.approve.quorum,
        **_asked_facts(gate.electorate),
    }


def _asked_facts(asked: Electorate) -> dict[str, object]:
    """Who was asked, as it was found then: an auditor asks a year later, when the schedule is gone."""
    if asked.anyone:
        return {}
    facts: dict[str, object] = {"asked": [one.person for one in asked.electors], "missing": list(asked.missing)}
    return facts | ({"groups": list(asked.groups)} if asked.groups else {})


def _taken(vote: Vote) -> tuple[AuditKind, str]:
    said = vote.decision
    comment = f": {said.comment}" if said.comment else ""
    if said.break_glass and said.verdict is Verdict.APPROVE:
        return AuditKind.GLASS_BROKEN, f"{vote.voter} broke the glass and approved alone{comment}"
    instead = f" for {vote.stands_for}" if vote.stands_for != vote.voter else ""
    return AuditKind.DECISION_TAKEN, f"{vote.voter} said {said.verdict.value}{instead}{comment}"


def _vote_facts(vote: Vote) -> dict[str, object]:
    return {"voter": vote.voter, "stands_for": vote.stands_for, "asked_as": list(vote.asked_as)}


def decision_facts(decision: Decision) -> JsonObject:
    """A decision as the audit keeps it."""
    return {
        "verdict": decision.verdict.value,
        "by": decision.by,
        "comment": decision.comment,
        "decided_on": decision.plan,
        "via": decision.via,
        "authenticated": decision.authenticated,
        "break_glass": decision.break_glass,
    }
