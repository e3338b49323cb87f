"""From what a person types to an incident: its id, its run's id, or the unique beginning of either."""

from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from halon.contracts.run import SearchAttribute
from halon.core.ids import group_of, incident_of
from halon.settings import Settings
from halon.store.store import open_store


async def full_id(settings: Settings, client: Client, text: str) -> str:
    """Give the whole id. One that is open in Temporal needs no store; a beginning is looked up there.

    Raises:
        NotFound: no incident's id begins so.
        InvalidInput: several do.
        TransientError: the store does not answer.
        RPCError: Temporal does not.
    """
    incident = incident_of(text.strip())
    if await open_execution(client, incident) is not None:
        return incident
    async with open_store(settings) as store:
        return (await store.incidents.get(incident)).id


async def open_execution(client: Client, incident: str) -> str | None:
    """Give the run id of the execution that handles this incident now; None when none does.

    A later incident of the same group has the same workflow id, and is another one.

    Raises:
        RPCError: Temporal does not answer.
    """
    group = group_of(incident)
    try:
        described = await client.get_workflow_handle(group).describe() if group else None
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        return None
    if described is None:
        return None
    attributes = described.search_attributes.get(SearchAttribute.INCIDENT, ())
    return described.run_id if incident in attributes and described.close_time is None else None
