"""What people say to an incident beside deciding: that they look after it, their part, a duty, words for the public."""

from temporalio.client import Client, WorkflowHandle, WorkflowQueryFailedError, WorkflowUpdateFailedError
from temporalio.client import WorkflowUpdateRPCTimeoutOrCancelledError as UpdateTimeout
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError

from halon.contracts.coordination import (
    ACKNOWLEDGE_UPDATE,
    DONE_UPDATE,
    PUBLISH_UPDATE,
    ROLE_UPDATE,
    AcknowledgeInput,
    CoordinationStatus,
    DoneInput,
    PublishInput,
    RoleInput,
)
from halon.contracts.run import STATUS_QUERY
from halon.core.ids import coordination_id
from halon.errors import Conflict, NotFound, TransientError
from halon.operations.answering import answering

Word = AcknowledgeInput | RoleInput | DoneInput | PublishInput
_UPDATES: dict[type[Word], str] = {
    AcknowledgeInput: ACKNOWLEDGE_UPDATE,
    RoleInput: ROLE_UPDATE,
    DoneInput: DONE_UPDATE,
    PublishInput: PUBLISH_UPDATE,
}


async def tell_incident(client: Client, incident: str, word: Word) -> str:
    """Say it to the incident whose whole id this is. Gives the answer.

    Raises:
        Conflict: it does not count, and why.
        NotFound: nobody is told anything of this incident, or all of it is over.
        TransientError: nobody answers.
    """
    handle: WorkflowHandle[object, object] = client.get_workflow_handle(coordination_id(incident))
    try:
        async with answering(f"incident {incident}"):
            answer: str = await handle.execute_update(_UPDATES[type(word)], word, result_type=str)  # pyright: ignore[reportUnknownMemberType]  # an overload of theirs is untyped
    except NotFound as error:
        raise NotFound(_nobody(incident)) from error
    except UpdateTimeout as error:
        raise TransientError(f"no worker took it in time: it may still count; see `halon show {incident}`") from error
    except WorkflowUpdateFailedError as error:
        cause = error.cause
        raise Conflict(cause.message if isinstance(cause, ApplicationError) else str(cause)) from error
    return answer


async def coordination_of(client: Client, incident: str) -> CoordinationStatus | None:
    """Give who looks after an incident, and what its people were told; None when nobody knows."""
    handle = client.get_workflow_handle(coordination_id(incident))
    try:
        async with answering(f"incident {incident}"):
            found: CoordinationStatus = await handle.query(STATUS_QUERY, result_type=CoordinationStatus)
    except (NotFound, TransientError, RPCError, WorkflowQueryFailedError):
        return None
    return found


def _nobody(incident: str) -> str:
    return f"{incident} is over, or tells nobody: see `communication` in halon.yaml"
