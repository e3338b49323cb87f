"""A remediation: one run of a playbook for one incident. Approvals arrive here, as signals or as an update."""

import asyncio
import contextlib
from collections import deque
from datetime import timedelta
from typing import Any, Literal

from temporalio import workflow
from temporalio.exceptions import ApplicationError

from halon.contracts.audit import AuditKind
from halon.contracts.base import JsonObject
from halon.contracts.decision import Cause, Decision, DecisionInput, Objection, Verdict
from halon.contracts.outcome import RunResult
from halon.contracts.run import (
    APPROVE_SIGNAL,
    CLEARED_SIGNAL,
    DECIDE_UPDATE,
    DENY_SIGNAL,
    REMEDIATION_WORKFLOW,
    STATUS_QUERY,
    Decide,
    OpenGate,
    RunSpec,
    RunStatus,
)
from halon.core import story
from halon.core.flow import stopped, uninterrupted
from halon.core.gates import decision_facts
from halon.core.interpreter import interpret
from halon.core.runtime import Event, Gate
from workflows.attributes import OUTCOME, STATE, WAITING, upsert
from workflows.desk import CROWDED, Desk, claimed, read, seal_report, sealed
from workflows.journal import Journal
from workflows.runtime import TemporalRuntime
from workflows.telling import Newsroom

MAX_STORY = 200
"""Lines that the query `status` gives; the audit chain has all of them."""

MAX_SEALS = 1000
"""Seals that a run remembers; it takes no further decisions then."""
WRITE_AFTER = timedelta(seconds=2)
"""How long records gather before they are written together; a run that is over sooner writes them at its end."""


