"""What the guards come to in a worker: the activities through which runs ask, and the last question before a write."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from opentelemetry import metrics
from temporalio import activity
from temporalio.client import Client, WorkflowExecutionDescription, WorkflowExecutionStatus
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory
from temporalio.service import RPCError, RPCStatusCode

from halon.clients.calendars import Freezes
from halon.clients.ledger import CALL_WITHIN, LedgerClient
from halon.clients.presence import Presence
from halon.contracts.ledger import (
    ADMIT,
    CLEARANCE,
    INSPECT,
    RELEASE,
    Admission,
    AdmissionRequest,
    ClearanceRequest,
    Closed,
    Holder,
    Inspection,
    InspectionAnswer,
    Permit,
    Permits,
    Release,
    StormLimit,
)
from halon.contracts.plan import Plan
from halon.contracts.policy import Frozen
from halon.contracts.routes import ABSENT, Absent, AbsentRequest
from halon.core.held import held_to
from halon.core.policy import check_rules
from halon.errors import PermanentError, TransientError
from halon.kit.permits import Objection
from halon.settings import Settings

_SLOWEST_POLL = 10
_meter = metrics.get_meter("halon.guards")
_admissions = _meter.create_counter(
    "halon.guards.admissions", description="Runs that asked the guards, by playbook and result"
)
_objections = _meter.create_counter(
    "halon.guards.objections", description="Writes that were held or refused at the last moment, by playbook and result"
)


class Guards:
    """Asks the ledger for this worker's runs."""

    def __init__(self, client: Client, task_queue: str, settings: Settings | None = None) -> None:
        """Read the calendars of freezes and compile the policy.

        Raises:
            Misconfigured: one of them is wrong.
        """
        settings = settings or Settings()
        self._client = client
        self._ledger = LedgerClient(client, task_queue)
        self._presence = Presence(client)
        given = settings.storm
        self._storm = StormLimit(incidents=given.incidents, within=given.within, notify=given.notify)
        self._freezes = Freezes(settings.freeze)
        self._rules, self._environment = settings.policy, settings.environment
        check_rules(self._rules)

    def activities(self) -> Sequence[Callable[..., Any]]:
        """The activities, for a worker."""
        return (self.admit, self.absent, self.clearance, self.inspect, self.release)

    @activity.defn(name=ADMIT)
    async def admit(self, request: AdmissionRequest) -> Admission:
        """Ask for a run, for all its guards at once."""
        frozen = [one.sentence for one in self._frozen(request.target, request.playbook)]
        missing = [one.missing for one in await self._presence.absent(request.workers)]
        refused = (*missing, *(frozen if request.freeze == "respect" else ()))
        changed: dict[str, Any] = {"storm": self._storm, "workers": ()}
        if refused:
            changed["dry_run"] = True  # what else would refuse is told too, and nothing is reserved
        try:
            answer = await self._ledger.admit(request.model_copy(update=changed))
        except PermanentError as error:
            raise ApplicationError(str(error), type="refused", non_retryable=True) from error
        result = "granted" if answer.granted and not refused else "refused"
        _admissions.add(1, {"playbook": request.playbook, "result": result})
        return held_to(answer, request, frozen, self._rules, self._environment, missing)

    @activity.defn(name=ABSENT)
    async def absent(self, request: AbsentRequest) -> Absent:
        """Look which workers of clusters and accounts are not there."""
        return Absent(workers=await self._presence.absent(request.workers))

    @activity.defn(name=CLEARANCE)
    async def clearance(self, request: ClearanceRequest) -> bool:
        """Succeed once nothing is paused for this permit; until then fail with a delay, so that the server waits."""
        reason = _paused(await self._ledger.permits(), request.permit, request.target)
        if reason:
            delay = request.poll * min(activity.info().attempt, _SLOWEST_POLL)
            benign = ApplicationErrorCategory.BENIGN
            raise ApplicationError(reason, type="held", next_retry_delay=delay, category=benign)
        return True

    @activity.defn(name=RELEASE)
    async def release(self, report: Release) -> None:
        """Give back for a run whose signal found no ledger."""
        await self._ledger.release(report)

    @activity.defn(name=INSPECT)
    async def inspect(self, given: Inspection) -> InspectionAnswer:
        """Look which runs have closed. One that is overdue counts when nothing of it could still write."""
        found = await asyncio.gather(*(self._inspect(one, one.workflow in given.overdue) for one in given.holders))
        return InspectionAnswer(closed=tuple(one for one in found if one is not None))

    async def objection(self, permit: Permit, plan: Plan) -> Objection | None:
        """Give the reason why this change may not be written now, or None.

        Raises:
            TransientError: nobody can be asked, so nothing may be written.
        """
        found = await self._objection(permit, plan)
        if found is not None:
            _objections.add(1, {"playbook": permit.playbook, "result": found.status})
        return found

    async def _objection(self, permit: Permit, plan: Plan) -> Objection | None:
        described, permits = await asyncio.gather(self._described(permit.holder), self._ledger.permits())
        if described is None or described.status is not WorkflowExecutionStatus.RUNNING:
            return Objection("refused", f"the run {permit.holder.workflow} has ended: nothing may be written for it")
        for fence in permit.fences:
            if permits.numbers.get(fence.lock) != fence.number:
                lost = f"the lock {fence.lock} (number {fence.number}) is no longer this run's"
                return Objection("refused", f"{lost}: it was freed, and another run may hold it")
        paused = _paused(permits, permit, plan.target)
        if paused:
            return Objection("held", paused)
        if permit.freeze == "override":
            return None
        frozen = [*self._frozen(permit.target, permit.playbook), *self._frozen(plan.target, permit.playbook)]
        sentences = dict.fromkeys(one.sentence for one in frozen)
        return Objection("refused", "; ".join(sentences)) if sentences else None

    def _frozen(self, target: str, playbook: str) -> tuple[Frozen, ...]:
        return self._freezes.active(datetime.now(UTC), target=target, playbook=playbook)

    async def _inspect(self, holder: Holder, overdue: bool) -> Closed | None:  # noqa: FBT001  # a plain yes or no
        described = await self._described(holder)
        if described is None:
            return Closed(holder=holder)
        if described.status is not WorkflowExecutionStatus.RUNNING:
            return Closed(holder=holder, at=described.close_time)
        writing = described.raw_description.pending_activities
        return Closed(holder=holder) if overdue and not writing else None

    async def _described(self, holder: Holder) -> WorkflowExecutionDescription | None:
        """A run as Temporal knows it; None when it knows none."""
        handle = self._client.get_workflow_handle(holder.workflow, run_id=holder.run)
        try:
            return await handle.describe(rpc_timeout=CALL_WITHIN)
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return None
            raise TransientError(f"Temporal does not say whether the run goes on: {error.message}") from error


def _paused(permits: Permits, permit: Permit, target: str) -> str:
    targets = tuple(one for one in (permit.target, target) if one)
    names = (permit.playbook, *permit.called)
    stopping = [one for one in permits.pauses if any(one.stops(name, targets) for name in names)]
    return "; ".join(one.sentence for one in stopping)
