"""`halon show`: one incident: how it stands, what it waits for, and all that happened."""

import asyncio
from collections.abc import Iterator
from datetime import datetime
from functools import partial
from typing import Annotated

import typer
from rich.console import RenderableType
from rich.text import Text

from halon.cli.connections import connected
from halon.cli.incidents import state_text
from halon.cli.invocation import settings_of
from halon.cli.options import flag
from halon.cli.output import note, say, say_json, styled
from halon.cli.plans import gate_block, plan_block
from halon.cli.timeline import timeline
from halon.contracts.coordination import CoordinationStatus
from halon.core.ids import run_id
from halon.operations.showing import Shown
from halon.operations.showing import look as shown_of
from halon.settings import Settings
from halon.store.store import open_store


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
    async with open_store(settings) as store:
        shown = await shown_of(store, partial(connected, settings), incident)
    if shown.stale:
        note(f"{shown.stale}; shown as last recorded")
    return shown


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
    yield from _people(shown.people)
    yield ""
    yield timeline(shown.records)


def _people(status: CoordinationStatus | None) -> Iterator[RenderableType]:
    """Who looks after it, what is due, and whom a message has not reached."""
    if status is None:
        return
    yield ""
    ack = status.acknowledgement
    facts = {"called": status.reason if status.urgency == "page" else "nobody: no objective is threatened"}
    if ack is not None and ack.by:
        facts["acknowledged"] = f"by {ack.by}, {_time(ack.at)}"
    elif ack is not None:
        facts["acknowledged"] = f"by nobody; others are called {_time(ack.due)}" if ack.due else "by nobody"
    facts |= {part: f"{one.person}, since {_time(one.since)}" for part, one in sorted(status.roles.items())}
    if status.status_page is not None:
        page = status.status_page
        held = f"waits for `halon publish {status.incident}`" if page.state == "held" else page.status
        facts["status page"] = " ".join(filter(None, (held, page.url, page.problem)))
    yield from (Text.assemble((f"  {name:<13} ", "dim"), styled(value)) for name, value in facts.items())
    for one in status.deadlines:
        late = one.missed and not one.done_at
        how = f"done by {one.done_by}, {_time(one.done_at)}" if one.done_at else f"due {_time(one.due)}"
        yield styled(f"  {one.name}: {one.title}: {how}{', MISSED' if late else ''}", "bold red" if late else "")
    for notice in status.notices:
        if notice.state in {"failing", "failed"}:
            yield styled(f"NOT TOLD: {notice.to}: {notice.title}: {notice.reason}", "bold red")
    sent = sum(1 for one in status.notices if one.state == "sent")
    yield styled(f"  {sent} messages told", "dim")


def _time(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC" if at else ""


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"
