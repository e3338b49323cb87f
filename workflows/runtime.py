"""The interpreter's world, as Temporal gives it: activities, timers, decisions, records to the journal."""

import contextlib
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError, FailureError

from halon.contracts.activity import ApplyRequest, ConfirmRequest, PlanRequest, ReadRequest
from halon.contracts.audit import AuditKind
from halon.contracts.base import JsonObject
from halon.contracts.decision import Cause, Decision
from halon.contracts.ledger import (
    ADMIT,
    CLEARANCE,
    LEDGER_ID,
    RELEASE,
    RELEASE_SIGNAL,
    Admission,
    AdmissionRequest,
    ClearanceRequest,
    Holder,
    Permit,
    Release,
)
from halon.contracts.people import ELECTORATE, Electorate, ElectorateRequest
from halon.contracts.plan import ActionCall, Applied, Plan, ReadResult, Settlement
from halon.contracts.routes import Routes
from halon.contracts.steps import Approve
from halon.core.gates import decision_facts
from halon.core.length import Length
from halon.core.runtime import APPLY_WITHIN, READ_WITHIN, UNSENT, ActionFailed, Event, Gate
from workflows.desk import Desk
from workflows.dispatch import ATTEMPT, RETRY, Dispatch, Errand, asked

POLL = timedelta(milliseconds=500)
ADMIT_WITHIN = timedelta(seconds=60)
"""Bound on asking the guards; guards that do not answer refuse."""
ELECTORATE_WITHIN = timedelta(seconds=60)
"""Bound on finding who may decide; when it cannot be found nobody may."""
RELEASE_WITHIN = timedelta(minutes=30)
"""How long a run tries to give back to a ledger that is not there."""
CLEARANCE_POLL = timedelta(seconds=1)

T = TypeVar("T")


