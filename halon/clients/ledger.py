"""The ledger from outside its workflow: ask it, command it, start it when it is not there."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import structlog
from pydantic import BaseModel
from temporalio.client import (
    Client,
    WorkflowExecutionStatus,
    WorkflowHandle,
    WorkflowQueryFailedError,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from halon.contracts.ledger import (
    ADMIT_UPDATE,
    LEDGER_ID,
    LEDGER_QUERY,
    LEDGER_WORKFLOW,
    PAUSE_SIGNAL,
    PAUSE_UPDATE,
    PERMITS_QUERY,
    RELEASE_SIGNAL,
    Admission,
    AdmissionRequest,
    Answer,
    LedgerInput,
    LedgerState,
    Pause,
    Permits,
    Release,
)
from halon.contracts.run import REMEDIATION_WORKFLOW
from halon.errors import PermanentError, TransientError

CALL_WITHIN = timedelta(seconds=10)
FRESH = 0.4
"""Seconds for which a worker's view of the ledger may be used: a pause is in force within a second everywhere."""
NEW_WITHIN = timedelta(minutes=10)
"""An installation whose first run is younger may never have had a ledger."""
MAX_ASKING = 8
"""Updates in flight from one process. Temporal takes ten at a time for one workflow unless it is told otherwise."""

log = structlog.get_logger(__name__)
T = TypeVar("T")
ModelT = TypeVar("ModelT", bound=BaseModel)


