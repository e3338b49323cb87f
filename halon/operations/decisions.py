"""A person's word to a run: a decision, or to stop. The run decides whether it counts, and says so."""

from temporalio.client import Client, WorkflowHandle, WorkflowUpdateFailedError
from temporalio.client import WorkflowUpdateRPCTimeoutOrCancelledError as UpdateTimeout
from temporalio.exceptions import ApplicationError

from halon.contracts.run import DECIDE_UPDATE, Decide
from halon.core.ids import group_of
from halon.errors import Conflict, NotFound, TransientError
from halon.operations.answering import answering
from halon.operations.lookup import current_run, open_execution


async def decide(client: Client, incident: str, given: Decide, run: str = "") -> str:
    """Hand a decision in to `run`, or to the run of the incident now. Gives the run's answer.

    Raises:
        Conflict: the run does not take it, and why.
        NotFound: there is no such incident, or it has ended.
        TransientError: nobody answers.
    """
    try:
        async with answering(f"a run of incident {incident}"):
            workflow = run or await current_run(client, incident)
            handle: WorkflowHandle[object, object] = client.get_workflow_handle(workflow)
            answer: str = await handle.execute_update(DECIDE_UPDATE, given, result_type=str)  # pyright: ignore[reportUnknownMemberType]  # an overload of theirs is untyped
    except UpdateTimeout as error:
        raise _undecided(incident) from error
    except WorkflowUpdateFailedError as error:
        cause = error.cause
        raise Conflict(cause.message if isinstance(cause, ApplicationError) else str(cause)) from error
    return answer


async def cancel(client: Client, incident: str, reason: str) -> None:
    """Ask Temporal to cancel an incident: its run stops, and undoes what it has changed.

    Raises:
        NotFound: there is no such incident, or it has ended.
        TransientError: Temporal does not answer.
    """
    async with answering(f"incident {incident}"):
        run = await open_execution(client, incident)
        if run is None:
            raise NotFound(f"incident {incident} has ended: there is nothing to cancel")
        await client.get_workflow_handle(group_of(incident), run_id=run).cancel(reason=reason)


def _undecided(incident: str) -> TransientError:
    return TransientError(
        f"no worker took the decision in time: it may still count once one runs; look with `halon show {incident}`"
    )
