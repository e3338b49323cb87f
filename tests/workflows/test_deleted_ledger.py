"""A ledger that somebody deletes in Temporal, with all that it knew."""

from datetime import UTC, datetime, timedelta

from lamp import DIM, GROUP, LOOK, QUEUE, Engine, alert, book, until
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest
from temporalio.service import RPCError, RPCStatusCode

from halon.clients.ledger import LedgerClient
from halon.contracts.ledger import LEDGER_ID
from halon.contracts.outcome import Outcome


async def test_a_ledger_that_was_deleted_is_missed_where_runs_took_place(real_time_engine: Engine) -> None:
    engine = real_time_engine
    assert (await (await engine.fire(book([DIM, LOOK]), alert())).result()).outcome is Outcome.REMEDIATED
    gone = WorkflowExecution(workflow_id=LEDGER_ID)
    request = DeleteWorkflowExecutionRequest(namespace="default", workflow_execution=gone)
    await engine.client.workflow_service.delete_workflow_execution(request)

    async def deleted() -> bool:
        try:
            await engine.client.get_workflow_handle(LEDGER_ID).describe()
        except RPCError as error:
            return error.status is RPCStatusCode.NOT_FOUND
        return False

    await until(deleted, within=20)
    an_hour_later = datetime.now(UTC) + timedelta(hours=1)
    found = await LedgerClient(engine.client, QUEUE, wall=lambda: an_hour_later).state()
    assert [one.by for one in found.pauses] == ["halon"]
    result = await (await engine.fire(book([DIM, LOOK]), alert(2), group=f"another-{GROUP}")).result()
    assert result.outcome is Outcome.REFUSED
    assert "there is no ledger though runs took place: was it deleted?" in result.reason
