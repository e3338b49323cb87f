"""Asking people, and waiting for their decision within bounds. No decision in time is never an approval."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

from halon.contracts.audit import AuditKind
from halon.contracts.base import format_duration
from halon.contracts.decision import Decision, Verdict
from halon.contracts.outcome import Outcome
from halon.contracts.plan import Plan
from halon.contracts.steps import Approve
from halon.core.approval import Tally, gate_digest, objection, tally
from halon.core.flow import afterwards, first
from halon.core.frame import RunEnded, StepFailed
from halon.core.runtime import ActionFailed, Event, Gate, Runtime

MAX_REMINDERS = 20
HOLD_WITHIN = timedelta(days=7)
"""Bound on a pause that a run waits for; its own time-out comes first, unless it is longer."""
UNDO_HOLD_WITHIN = timedelta(hours=1)
"""An undo that is paused for longer is handed over to a person, with what is still in place."""


class Gatekeeper:
    """Puts one run's questions to people."""

    def __init__(self, runtime: Runtime, *, started_by: str, ends_when_resolved: bool) -> None:
        self._runtime = runtime
        self._started_by = started_by
        self._ends_when_resolved = ends_when_resolved

    async def ask(
        self, step: str, approve: Approve, plans: Sequence[Plan], unplanned: Sequence[str], *, untouched: bool
    ) -> str:
        """Ask and wait. Gives the digest that was approved.

        `untouched` says that the run has changed nothing yet: only then may it end because the alert has cleared.

        Raises:
            StepFailed: denied, or nobody decided in time.
            RunEnded: the alert cleared first.
        """
        gate = Gate(
            step=step,
            approve=approve,
            plans=tuple(plans),
            unplanned=tuple(unplanned),
            digest=gate_digest(plans, unplanned),
            asked_at=self._runtime.now(),
            started_by=self._started_by,
        )
        self._tell(gate, AuditKind.APPROVAL_ASKED, _question(gate), _facts(gate))
        await self._runtime.ask(gate)
        decided = first(
            self._collect(gate),
            self._runtime.deadline(approve.within, f"approval of {step} expires"),
            self._runtime.resolved() if self._ends_when_resolved and untouched else _for_ever(),
            self._remind(gate),
            self._escalate(gate),
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

    async def _collect(self, gate: Gate) -> Tally:
        counted: list[Decision] = []
        while True:
            decision = await self._runtime.decision(gate)
            facts = {**_decision_facts(decision), "plan": gate.digest}
            problem = objection(gate, decision, counted)
            if problem is not None:
                message = f"The decision of {decision.by or 'somebody'} does not count: {problem}"
                self._tell(gate, AuditKind.DECISION_REFUSED, message, facts, decision.by or "unknown")
                continue
            counted.append(decision)
            message = f"{decision.by} said {decision.verdict.value}" + (
                f": {decision.comment}" if decision.comment else ""
            )
            self._tell(gate, AuditKind.DECISION_TAKEN, message, facts, decision.by)
            result = tally(gate, counted)
            if result.verdict is not None:
                return result

    async def _remind(self, gate: Gate) -> None:
        interval = gate.approve.remind
        for _ in range(MAX_REMINDERS if interval else 0):
            await self._runtime.deadline(interval or gate.approve.within, f"remind about {gate.step}")
            self._tell(gate, AuditKind.APPROVAL_REMINDED, f"Still waiting for a decision on {gate.step}", {})
        await _for_ever()

    async def _escalate(self, gate: Gate) -> None:
        escalate = gate.approve.escalate
        if escalate:
            await self._runtime.deadline(escalate.after, f"escalate {gate.step}")
            to = ", ".join(escalate.to)
            self._tell(gate, AuditKind.APPROVAL_ESCALATED, f"Asked {to} as well about {gate.step}", {"to": to})
        await _for_ever()

    def _tell(self, gate: Gate, kind: AuditKind, message: str, data: dict[str, object], actor: str = "halon") -> None:
        self._runtime.emit(Event(kind, message, step=gate.step, actor=actor, data=dict(data)))  # type: ignore[arg-type]


async def _for_ever() -> None:
    """Wait until cancelled, without a timer."""
    await asyncio.get_running_loop().create_future()


def _question(gate: Gate) -> str:
    who = ", ".join(gate.approve.from_) or "anyone who may decide"
    need = f"{gate.approve.quorum} approvals" if gate.approve.quorum > 1 else "approval"
    what = "; ".join(plan.summary for plan in gate.plans) or gate.approve.message or "to go on"
    return f"Waiting for {need} from {who} within {format_duration(gate.approve.within)}: {what}"


def _facts(gate: Gate) -> dict[str, object]:
    return {
        "plan": gate.digest,
        "plans": [plan.digest for plan in gate.plans],
        "unplanned": list(gate.unplanned),
        "from": list(gate.approve.from_),
        "quorum": gate.approve.quorum,
    }


def _decision_facts(decision: Decision) -> dict[str, object]:
    return {
        "verdict": decision.verdict.value,
        "by": decision.by,
        "comment": decision.comment,
        "decided_on": decision.plan,
        "via": decision.via,
        "authenticated": decision.authenticated,
    }
