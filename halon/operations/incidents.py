"""The list of incidents: what is open, as Temporal knows it, and what has closed, as the store keeps it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
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
from halon.store.incidents import MAX_LIST, IncidentFilter, Place
from halon.store.store import Store

MAX_LOOKS = 20
"""Incidents that the store has as open and Temporal does not list, which are looked at one by one."""
MAX_SEEN = 5000
"""Incidents that one call looks at: of those that somebody may not see, there may be many between two that they may."""
_BATCH = 200


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
    """Those that all of its alerts agree on."""

    @property
    def place(self) -> Place:
        """Where it stands in the list."""
        return Place(self.reopened_at or self.opened_at, self.id)


@dataclass(frozen=True, slots=True)
class Listing:
    """Incidents, those that fired last first."""

    incidents: Sequence[ListedIncident]
    stale: str = ""
    """Why open ones are told as they were last recorded: Temporal does not answer."""
    last: Place | None = None
    """Where the next page begins; None when there is none."""


@dataclass(frozen=True, slots=True)
class Query:
    """What is to be listed."""

    wanted: IncidentFilter = field(default_factory=IncidentFilter)
    state: State | None = None
    limit: int = 50
    visible: Callable[[ListedIncident], bool] = lambda _: True
    """Whether the one who asks may see it."""


@dataclass(frozen=True, slots=True)
class _Live:
    """What Temporal knows of open incidents; None when it is not asked, or does not answer."""

    running: Mapping[str, WorkflowExecution] | None = None
    waiting: frozenset[str] = frozenset()
    stale: str = ""


async def listed(store: Store, connect: Connect, query: Query) -> Listing:
    """Give the incidents that are wanted, those that fired last first. Without Temporal the store's word is taken.

    Raises:
        TransientError: the store does not answer.
    """
    closed_only = query.state is State.CLOSED or query.wanted.outcome is not None
    live = _Live() if closed_only else await _live(connect)
    found = await _unrecorded(store, query, live)
    if query.state is State.WAITING:
        waiting = [_of_row(one) for one in await store.incidents.rows(sorted(live.waiting))]
        found += [one for one in waiting if _fits(one, query.wanted)]
        return await _page(connect, query, live, found, None)
    wanted, seen = query.wanted, 0
    if query.state is not None:
        wanted = replace(wanted, state="open" if query.state is State.OPEN else "closed")
    while True:
        rows = [_of_row(one) for one in await store.incidents.list(wanted, _BATCH)]
        found += rows
        seen += len(rows)
        behind = rows[-1].place if len(rows) == _BATCH else None
        if behind is None or seen >= MAX_SEEN or sum(map(query.visible, found)) > query.limit:
            return await _page(connect, query, live, found, behind)
        wanted = replace(wanted, before=behind)


async def _page(
    connect: Connect, query: Query, live: _Live, found: Sequence[ListedIncident], behind: Place | None
) -> Listing:
    """Cut what was found to one page. `behind` is how far the store was read; None when to its end."""
    known = [one for one in found if behind is None or one.place >= behind]
    told = await _as_temporal_knows(connect, [one for one in known if query.visible(one)], live)
    chosen = sorted((one for one in told if _in_state(one, query.state)), key=lambda one: one.place, reverse=True)
    page = chosen[: query.limit]
    last = page[-1].place if len(chosen) > query.limit else behind
    return Listing(page, live.stale, last)


async def _live(connect: Connect) -> _Live:
    running = f"WorkflowType = '{INCIDENT_WORKFLOW}' AND ExecutionStatus = 'Running'"
    asked = (
        f"WorkflowType = '{REMEDIATION_WORKFLOW}' AND ExecutionStatus = 'Running' AND {SearchAttribute.WAITING} = true"
    )
    try:
        async with answering("the list of open incidents"):
            client = await connect()
            executions = {
                _attribute(one, SearchAttribute.INCIDENT): one
                async for one in client.list_workflows(running, limit=MAX_LIST)
            }
            waiting = {
                _attribute(one, SearchAttribute.INCIDENT) async for one in client.list_workflows(asked, limit=MAX_LIST)
            }
    except TransientError as error:
        return _Live(stale=str(error))
    return _Live({incident: one for incident, one in executions.items() if incident}, frozenset(waiting - {""}))


async def _unrecorded(store: Store, query: Query, live: _Live) -> list[ListedIncident]:
    """Open incidents that the store does not have yet."""
    running = live.running or {}
    recorded = {one.id for one in await store.incidents.rows(sorted(running))}
    fresh = [_of_execution(incident, one) for incident, one in running.items() if incident not in recorded]
    return [one for one in fresh if _fits(one, query.wanted)]


async def _as_temporal_knows(
    connect: Connect, known: Sequence[ListedIncident], live: _Live
) -> Sequence[ListedIncident]:
    """Lay what Temporal knows of open incidents over what the store has."""
    if live.running is None:
        return known
    told = {
        one.id: one.model_copy(update={"waiting": one.id in live.waiting}) if one.state == "open" else one
        for one in known
    }
    missing = [one for one in told.values() if one.state == "open" and one.id not in live.running]
    if missing:
        try:
            async with answering("the list of open incidents"):
                client = await connect()
                for one in missing[:MAX_LOOKS]:
                    told[one.id] = await _looked_at(client, one)
        except TransientError:
            return list(told.values())
    return list(told.values())


async def _looked_at(client: Client, one: ListedIncident) -> ListedIncident:
    if await open_execution(client, one.id) is not None:
        return one
    return one.model_copy(update={"state": "terminated", "waiting": False})


def _fits(one: ListedIncident, wanted: IncidentFilter) -> bool:
    """Whether an incident is one of those that are wanted, as the store would say."""
    pairs = (
        (one.state, wanted.state),
        (one.playbook, wanted.playbook),
        (one.outcome, wanted.outcome),
        (one.service, wanted.service),
        (one.severity, wanted.severity),
    )
    return (
        all(value in {None, is_} for is_, value in pairs)
        and (wanted.since is None or one.opened_at >= wanted.since)
        and (wanted.before is None or one.place < wanted.before)
    )


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