class TemporalRuntime:
    """`halon.core.runtime.Runtime` inside a workflow."""

    def __init__(
        self,
        incident: str,
        playbook: str,
        desk: Desk,
        *,
        routes: Routes,
        on_event: Callable[[Event], None],
        on_change: Callable[[], None],
    ) -> None:
        self._incident = incident
        self._desk = desk
        self._dispatch = Dispatch(routes)
        self._on_event = on_event
        self._on_change = on_change
        self._permit = Permit(holder=self.holder, playbook=playbook)
        self._granted = False
        self._length = Length()
        self.cleared = False
        """Whether all of the incident's alerts have resolved; the workflow's handler sets it."""

    @property
    def holder(self) -> Holder:
        """The run's own ids."""
        info = workflow.info()
        return Holder(workflow=info.workflow_id, run=info.run_id)

    def now(self) -> datetime:
        """The workflow's time, the same on replay."""
        return workflow.now()

    def patched(self, change: str) -> bool:
        """Temporal keeps in the history which way was taken."""
        return workflow.patched(change)

    async def sleep(self, duration: timedelta, why: str) -> None:
        """A durable timer with its reason on the timeline."""
        if duration > timedelta():
            await workflow.sleep(duration, summary=why)

    async def deadline(self, duration: timedelta, why: str) -> None:
        """The same: the interpreter keeps apart what it waits for and what bounds a wait."""
        await self.sleep(duration, why)

    async def admit(self, request: AdmissionRequest) -> Admission:
        """Ask through an activity that stays in the worker: the answer is the same however often it asks."""
        granted_before, self._granted = self._granted, True
        admission = await asked(ADMIT, request, Admission, ADMIT_WITHIN)
        self._granted = granted_before or bool(admission.reserved)
        fence = (admission.fence,) if admission.fence and admission.fence not in self._permit.fences else ()
        changed: dict[str, Any] = {"fences": (*self._permit.fences, *fence)}
        if request.playbook not in {self._permit.playbook, *self._permit.called}:
            changed |= {"called": (*self._permit.called, request.playbook)}
        if not request.ask:
            changed |= {"target": request.target, "freeze": request.freeze}
        self._permit = self._permit.model_copy(update=changed)
        return admission

    async def clearance(self, plan: Plan, step: str, within: timedelta) -> None:
        """Run the activity that asks again and again; the server does the waiting."""
        request = ClearanceRequest(permit=self._permit, target=plan.target, poll=CLEARANCE_POLL)
        await self._run(Errand(CLEARANCE, request, within, f"{step}: held by a pause"), bool)

    async def release(self, report: Release) -> None:
        """Signal the ledger. One that was stopped by force is started again, so that a lock that is kept stays kept."""
        if not self._granted:
            return
        try:
            await workflow.get_external_workflow_handle(LEDGER_ID).signal(RELEASE_SIGNAL, report)
        except FailureError:
            with contextlib.suppress(ActivityError):  # after so long the ledger finds by itself that the run has ended
                await workflow.execute_activity(
                    RELEASE,
                    report,
                    schedule_to_close_timeout=RELEASE_WITHIN,
                    start_to_close_timeout=ATTEMPT,
                    retry_policy=RETRY,
                    summary="give back to the guards",
                )

    async def read(self, call: ActionCall, step: str, within: timedelta | None) -> ReadResult:
        """Run the activity that is named like the action."""
        request = ReadRequest(call=call, incident=self._incident, step=step)
        return await self._run(Errand(call.action, request, within or READ_WITHIN, step, call), ReadResult)

    async def plan(self, call: ActionCall, step: str, undoing: Plan | None) -> Plan:
        """Run `<action>.plan`."""
        request = PlanRequest(call=call, incident=self._incident, step=step, now=workflow.now(), undoing=undoing)
        patient = undoing is not None
        return await self._run(Errand(f"{call.action}.plan", request, READ_WITHIN, step, call, patient), Plan)

    async def apply(self, plan: Plan, step: str, key: str, *, undoing: bool = False) -> Applied:
        """Run `<action>.apply`, again and again with the same key until it answers."""
        permit = self._permit.model_copy(update={"freeze": "override"}) if undoing else self._permit
        request = ApplyRequest(
            plan=plan, key=key, incident=self._incident, step=step, now=workflow.now(), permit=permit
        )
        try:
            within, summary = plan.apply_within or APPLY_WITHIN, f"{step}: {plan.summary}"
            return await self._run(
                Errand(f"{plan.action}.apply", request, within, summary, _call(plan), patient=undoing), Applied
            )
        except ActionFailed as failure:
            unknown = failure.kind not in UNSENT
            raise ActionFailed(failure.reason, kind=failure.kind, unknown_effect=unknown) from failure

    async def confirm(self, plan: Plan, step: str, within: timedelta) -> Settlement:
        """Run `<action>.confirm`, which the server repeats until the effect is there."""
        request = ConfirmRequest(plan=plan, incident=self._incident, step=step, poll=POLL)
        try:
            return await self._run(
                Errand(f"{plan.action}.confirm", request, within, step, _call(plan), patient=True), Settlement
            )
        except ActionFailed as failure:
            if failure.kind in {"waiting", "timeout"}:
                return Settlement(state="waiting", reason=failure.reason)
            raise

    async def electorate(self, request: ElectorateRequest) -> Electorate:
        """Ask the worker, which knows the people and their schedules. Runs from before there were any ask anyone."""
        if not workflow.patched("electorates"):
            return Electorate(anyone=True)
        return await asked(ELECTORATE, request, Electorate, ELECTORATE_WITHIN)

    async def widen(self, gate: Gate) -> None:
        """Exchange the question on the desk, and show it."""
        self._desk.replace(gate)
        self._on_change()

    def foresee(self, step: str, approve: Approve, plans: Sequence[Plan]) -> None:
        """A dry run's record is its plan: what would be asked, `halon simulate` shows."""

    async def ask(self, gate: Gate) -> None:
        """Put the question on the desk and show it."""
        self._desk.put(gate)
        self._on_change()

    async def decision(self, gate: Gate) -> Decision:
        """The next decision that a handler has laid on the desk."""
        decision = await self._desk.next(gate)
        self._on_change()
        return decision

    async def answered(self, gate: Gate) -> None:
        """Take the question from the desk; what still lies there came too late, and is told."""
        for late in self._desk.take(gate):
            message = f"The decision of {late.by} came when {gate.step} was decided already"
            facts: JsonObject = {**decision_facts(late), "plan": gate.digest, "cause": Cause.LATE.value}
            self.emit(Event(AuditKind.DECISION_REFUSED, message, step=gate.step, actor=late.by, data=facts))
        self._on_change()

    async def resolved(self) -> None:
        """Wait until the incident says that its alerts have cleared."""
        await workflow.wait_condition(lambda: self.cleared)

    def emit(self, event: Event) -> None:
        """Hand the event to the workflow, which keeps the story and the journal."""
        self._on_event(event)

    async def _run(self, errand: Errand, answer: type[T]) -> T:
        info = workflow.info()
        too_long = self._length.exhausted(info.get_current_history_length(), info.get_current_history_size())
        if too_long:
            raise ActionFailed(too_long, kind="invalid_input")  # nothing was sent
        return await self._dispatch.run(errand, answer)


def _call(plan: Plan) -> ActionCall:
    return ActionCall(action=plan.action, params=plan.params)
