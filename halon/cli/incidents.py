"""`halon incidents`: what is open, as Temporal knows it, and what has closed, as the store keeps it."""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Annotated

import typer
from rich.text import Text

from halon.cli.connections import connected
from halon.cli.invocation import settings_of
from halon.cli.options import flag
from halon.cli.output import OUTCOME_STYLES, note, say, say_json, styled, table
from halon.contracts.outcome import Outcome
from halon.operations.incidents import ListedIncident, Listing, Query, State, listed
from halon.settings import Settings
from halon.store.incidents import MAX_LIST, IncidentFilter
from halon.store.store import open_store


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
    listing = asyncio.run(_listed(settings_of(context), wanted, state, limit))
    if listing.stale:
        note(f"{listing.stale}; open incidents are shown as they were last recorded")
    found = listing.incidents
    if json:
        say_json([one.model_dump(mode="json") for one in found])
    elif found:
        again = any(one.reopened or one.flapping for one in found)
        columns = ("incident", "state", "opened (UTC)", *(("again",) if again else ()), "severity", "service", "title")
        say(table(columns, [_cells(one, again=again) for one in found]))
    else:
        note("no incident is like that", style="dim", label="none")


async def _listed(settings: Settings, wanted: IncidentFilter, state: State | None, limit: int) -> Listing:
    async with open_store(settings) as store:
        return await listed(store, partial(connected, settings), Query(wanted, state, limit))


def state_text(state: str, outcome: str, *, waiting: bool) -> Text:
    """Show how an incident stands."""
    if outcome:
        return styled(outcome, OUTCOME_STYLES.get(outcome, ""))
    return styled("waiting", "bold yellow") if waiting else styled(state, "bold")


def _cells(one: ListedIncident, *, again: bool) -> Sequence[str | Text]:
    state = state_text(one.state, one.outcome, waiting=one.waiting)
    times = "once" if one.reopened == 1 else f"{one.reopened} times"
    told = [f"{times}, {one.reopened_at:%Y-%m-%d %H:%M}"] if one.reopened_at else []
    told += ["flapping"] if one.flapping else []
    repeats = ("; ".join(told),) if again else ()
    return one.id, state, f"{one.opened_at:%Y-%m-%d %H:%M}", *repeats, one.severity, one.service, one.title
