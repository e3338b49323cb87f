"""`halon postmortem`: the draft of a post-mortem, from what the audit knows of an incident."""

import asyncio
from datetime import UTC, datetime
from functools import partial
from typing import Annotated

import typer

from halon.cli.connections import connected
from halon.cli.invocation import settings_of
from halon.cli.output import note
from halon.operations.postmortem import Draft
from halon.operations.postmortem import draft as draft_of
from halon.settings import Settings
from halon.store.store import open_store


def postmortem(
    context: typer.Context,
    incident: Annotated[str, typer.Argument(metavar="INCIDENT", help="Id, or its unique beginning.")],
) -> None:
    """Write the draft of a post-mortem, as Markdown: times, changes, who decided, evidence, timeline, earlier ones.

    What only people can know stands in it as a question.

    Example: halon postmortem crashloop-rollback-3f9a1c07de > post-mortem.md
    """
    told = asyncio.run(_gathered(settings_of(context), incident))
    if told.shown.stale:
        note(f"{told.shown.stale}; told as last recorded")
    typer.echo(told.markdown(datetime.now(UTC)), nl=False)


async def _gathered(settings: Settings, incident: str) -> Draft:
    async with open_store(settings) as store:
        return await draft_of(store, partial(connected, settings), incident)
