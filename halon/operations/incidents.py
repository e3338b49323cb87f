"""The list of incidents: what is open, as Temporal knows it, and what has closed, as the store keeps it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal

from temporalio.client import Client, WorkflowExecution

from halon.contracts.base import Contract
from halon.contracts.incident import IncidentRow
from halon.contracts.run import INCIDENT_WORKFLOW, REMEDIATION_WORKFLOW, SearchAttribute
from halon.errors import TransientError
from halon.operations.answering import Connect, answering
from halon.operations.lookup import open_execution
from halon.store.incidents import MAX_LIST, IncidentFilter
from halon.store.store import Store

MAX_LOOKS = 20
"""Incidents that the store has as open and Temporal does not list, which are looked at one by one."""


class State(StrEnum):
    """How an incident stands."""

    OPEN = "open"
    WAITING = "waiting"
    CLOSED = "closed"


class ListedIncident(Contract):
    """One line of the list."""

    id: str
    state: Literal["open", "closed", "terminated"]
    """`terminated`: the store has it as open, but its workflow was ended from outside and will not close it."""
    waiting: bool
    """Whether a person must decide."""
    outcome: str
    reason: str
    playbook: str
    title: str
    service: str
    severity: str
    opened_at: datetime
    closed_at: datetime | None
    reopened: int
    """How often its alert fired again soon after it had ended well."""
    reopened_at: datetime | None
    flapping: bool
    """Whether its alerts come and go."""
    labels: dict[str, str]
    """Those on which all of its alerts agree."""


@dataclass(frozen=True, slots=True)
class Listing:
    """Incidents, those that fired last first."""

    incidents: Sequence[ListedIncident]
    stale: str = ""
    """Why open ones are told as they were last recorded: Temporal does not answer."""


async def listed(store: Store, connect: Connect, wanted: IncidentFilter, state: State | None, limit: int) -> Listing:
    """Give the incidents that are wanted, those that fired last first. Without Temporal the store's word is taken.

    Raises:
        TransientError: the store does not answer.
    """
    closed_only = state is State.CLOSED or wanted.outcome is not None
    rows = [_of_row(one) for one in await store.incidents.list(wanted, MAX_LIST if state else limit)]
    found = {one.id: one for one in rows}
    stale = ""
    if not closed_only:
        try:
            async with answering("the list of open incidents"):
                await _update(await connect(), found, wanted.playbook)
        except TransientError as error:
            stale = str(error)
    chosen = [one for one in found.values() if _in_state(one, state)]
    chosen.sort(key=lambda one: (one.reopened_at or one.opened_at, one.id), reverse=True)
    return Listing(chosen[:limit], stale)


async def _update(client: Client, found: dict[str, ListedIncident], playbook: str | None) -> None:
    """Lay what Temporal knows of open incidents over what the store has."""
    running = f"WorkflowType = '{INCIDENT_WORKFLOW}' AND ExecutionStatus = 'Running'"
    asked = (
        f"WorkflowType = '{REMEDIATION_WORKFLOW}' AND ExecutionStatus = 'Running' AND {SearchAttribute.WAITING} = true"
    )
    live = {
        _attribute(one, SearchAttribute.INCIDENT): one async for one in client.list_workflows(running, limit=MAX_LIST)
    }
    waiting = {_attribute(one, SearchAttribute.INCIDENT) async for one in client.list_workflows(asked, limit=MAX_LIST)}
    for incident, execution in live.items():
        known = found.get(incident) or _of_execution(incident, execution)
        if incident and known.state == "open" and (playbook is None or known.playbook == playbook):
            found[incident] = known.model_copy(update={"waiting": incident in waiting})
    missing = [one for one in found.values() if one.state == "open" and one.id not in live]
    for one in missing[:MAX_LOOKS]:
        if await open_execution(client, one.id) is None:
            found[one.id] = one.model_copy(update={"state": "terminated", "waiting": False})


def _of_row(row: IncidentRow) -> ListedIncident:
    return ListedIncident(
        waiting=False, **{name: getattr(row, name) for name in ListedIncident.model_fields if name != "waiting"}
    )


def _of_execution(incident: str, execution: WorkflowExecution) -> ListedIncident:
    return ListedIncident(
        id=incident,
        state="open",
        waiting=False,
        outcome="",
        reason="",
        playbook=_attribute(execution, SearchAttribute.PLAYBOOK),
        title="",
        service=_attribute(execution, SearchAttribute.SERVICE),
        severity=_attribute(execution, SearchAttribute.SEVERITY),
        opened_at=execution.start_time,
        closed_at=None,
        reopened=0,
        reopened_at=None,
        flapping=False,
        labels={},
    )


def _attribute(execution: WorkflowExecution, name: str) -> str:
    values = execution.search_attributes.get(name, ())
    return str(values[0]) if values else ""


def _in_state(one: ListedIncident, state: State | None) -> bool:
    if state is State.WAITING:
        return one.waiting
    return state is None or one.state == state.value
