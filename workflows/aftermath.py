"""A run that ended without a result: what it has left behind is handed to people by name."""

from collections.abc import Callable
from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ChildWorkflowError

from halon.contracts.aftermath import AFTERMATH, Aftermath
from halon.contracts.audit import AuditKind
from halon.contracts.base import JsonObject
from halon.contracts.ledger import Holder
from halon.contracts.outcome import Outcome, RunResult

LOOKS = "what-a-lost-run-left"
"""Name of a patch."""
_WITHIN = timedelta(minutes=2)
_ATTEMPT = timedelta(seconds=30)
_RETRY = RetryPolicy(initial_interval=timedelta(milliseconds=200), maximum_interval=timedelta(seconds=10))


async def lost(error: ChildWorkflowError, tell: Callable[[AuditKind, str, JsonObject], None]) -> RunResult:
    """Say how the run ended, and tell of each of its changes that is still in place."""
    run = error.workflow_id
    reason = f"the run ended without a result ({error.cause or error})"
    if not workflow.patched(LOOKS):
        return RunResult(outcome=Outcome.FAILED, reason=f"{reason}: look at {run}")
    try:
        found: Aftermath = await workflow.execute_activity(
            AFTERMATH,
            Holder(workflow=run, run=error.run_id),
            result_type=Aftermath,
            schedule_to_close_timeout=_WITHIN,
            start_to_close_timeout=_ATTEMPT,
            retry_policy=_RETRY,
            summary=f"what {run} has left behind",
        )
    except ActivityError:
        return RunResult(outcome=Outcome.FAILED, reason=f"{reason}, and what it changed cannot be read: look at {run}")
    for one in found.remains:
        facts: JsonObject = {"key": one.key, "left": one.left.model_dump(mode="json")}
        tell(AuditKind.UNDO_FAILED, f"In place, or perhaps: {one.left.summary}: {one.left.reason}", facts)
    still = "; ".join(one.left.summary for one in found.remains) or "nothing"
    return RunResult(
        outcome=Outcome.FAILED,
        reason=f"{reason}; changes that are, or may be, in place: {still}; look at {run}",
        applied=tuple(one.left.step for one in found.remains),
        left=tuple(one.left for one in found.remains),
    )
