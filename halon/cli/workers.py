"""`halon workers`: which clusters and accounts have a worker of their own, and whether it is there."""

import asyncio
from collections.abc import Sequence
from typing import Annotated

import typer
from rich.text import Text

from halon.cli.connections import connected
from halon.cli.invocation import settings_of
from halon.cli.options import flag
from halon.cli.output import counted, note, say, say_json, styled
from halon.contracts.base import Contract
from halon.operations.workers import TargetWorkers, workers_of
from halon.settings import Settings


class WorkersReport(Contract):
    """What `halon workers --json` writes."""

    ok: bool
    workers: tuple[TargetWorkers, ...]


def workers(
    context: typer.Context,
    *,
    json: Annotated[bool, flag("--json", help="Write the report as JSON.")] = False,
) -> None:
    """Show who is there to work, for the playbooks and for each cluster and account that has a worker of its own.

    A process counts that asked Temporal for work within the last two minutes. Exits with 1 when nobody did for one of
    the targets.
    """
    found = asyncio.run(_look(settings_of(context)))
    missing = [one for one in found if one.problem]
    if json:
        say_json(WorkersReport(ok=not missing, workers=tuple(found)))
    else:
        for one in found:
            _show(one, max(len(each.target) for each in found), max(len(each.queue) for each in found))
    if missing:
        note(f"{counted(len(missing), 'target')} of {len(found)} without a worker", style="red", label="error")
        raise typer.Exit(1)


async def _look(settings: Settings) -> Sequence[TargetWorkers]:
    return await workers_of(await connected(settings), settings)


def _show(one: TargetWorkers, target: int, queue: int) -> None:
    state = ("missing", "bold red") if one.problem else ("ok     ", "bold green")
    who = f"start one: {one.command}" if one.problem else ", ".join(poller.identity for poller in one.pollers)
    say(Text.assemble(state, "  ", (f"{one.target:<{target}}", "bold"), f"  {one.queue:<{queue}}  ", styled(who)))
