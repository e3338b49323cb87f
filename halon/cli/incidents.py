"""`halon incidents`: what is open, as Temporal knows it, and what has closed, as the store keeps it."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

import typer
from rich.text import Text
from temporalio.client import Client, WorkflowExecution

from halon.cli.connections import answering, connected
from halon.cli.invocation import settings_of
from halon.cli.lookup import open_execution
from halon.cli.options import flag
from halon.cli.output import OUTCOME_STYLES, note, say, say_json, styled, table
from halon.contracts.base import Contract
from halon.contracts.incident import IncidentRow
from halon.contracts.outcome import Outcome
from halon.contracts.run import INCIDENT_WORKFLOW, REMEDIATION_WORKFLOW, SearchAttribute
from halon.errors import TransientError
from halon.settings import Settings
from halon.store.incidents import MAX_LIST, IncidentFilter
from halon.store.store import open_store

MAX_LOOKS = 20
"""Incidents that the store has as open and Temporal does not list, which are looked at one by one."""


class State(StrEnum):
    """What `--state` takes."""

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


def incidents(  # one parameter an option: Typer's way
    context: typer.Context,
    *,
    state: Annotated[State | None, typer.Option("--state", help="Only those; 'waiting' ones wait for people.")] = None,
    playbook: Annotated[str | None, typer.Option("--playbook", metavar="NAME", help="Only of this playbook.")] = None,
    outcome: Annotated[Outcome | None, typer.Option("--outcome", help="Only closed ones that ended so.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=MAX_LIST, help="At most so many.")] = 50,
    json: Annotated[bool, flag("--json", help="Write the list as JSON.")] = False,
) -> None:
    """List incidents, those that fired last first.

    Example: halon incidents --state waiting
    """
    wanted = IncidentFilter(playbook=playbook, outcome=outcome.value if outcome else None)
    found = asyncio.run(listed(settings_of(context), wanted, state, limit))
    if json:
        say_json([one.model_dump(mode="json") for one in found])
    elif found:
        again = any(one.reopened or one.flapping for one in found)
        columns = ("incident", "state", "opened (UTC)", *(("again",) if again else ()), "severity", "service", "title")
        say(table(columns, [_cells(one, again=again) for one in found]))
    else:
        note("no incident is like that", style="dim", label="none")


async def listed(
    settings: Settings, wanted: IncidentFilter, state: State | None, limit: int
) -> Sequence[ListedIncident]:
    """Give the incidents that are wanted, those that fired last first.

    Raises:
        TransientError: the store does not answer. Without Temporal the store's word is taken, with a warning.
    """
    closed_only = state is State.CLOSED or wanted.outcome is not None
    async with open_store(settings) as store:
        rows = [_of_row(one) for one in await store.incidents.list(wanted, MAX_LIST if state else limit)]
    found = {one.id: one for one in rows}
    if not closed_only:
        try:
            async with answering("the list of open incidents"):
                await _update(await connected(settings), found, wanted.playbook)
        except TransientError as error:
            note(f"{error}; open incidents are shown as they were last recorded")
    chosen = [one for one in found.values() if _in_state(one, state)]
    return sorted(chosen, key=lambda one: (one.reopened_at or one.opened_at, one.id), reverse=True)[:limit]


def state_text(state: str, outcome: str, *, waiting: bool) -> Text:
    """Show how an incident stands."""
    if outcome:
        return styled(outcome, OUTCOME_STYLES.get(outcome, ""))
    return styled("waiting", "bold yellow") if waiting else styled(state, "bold")


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
    )


def _attribute(execution: WorkflowExecution, name: str) -> str:
    values = execution.search_attributes.get(name, ())
    return str(values[0]) if values else ""


def _in_state(one: ListedIncident, state: State | None) -> bool:
    if state is State.WAITING:
        return one.waiting
    return state is None or one.state == state.value


def _cells(one: ListedIncident, *, again: bool) -> Sequence[str | Text]:
    state = state_text(one.state, one.outcome, waiting=one.waiting)
    times = "once" if one.reopened == 1 else f"{one.reopened} times"
    told = [f"{times}, {one.reopened_at:%Y-%m-%d %H:%M}"] if one.reopened_at else []
    told += ["flapping"] if one.flapping else []
    repeats = ("; ".join(told),) if again else ()
    return one.id, state, f"{one.opened_at:%Y-%m-%d %H:%M}", *repeats, one.severity, one.service, one.title
