"""`halon show`: one incident: how it stands, what it waits for, and all that happened."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

import typer
from rich.console import RenderableType
from rich.text import Text
from temporalio.client import Client

from halon.cli.connections import answering, connected
from halon.cli.incidents import state_text
from halon.cli.invocation import settings_of
from halon.cli.lookup import current_run
from halon.cli.options import flag
from halon.cli.output import note, say, say_json, styled
from halon.cli.plans import PlanView, gate_block, of_record, plan_block
from halon.cli.timeline import all_records, timeline
from halon.contracts.audit import StoredRecord
from halon.contracts.base import JsonObject
from halon.contracts.incident import IncidentRow
from halon.contracts.run import STATUS_QUERY, RunStatus
from halon.core.ids import group_of, incident_of, run_id
from halon.errors import NotFound, TransientError
from halon.settings import Settings
from halon.store.store import open_store


@dataclass(frozen=True, slots=True)
class Shown:
    """All that is known of an incident."""

    row: IncidentRow
    run: RunStatus | None
    """What the run itself says, while it is open."""
    records: Sequence[StoredRecord]

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
            "plans": [one.to_json() for one in self.plans],
            "records": [one.model_dump(mode="json") for one in self.records],
        }


def show(
    context: typer.Context,
    incident: Annotated[str, typer.Argument(metavar="INCIDENT", help="Id, or its unique beginning.")],
    *,
    json: Annotated[bool, flag("--json", help="Write everything as JSON.")] = False,
) -> None:
    """Show an incident: how it stands, what it waits for, its plans, and its timeline.

    Example: halon show crashloop-rollback-3f9a1c07de
    """
    shown = asyncio.run(look(settings_of(context), incident))
    if json:
        say_json(shown.to_json())
    else:
        say(*_blocks(shown))


async def look(settings: Settings, incident: str) -> Shown:
    """Gather what is known. Without Temporal, or without a worker, the store's word is taken, with a warning.

    Raises:
        NotFound: no incident's id begins so.
        InvalidInput: several do.
        TransientError: the store does not answer.
    """
    text = incident_of(incident.strip())
    async with open_store(settings) as store:
        try:
            row = await store.incidents.get(text)
        except NotFound:
            unrecorded = await _unrecorded(settings, text)
            if unrecorded is None:
                raise
            row = unrecorded
        run = await _live(settings, row) if row.state == "open" else None
        return Shown(row, run, await all_records(store, row.id))


async def _live(settings: Settings, row: IncidentRow) -> RunStatus | None:
    try:
        client = await connected(settings)
        async with answering(f"the run of incident {row.id}"):
            return await _status(client, row.id)
    except NotFound:
        return None  # it has not begun: the trigger waits for more alerts
    except TransientError as error:
        note(f"{error}; shown as last recorded")
        return None


async def _status(client: Client, incident: str) -> RunStatus:
    run = client.get_workflow_handle(await current_run(client, incident))
    answer: RunStatus = await run.query(STATUS_QUERY, result_type=RunStatus)
    return answer


async def _unrecorded(settings: Settings, incident: str) -> IncidentRow | None:
    """An incident that the store could not take down yet: ask its workflow. None when there is none."""
    group = group_of(incident)
    if not group:
        return None
    try:
        client = await connected(settings)
        async with answering(f"incident {incident}"):
            handle = client.get_workflow_handle(group)
            row: IncidentRow = await handle.query(STATUS_QUERY, result_type=IncidentRow)
    except NotFound:
        return None
    return row if row.id == incident else None


def _blocks(shown: Shown) -> Iterator[RenderableType]:
    row, run = shown.row, shown.run
    gates = run.gates if run else ()
    state = run.state if run and not row.outcome else row.state
    yield Text.assemble(styled(row.id, "bold"), "  ", state_text(state, row.outcome, waiting=bool(gates)))
    facts = {
        "title": row.title,
        "playbook": f"{row.playbook} ({row.playbook_digest[:12]})",
        "reason": row.reason,
        "target": row.target or (run.target if run else ""),
        "service": row.service,
        "severity": row.severity,
        "opened": _time(row.opened_at),
        "reopened": f"{_times(row.reopened)}, last {_time(row.reopened_at)}" if row.reopened else "",
        "closed": _time(row.closed_at),
        "cleared": _time(row.cleared_at),
        "flapping": "its alerts come and go: each change needs an approval" if row.flapping else "",
        "alerts": str(row.alert_count) if row.alert_count else "",
        "workflow": f"{row.workflow_id}, run {run_id(row.id, row.runs)}",
    }
    yield from (Text.assemble((f"  {name:<9} ", "dim"), styled(value)) for name, value in facts.items() if value)
    if gates:
        for gate in gates:
            yield ""
            yield gate_block(gate, row.id)
    else:
        for plan in shown.plans:
            yield ""
            yield plan_block(plan)
    for left in run.result.left if run and run.result else ():
        yield styled(f"STILL IN PLACE: {left.summary} on {left.target}: {left.reason}", "bold red")
    yield ""
    yield timeline(shown.records)


def _time(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC" if at else ""


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"