@workflow.defn(name=REMEDIATION_WORKFLOW)
class Remediation:
    """Interprets the playbook that it was started with, and keeps its story."""

    @workflow.init
    def __init__(self, spec: RunSpec) -> None:
        self._spec = spec
        self._desk = Desk()
        self._journal = Journal(spec.incident, spec.opening)
        self._news = Newsroom(spec.coordination, self._journal)
        self._runtime = TemporalRuntime(
            spec.incident,
            spec.playbook.metadata.name,
            self._desk,
            routes=spec.routes,
            on_event=self._tell,
            on_change=self._show,
        )
        self._story: deque[str] = deque(maxlen=MAX_STORY)
        self._result: RunResult | None = None
        self._seals: set[str] = set()
        self._undoing = False
        self._waiting = False
        self._writing: asyncio.Task[None] | None = None

    @workflow.run
    async def run(self, spec: RunSpec) -> RunResult:
        """Carry the run to its end, then see that its records are written and its handlers have answered."""
        self._result = await interpret(spec, self._runtime)
        upsert(STATE.value_set("closed"), OUTCOME.value_set(self._result.outcome.value))
        self._show()
        # What has been done is done: a cancellation that comes now must not take the result away.
        with contextlib.suppress(asyncio.CancelledError):
            await uninterrupted(self._close())
        return self._result

    async def _close(self) -> None:
        if self._writing is not None:
            await stopped(self._writing)
        await self._journal.flush()
        await workflow.wait_condition(workflow.all_handlers_finished)

    @workflow.signal(
        name=APPROVE_SIGNAL,
        description='Approve the plan that is shown. Input: {"by": "you@example.com", "plan": "<first digits>"}',
    )
    async def approve(self, given: Any = None) -> None:
        """Approve by signal, which has no answer."""
        await self._signalled(given, Verdict.APPROVE)

    @workflow.signal(
        name=DENY_SIGNAL, description='Deny the plan that is shown. Input: {"by": "you@example.com", "comment": "why"}'
    )
    async def deny(self, given: Any = None) -> None:
        """Deny by signal."""
        await self._signalled(given, Verdict.DENY)

    @workflow.update(
        name=DECIDE_UPDATE,
        description='Approve or deny, with an answer. Input: {"verdict": "approve", "by": "you@example.com"}',
    )
    async def decide(self, given: Any = None) -> str:
        """Approve or deny by update: the answer says whether it counts.

        A decision that does not count fails the update here, not in a validator: what a validator rejects leaves no
        trace in the history, and a refused decision belongs in the audit.
        """
        wanted = read(Decide, given)
        if isinstance(wanted, str):
            self._unreadable("update", wanted)
            raise ApplicationError(f"this decision does not count: {wanted}", type="decision_refused")
        taken = await self._take(wanted, wanted.verdict, "update", judge=True)
        if isinstance(taken, Objection):
            raise ApplicationError(
                f"this decision does not count: {taken.reason}", {"cause": taken.cause.value}, type="decision_refused"
            )
        return f"taken: {wanted.verdict.value} of {taken.step} by {wanted.by} on plan {taken.digest[:12]}"

    @workflow.signal(name=CLEARED_SIGNAL, description="Sent by the incident: whether all of its alerts have resolved.")
    def cleared(self, cleared: bool) -> None:  # noqa: FBT001  # a signal's payload has no names
        """Note whether the condition still holds."""
        self._runtime.cleared = cleared

    @workflow.query(name=STATUS_QUERY, description="What the run is doing, what waits for a decision, and its story.")
    def status(self) -> RunStatus:
        """Answer for `halon show` and the console."""
        return RunStatus(
            incident=self._spec.incident,
            playbook=self._spec.playbook.metadata.name,
            state=self._state(),
            gates=tuple(_open(gate, approved) for gate, approved in self._desk.gates),
            result=self._result,
            story=tuple(self._story),
        )

    def _state(self) -> Literal["running", "waiting", "undoing", "closed"]:
        if self._result is not None:
            return "closed"
        if self._desk.gates:
            return "waiting"
        return "undoing" if self._undoing else "running"

    async def _signalled(self, given: object, verdict: Verdict) -> None:
        wanted = read(DecisionInput, given)
        if isinstance(wanted, str):
            self._unreadable(f"signal {verdict.value}", wanted)
            return
        await self._take(wanted, verdict, "signal", judge=False)

    async def _take(self, given: DecisionInput, verdict: Verdict, via: str, *, judge: bool) -> Gate | Objection:
        """Lay a decision before its gate, or tell why it does not count.

        `judge` says at once what the gate would say: the sender of an update waits for it.
        """
        claim = claimed(given, verdict, workflow.now(), via)
        decision = await self._proven(given, claim) if given.seal else claim
        if isinstance(decision, Objection):
            return self._refused(claim, decision)
        gate, reason = self._desk.address(decision.step, decision.plan)
        if gate is None:
            return self._refused(decision, Objection(cause=Cause.NOTHING_WAITS, reason=reason))
        problem = self._desk.problem(gate, decision) if judge else None
        if problem is not None:
            return self._refused(decision, problem)
        if not self._desk.hand_in(gate, decision):
            return self._refused(decision, CROWDED)
        return gate

    async def _proven(self, given: DecisionInput, claim: Decision) -> Decision | Objection:
        """Have the seal checked by a worker, which has the keys. Each seal counts once, whatever became of it."""
        report = await seal_report(given.seal)
        if report.said is None:
            return Objection(cause=Cause.FORGED, reason=report.problem)
        decision = sealed(given, report.said, workflow.info().workflow_id, claim)
        if isinstance(decision, Objection):
            return decision
        if report.said.id in self._seals:
            return Objection(cause=Cause.REPLAYED, reason="its seal was used before, and counts once")
        if len(self._seals) >= MAX_SEALS:
            return Objection(cause=Cause.CROWDED, reason="this run has had too many decisions")
        self._seals.add(report.said.id)
        return decision

    def _refused(self, decision: Decision, objection: Objection) -> Objection:
        message = f"The decision of {decision.by} does not count: {objection.reason}"
        facts = {**decision_facts(decision), "cause": objection.cause.value}
        self._tell(Event(AuditKind.DECISION_REFUSED, message, step=decision.step, actor=decision.by, data=facts))
        return objection

    def _unreadable(self, via: str, reason: str) -> None:
        message = f"A decision by {via} does not count: {reason}"
        facts: JsonObject = {"via": via, "cause": Cause.UNREADABLE.value}
        self._tell(Event(AuditKind.DECISION_REFUSED, message, actor="unknown", data=facts))

    def _tell(self, event: Event) -> None:
        if event.kind is AuditKind.UNDO_STARTED:
            self._undoing = True
        self._story.append(story.line(workflow.now(), event))
        self._journal.record(event.kind, event.message, step=event.step, actor=event.actor, data=event.data)
        self._news.heard(event)
        self._write_soon()
        self._show()

    def _show(self) -> None:
        """Tell the story in Temporal's UI, and let its list filter by what waits."""
        gates = self._desk.gates
        if bool(gates) != self._waiting:
            self._waiting = bool(gates)
            upsert(WAITING.value_set(self._waiting))
        headline = f"{self._spec.playbook.metadata.title}: {self._state()}"
        asked = [story.gate_text(gate, workflow.info().workflow_id, approved) for gate, approved in gates]
        workflow.set_current_details(story.details(headline, asked, list(self._story), self._result))

    def _write_soon(self) -> None:
        """Have the records written behind the run's back, so that no remedy waits for the store."""
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write())

    async def _write(self) -> None:
        while self._journal.unwritten:
            await workflow.sleep(WRITE_AFTER, summary="records gather")
            await uninterrupted(self._journal.write())


def _open(gate: Gate, approved: tuple[str, ...]) -> OpenGate:
    return OpenGate(
        step=gate.step,
        digest=gate.digest,
        asked_at=gate.asked_at,
        within=gate.approve.within,
        quorum=gate.approve.quorum,
        from_=gate.approve.from_,
        approved_by=approved,
        electorate=gate.electorate,
        plans=tuple(gate.plans),
        unplanned=tuple(gate.unplanned),
        message=gate.approve.message,
    )
