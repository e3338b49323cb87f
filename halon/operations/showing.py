"""One incident: how it stands, what it waits for, and all that happened."""

from collections.abc import Sequence
from dataclasses import dataclass

from temporalio.client import Client

from halon.contracts.audit import AuditKind, StoredRecord
from halon.contracts.base import JsonObject
from halon.contracts.coordination import CoordinationStatus
from halon.contracts.incident import IncidentRow
from halon.contracts.run import STATUS_QUERY, RunStatus
from halon.core.ids import group_of, incident_of
from halon.errors import NotFound, TransientError
from halon.operations.answering import Connect, answering
from halon.operations.coordination import coordination_of
from halon.operations.lookup import current_run
from halon.operations.plans import PlanView, of_record
from halon.operations.records import all_records
from halon.store.store import Store

_OF_PEOPLE = frozenset({AuditKind.PAGED, AuditKind.TICKETED})
"""Kinds of records, one of which every incident has that tells people."""


@dataclass(frozen=True, slots=True)
class Shown:
    """All that is known of an incident."""

    row: IncidentRow
    run: RunStatus | None
    """What the run itself says, while it is open."""
    records: Sequence[StoredRecord]
    people: CoordinationStatus | None = None
    """Who looks after it and what its people were told, as long as that goes on."""
    stale: str = ""
    """Why it is told as last recorded: Temporal, or every worker, does not answer."""

    @property
    def plans(self) -> list[PlanView]:
        """The last plan of each step, in the order of planning."""
        last: dict[str, PlanView] = {}
        for record in self.records:
            view = of_record(record)
            if view is not None:
                last.pop(record.step, None)
                last[record.step] = view
        return list(last.values())

    def to_json(self) -> JsonObject:
        """The same for machines."""
        return {
            "incident": self.row.model_dump(mode="json"),
            "run": self.run.model_dump(mode="json") if self.run else None,
            "people": self.people.model_dump(mode="json") if self.people else None,
            "plans": [one.to_json() for one in self.plans],
            "records": [one.model_dump(mode="json") for one in self.records],
        }


async def look(store: Store, connect: Connect, incident: str) -> Shown:
    """Gather what is known. Without Temporal, or without a worker, the store's word is taken.

    Raises:
        NotFound: no incident's id begins so.
        InvalidInput: several do.
        TransientError: the store does not answer.
    """
    row = await found(store, connect, incident)
    run, stale = (None, "") if row.state != "open" else await _live(connect, row)
    records = await all_records(store, row.id)
    told = any(one.kind in _OF_PEOPLE for one in records)
    people = await _people(connect, row) if told and not stale else None
    return Shown(row, run, records, people, stale)


async def found(store: Store, connect: Connect, incident: str) -> IncidentRow:
    """Give the incident that is called so, or whose id begins so.

    Raises:
        NotFound: no incident's id begins so.
        InvalidInput: several do.
        TransientError: the store does not answer.
    """
    text = incident_of(incident.strip())
    try:
        return await store.incidents.get(text)
    except NotFound:
        unrecorded = await _unrecorded(connect, text)
        if unrecorded is None:
            raise
        return unrecorded


async def _live(connect: Connect, row: IncidentRow) -> tuple[RunStatus | None, str]:
    try:
        client = await connect()
        async with answering(f"the run of incident {row.id}"):
            return await run_status(client, await current_run(client, row.id)), ""
    except NotFound:
        return None, ""  # it has not begun: the trigger waits for more alerts
    except TransientError as error:
        return None, str(error)


async def _people(connect: Connect, row: IncidentRow) -> CoordinationStatus | None:
    try:
        return await coordination_of(await connect(), row.id)
    except TransientError:
        return None


async def run_status(client: Client, run: str) -> RunStatus:
    """Ask a run, by its workflow id, how it stands.

    Raises:
        RPCError: there is no such run, or Temporal does not answer.
    """
    answer: RunStatus = await client.get_workflow_handle(run).query(STATUS_QUERY, result_type=RunStatus)
    return answer


async def _unrecorded(connect: Connect, incident: str) -> IncidentRow | None:
    """An incident that the store could not take down yet: ask its workflow. None when there is none."""
    group = group_of(incident)
    if not group:
        return None
    try:
        client = await connect()
        async with answering(f"incident {incident}"):
            handle = client.get_workflow_handle(group)
            row: IncidentRow = await handle.query(STATUS_QUERY, result_type=IncidentRow)
    except NotFound:
        return None
    return row if row.id == incident else None
