"""What the guards come to in a worker: the activities through which runs ask, and the last question before a write."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from temporalio import activity
from temporalio.client import Client, WorkflowExecutionDescription, WorkflowExecutionStatus
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory
from temporalio.service import RPCError, RPCStatusCode

from halon.clients.ledger import CALL_WITHIN, LedgerClient
from halon.contracts.ledger import (
    ADMIT,
    CLEARANCE,
    INSPECT,
    Admission,
    AdmissionRequest,
    ClearanceRequest,
    Closed,
    Holder,
    Inspection,
    InspectionAnswer,
    Permit,
    Permits,
    StormLimit,
)
from halon.contracts.plan import Plan
from halon.errors import PermanentError, TransientError
from halon.kit.permits import Objection

_SLOWEST_POLL = 10


class Guards:
    """Asks the ledger for this worker's runs."""

    def __init__(self, client: Client, task_queue: str, *, storm: StormLimit | None = None) -> None:
        self._client = client
        self._ledger = LedgerClient(client, task_queue)
        self._storm = storm

    def activities(self) -> Sequence[Callable[..., Any]]:
        """The activities, for a worker."""
        return (self.admit, self.clearance, self.inspect)

    @activity.defn(name=ADMIT)
    async def admit(self, request: AdmissionRequest) -> Admission:
        """Ask for a run, for all its guards at once."""
        try:
            return await self._ledger.admit(request.model_copy(update={"storm": self._storm}))
        except PermanentError as error:
            raise ApplicationError(str(error), type="refused", non_retryable=True) from error

    @activity.defn(name=CLEARANCE)
    async def clearance(self, request: ClearanceRequest) -> bool:
        """Succeed once nothing is paused for this permit; until then fail with a delay, so that the server waits."""
        reason = _paused(await self._ledger.permits(), request.permit, request.target)
        if reason:
            delay = request.poll * min(activity.info().attempt, _SLOWEST_POLL)
            benign = ApplicationErrorCategory.BENIGN
            raise ApplicationError(reason, type="held", next_retry_delay=delay, category=benign)
        return True

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
        described, permits = await asyncio.gather(self._described(permit.holder), self._ledger.permits())
        if described is None or described.status is not WorkflowExecutionStatus.RUNNING:
            return Objection("refused", f"the run {permit.holder.workflow} has ended: nothing may be written for it")
        for fence in permit.fences:
            if permits.numbers.get(fence.lock) != fence.number:
                lost = f"the lock {fence.lock} (number {fence.number}) is no longer this run's"
                return Objection("refused", f"{lost}: it was freed, and another run may hold it")
        paused = _paused(permits, permit, plan.target)
        return Objection("held", paused) if paused else None

    async def _inspect(self, holder: Holder, overdue: bool) -> Closed | None:  # noqa: FBT001  # a plain yes or no
        described = await self._described(holder)
        if described is None:
            return Closed(holder=holder, at=datetime.now(UTC))
        if described.status is not WorkflowExecutionStatus.RUNNING:
            return Closed(holder=holder, at=described.close_time or datetime.now(UTC))
        writing = described.raw_description.pending_activities
        return Closed(holder=holder, at=datetime.now(UTC)) if overdue and not writing else None

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
    return "; ".join(one.sentence for one in permits.pauses if one.stops(permit.playbook, targets))
