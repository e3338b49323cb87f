"""A person's word to a run: a decision, or to stop. The run decides whether it counts, and says so."""

from datetime import timedelta

from temporalio.client import Client, WorkflowHandle, WorkflowUpdateFailedError
from temporalio.client import WorkflowUpdateRPCTimeoutOrCancelledError as UpdateTimeout
from temporalio.exceptions import ApplicationError

from halon.contracts.run import DECIDE_UPDATE, Decide, OpenGate
from halon.core.ids import group_of
from halon.errors import Conflict, NotFound, TransientError
from halon.operations.answering import answering
from halon.operations.lookup import current_run, open_execution
from halon.operations.showing import run_status

PATIENCE = timedelta(seconds=8)
"""How long one waits for what is asked before a decision is made."""


async def run_of(client: Client, incident: str) -> str:
    """Give the workflow id of the incident's run now, or of its first one when none is under way.

    Raises:
        TransientError: Temporal does not answer.
    """
    async with answering(f"incident {incident}", PATIENCE):
        return await current_run(client, incident)


async def asked(client: Client, run: str, step: str, plan: str) -> OpenGate:
    """Give the question of a run that a decision on `plan` is about: at `step`, or the one with that plan.

    Raises:
        Conflict: nothing waits, or it waits on another plan.
        TransientError: nobody answers.
    """
    try:
        async with answering(f"the run {run}", PATIENCE):
            status = await run_status(client, run)
    except NotFound as error:
        raise Conflict("nothing waits for a decision: no run is under way") from error
    gates = [one for one in status.gates if step in {"", one.step}]
    if not gates:
        waiting = ", ".join(one.step for one in status.gates)
        raise Conflict(f"step {step} does not wait; open: {waiting}" if waiting else "nothing waits for a decision now")
    found = [one for one in gates if one.digest.startswith(plan)]
    if not found:
        shown = ", ".join(one.digest[:12] for one in gates)
        raise Conflict(f"it was made on plan {plan[:12]}, but the plan shown now is {shown}: read it again")
    if len(found) > 1:
        raise Conflict(f"several steps wait; say which with `step`: {', '.join(one.step for one in found)}")
    return found[0]


async def answered(client: Client, run: str, update_id: str) -> str | None:
    """Give what a run has said to a decision that was handed in before; None when it knows none.

    Raises:
        Conflict: it did not take it, and why.
        TransientError: nobody answers.
    """
    try:
        async with answering(f"the run {run}", PATIENCE):
            earlier = client.get_workflow_handle(run).get_update_handle(update_id, result_type=str)
            answer: str = await earlier.result()
    except NotFound:
        return None
    except WorkflowUpdateFailedError as error:
        raise _objection(error) from error
    return answer


async def decide(client: Client, incident: str, given: Decide, *, run: str = "", update_id: str | None = None) -> str:
    """Hand a decision in to `run`, or to the run of the incident now. Gives the run's answer.

    The same `update_id` gives the same answer, and is one decision.

    Raises:
        Conflict: the run does not take it, and why.
        NotFound: there is no such incident, or it has ended.
        TransientError: nobody answers.
    """
    try:
        async with answering(f"a run of incident {incident}"):
            workflow = run or await current_run(client, incident)
            handle: WorkflowHandle[object, object] = client.get_workflow_handle(workflow)
            answer: str = await handle.execute_update(DECIDE_UPDATE, given, id=update_id, result_type=str)  # pyright: ignore[reportUnknownMemberType]  # an overload of theirs is untyped
    except UpdateTimeout as error:
        raise _undecided(incident) from error
    except WorkflowUpdateFailedError as error:
        raise _objection(error) from error
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


def _objection(error: WorkflowUpdateFailedError) -> Conflict:
    cause = error.cause
    return Conflict(cause.message if isinstance(cause, ApplicationError) else str(cause))


def _undecided(incident: str) -> TransientError:
    return TransientError(
        f"no worker took the decision in time: it may still count once one runs; look with `halon show {incident}`"
    )
