"""From what a person types to an incident: its id, its run's id, or the unique beginning of either."""

from temporalio.client import Client, WorkflowExecutionDescription
from temporalio.service import RPCError, RPCStatusCode

from halon.contracts.run import INCIDENT_WORKFLOW, REMEDIATION_WORKFLOW, SearchAttribute
from halon.core.ids import group_of, incident_of, run_id
from halon.errors import NotFound
from halon.store.incidents import MAX_LIST
from halon.store.store import Store


async def open_id(client: Client, text: str) -> str | None:
    """Give the whole id when `text` is that of an incident that is open in Temporal, which needs no store; or None.

    Raises:
        RPCError: Temporal does not answer.
    """
    incident = incident_of(text.strip())
    return incident if await open_execution(client, incident) is not None else None


async def full_id(store: Store, client: Client, text: str) -> str:
    """Give the whole id of the incident that is called so, or whose id begins so.

    Raises:
        NotFound: no incident's id begins so.
        InvalidInput: several do.
        TransientError: the store does not answer.
        RPCError: Temporal does not.
    """
    incident = await open_id(client, text)
    if incident is not None:
        return incident
    beginning = incident_of(text.strip())
    try:
        return (await store.incidents.get(beginning)).id
    except NotFound:
        unrecorded = await _just_opened(client, beginning)
        if unrecorded is None:
            raise
        return unrecorded


async def _just_opened(client: Client, beginning: str) -> str | None:
    """Give the open incident whose id begins so, which the store does not have yet; None when none or several do."""
    if not beginning:
        return None
    running = f"WorkflowType = '{INCIDENT_WORKFLOW}' AND ExecutionStatus = 'Running'"
    ids = {
        str(one)
        async for execution in client.list_workflows(running, limit=MAX_LIST)
        for one in execution.search_attributes.get(SearchAttribute.INCIDENT, ())
    }
    found = [one for one in ids if one.startswith(beginning)]
    return found[0] if len(found) == 1 else None


async def open_execution(client: Client, incident: str) -> str | None:
    """Give the run id of the execution that handles this incident now; None when none does.

    A later incident of the same group has the same workflow id, and is another one.

    Raises:
        RPCError: Temporal does not answer.
    """
    described = await _open(client, incident)
    return described.run_id if described else None


async def current_run(client: Client, incident: str) -> str:
    """Give the workflow id of the incident's run now, or of its first one when none is under way.

    An incident that was reopened has had several. Temporal knows the one that its workflow waits for.

    Raises:
        RPCError: Temporal does not answer.
    """
    described = await _open(client, incident)
    children = described.raw_description.pending_children if described else ()
    runs = (child.workflow_id for child in children if child.workflow_type_name == REMEDIATION_WORKFLOW)
    return next(runs, run_id(incident))


async def _open(client: Client, incident: str) -> WorkflowExecutionDescription | None:
    group = group_of(incident)
    try:
        described = await client.get_workflow_handle(group).describe() if group else None
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        return None
    if described is None:
        return None
    names = described.search_attributes.get(SearchAttribute.INCIDENT, ())
    ending = "closed" in described.search_attributes.get(SearchAttribute.STATE, ()) or described.close_time is not None
    return described if incident in names and not ending else None
