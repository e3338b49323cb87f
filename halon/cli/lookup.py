"""From what a person types to an incident: its id, its run's id, or the unique beginning of either."""

from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from halon.core.ids import incident_of, run_id
from halon.errors import TransientError
from halon.settings import Settings
from halon.store.store import open_store


async def full_id(settings: Settings, client: Client, text: str) -> str:
    """Give the whole id. One that Temporal knows needs no store; a beginning is looked up there.

    Raises:
        NotFound: no incident's id begins so.
        InvalidInput: several do.
        TransientError: neither Temporal nor the store answers.
    """
    incident = incident_of(text.strip())
    try:
        await client.get_workflow_handle(run_id(incident)).describe()
    except RPCError as error:
        if error.status not in {RPCStatusCode.NOT_FOUND, RPCStatusCode.INVALID_ARGUMENT}:
            raise TransientError(f"Temporal did not answer about {incident}: {error.message}") from error
        async with open_store(settings) as store:
            return (await store.incidents.get(incident)).id
    return incident
