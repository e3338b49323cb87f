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
from halon.clients.preflight import Finding, is_wanted
from halon.clients.presence import Presence
from halon.clients.targets import carriers_of
from halon.contracts.base import Contract
from halon.contracts.routes import Carrier
from halon.errors import HalonError
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


async def presence_of(settings: Settings, only: Sequence[str]) -> tuple[Finding, ...]:
    """Say of each worker of a cluster or an account whether it is there, as `halon preflight` shows it."""
    wanted = {place: one for one in carriers_of(settings) if is_wanted(place := _place(one), only)}
    if not wanted:
        return ()
    try:
        presence = Presence(await connected(settings))
        there = {place: await presence.pollers(one.queue) for place, one in wanted.items()}
    except HalonError as error:
        return tuple(Finding(setting=place, state="missing", problems=(str(error),)) for place in wanted)
    return tuple(
        Finding(setting=place, state="ok", source=f"task queue {one.queue}: {there[place][0].identity}")
        if there[place]
        else Finding(setting=place, state="missing", problems=(one.missing,))
        for place, one in wanted.items()
    )


def _place(carrier: Carrier) -> str:
    kind, _, name = carrier.target.partition(":")
    return f"kubernetes.clusters.{name}.worker" if kind == "cluster" else f"aws.accounts.{name}.worker"