class LedgerClient:
    """One process's way to the ledger."""

    def __init__(
        self,
        client: Client,
        task_queue: str,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._client = client
        self._task_queue = task_queue
        self._clock = clock
        self._wall = wall
        self._asking = asyncio.Semaphore(MAX_ASKING)
        self._looking = asyncio.Lock()
        self._seen: tuple[float, Permits] | None = None

    async def admit(self, request: AdmissionRequest) -> Admission:
        """Ask for a run.

        Raises:
            TransientError: the ledger does not answer.
            PermanentError: it cannot take this question.
        """
        update_id = f"{request.holder.run}/{request.question}{'/dry' if request.dry_run else ''}"
        return await self._update(ADMIT_UPDATE, request, Admission, update_id)

    async def command(self, name: str, given: BaseModel) -> Answer:
        """Hand over what a person says.

        Raises:
            TransientError: the ledger does not answer; whether it has the command is not known.
            PermanentError: it cannot take this command.
        """
        try:
            answer = await self._update(name, given, Answer, None)
        except TransientError as error:
            raise TransientError(f"{error} It may still be carried out: look at `halon guards`") from error
        self._seen = None
        return answer

    async def pause(self, given: Pause) -> Answer:
        """Pause. When no worker answers, Temporal keeps the command: it is in force before any worker acts again.

        Raises:
            TransientError: Temporal does not answer.
        """
        try:
            return await self.command(PAUSE_UPDATE, given)
        except TransientError:
            await self._carry(lambda: self._handle.signal(PAUSE_SIGNAL, given, rpc_timeout=CALL_WITHIN))
        message = "Temporal has the pause, but no worker has confirmed it: it holds before any worker acts again"
        return Answer(done=True, message=message)

    async def release(self, report: Release) -> None:
        """Give back for a run, to a ledger that is started when it does not run.

        Raises:
            TransientError: Temporal does not answer.
        """
        await self._carry(
            lambda: self._started(lambda: self._handle.signal(RELEASE_SIGNAL, report, rpc_timeout=CALL_WITHIN))
        )

    async def permits(self) -> Permits:
        """What a worker must know before it writes, at most `FRESH` seconds old.

        Raises:
            TransientError: the ledger does not answer.
        """
        asked_at = self._clock()
        async with self._looking:
            if self._seen is None or self._seen[0] < asked_at - FRESH:
                began = self._clock()
                found = await self._query(PERMITS_QUERY, Permits)
                self._seen = (began, found)
            return self._seen[1]

    async def state(self) -> LedgerState:
        """All that the ledger knows.

        Raises:
            TransientError: the ledger does not answer.
        """
        return await self._query(LEDGER_QUERY, LedgerState)

    async def look(self) -> LedgerState:
        """All that the ledger knows, without starting one: where there is none, nothing is held.

        Raises:
            TransientError: the ledger does not answer.
        """

        async def call() -> LedgerState:
            try:
                found: LedgerState = await self._handle.query(
                    LEDGER_QUERY, result_type=LedgerState, rpc_timeout=CALL_WITHIN
                )
            except RPCError as error:
                if error.status is RPCStatusCode.NOT_FOUND:
                    return LedgerState()
                raise
            return found

        return await self._carry(call)

    async def _ensure(self) -> None:
        """Start the ledger when it does not run. One that was stopped by force goes on with what it knew."""
        state = await self._left_behind()
        if state is None:
            return
        await self._client.start_workflow(
            LEDGER_WORKFLOW,
            LedgerInput(state=state),
            id=LEDGER_ID,
            task_queue=self._task_queue,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            static_summary="Locks, breakers, rates, budgets and pauses",
            rpc_timeout=CALL_WITHIN,
        )

    async def _left_behind(self) -> LedgerState | None:
        """What a ledger knew that was terminated; None when one runs. When it cannot be found, everything is paused."""
        try:
            described = await self._handle.describe(rpc_timeout=CALL_WITHIN)
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return await self._anew()
            raise
        if described.status is WorkflowExecutionStatus.RUNNING:
            return None  # one that is stopped from here on would be started with nothing
        try:
            handle = self._client.get_workflow_handle(LEDGER_ID, run_id=described.run_id)
            state: LedgerState = await handle.query(LEDGER_QUERY, result_type=LedgerState, rpc_timeout=CALL_WITHIN)
        except WorkflowQueryFailedError as error:
            log.error("ledger.lost", reason=str(error))  # noqa: TRY400  # the reason says it all
            lost = "the ledger was stopped by force and what it knew is lost: look at locks and breakers, then resume"
            return LedgerState(pauses=(Pause(by="halon", reason=lost, at=described.close_time),))
        return state

    async def _anew(self) -> LedgerState:
        """An empty ledger for a new installation. Where runs took place before there was one, and it was deleted."""
        before = self._wall() - NEW_WITHIN
        runs = f"WorkflowType = '{REMEDIATION_WORKFLOW}' AND StartTime < '{before.isoformat()}'"
        try:
            async for run in self._client.list_workflows(runs, limit=1, rpc_timeout=CALL_WITHIN):
                log.error("ledger.deleted", run=run.id)
                lost = "there is no ledger though runs took place: was it deleted? Look at what they did, then resume"
                return LedgerState(pauses=(Pause(by="halon", reason=lost, at=self._wall()),))
        except RPCError as error:
            if error.status is not RPCStatusCode.UNIMPLEMENTED:  # the server of tests that skips time has no list
                raise
        return LedgerState()

    async def _update(self, name: str, given: BaseModel, answer: type[ModelT], update_id: str | None) -> ModelT:
        async def call() -> ModelT:
            found: ModelT = await self._handle.execute_update(  # pyright: ignore[reportUnknownMemberType]  # theirs is untyped
                name, given, id=update_id, result_type=answer, rpc_timeout=CALL_WITHIN
            )
            return found

        async with self._asking:
            return await self._carry(lambda: self._started(call))

    async def _query(self, name: str, answer: type[ModelT]) -> ModelT:
        async def call() -> ModelT:
            found: ModelT = await self._handle.query(name, result_type=answer, rpc_timeout=CALL_WITHIN)
            return found

        return await self._carry(lambda: self._started(call))

    async def _started(self, call: Callable[[], Awaitable[T]]) -> T:
        """Call; when there is no ledger, start it and call again."""
        try:
            return await call()
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
        except WorkflowUpdateFailedError as error:
            # What a ledger answers that is being continued: the new run takes the same question.
            if not isinstance(error.cause, ApplicationError) or error.cause.type != "AcceptedUpdateCompletedWorkflow":
                raise
        await self._ensure()
        return await call()

    async def _carry(self, call: Callable[[], Awaitable[T]]) -> T:
        """Call, with every way of not answering as one error."""
        try:
            async with asyncio.timeout(CALL_WITHIN.total_seconds()):
                return await call()
        except (TimeoutError, WorkflowUpdateRPCTimeoutOrCancelledError) as error:
            raise TransientError("the ledger of guards does not answer in time: is a worker running?") from error
        except WorkflowQueryFailedError as error:
            raise TransientError(f"the ledger of guards does not answer: {error}") from error
        except WorkflowUpdateFailedError as error:
            raise PermanentError(f"the ledger of guards refuses: {error.cause}") from error
        except RPCError as error:
            raise TransientError(f"the ledger of guards does not answer: {error.message}") from error
        except RuntimeError as error:  # what the client raises as long as it has never been connected
            raise TransientError(f"Temporal cannot be reached: {error}") from error

    @property
    def _handle(self) -> WorkflowHandle[Any, Any]:
        return self._client.get_workflow_handle(LEDGER_ID)
