"""What a run asks people now, for one who was sent to it by name."""

from collections.abc import Sequence

from halon.contracts.incident import IncidentRow
from halon.contracts.run import STATUS_QUERY, OpenGate, RunStatus
from halon.core.ids import incident_of
from halon.operations.answering import Connect, answering
from halon.operations.showing import found
from halon.store.store import Store


async def waiting(store: Store, connect: Connect, run: str) -> tuple[IncidentRow, Sequence[OpenGate]]:
    """Give the incident of a run, and the questions that wait there.

    Raises:
        NotFound: there is no such incident or run.
        TransientError: the store, Temporal, or every worker does not answer.
    """
    row = await found(store, connect, incident_of(run))
    client = await connect()
    async with answering(f"the run of incident {row.id}"):
        status: RunStatus = await client.get_workflow_handle(run).query(STATUS_QUERY, result_type=RunStatus)
    return row, status.gates
