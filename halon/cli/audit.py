"""`halon audit`: the record of every decision and every attempt, and the proof that nobody changed it."""

import asyncio
from typing import Annotated

import typer

from halon.cli.invocation import settings_of
from halon.cli.options import flag
from halon.cli.output import counted, say, say_json, styled
from halon.cli.timeline import timeline
from halon.contracts.audit import StoredRecord
from halon.core.ids import incident_of
from halon.errors import NotFound
from halon.operations.records import all_records
from halon.settings import Settings
from halon.store.store import Store, open_store
from halon.store.verification import VerifyReport

app = typer.Typer(help="Read the audit chain, and prove it.", no_args_is_help=True, rich_markup_mode="markdown")


@app.command("show")
def show_records(
    context: typer.Context,
    incident: Annotated[str, typer.Argument(metavar="INCIDENT", help="Id, or its unique beginning.")],
    *,
    json: Annotated[bool, flag("--json", help="Write the records as JSON, with their hashes.")] = False,
) -> None:
    """Show an incident's audit records.

    Example: halon audit show crashloop-rollback-3f9a1c07de
    """
    records = asyncio.run(_records(settings_of(context), incident))
    if json:
        say_json([one.model_dump(mode="json") for one in records])
    else:
        say(timeline(records))


@app.command("verify")
def verify_chain(
    context: typer.Context,
    incident: Annotated[
        str | None, typer.Argument(metavar="[INCIDENT]", help="Only this incident; otherwise the whole chain.")
    ] = None,
    *,
    anchor: Annotated[
        str | None,
        typer.Option("--anchor", metavar="N:HASH", help="What an earlier verification gave; proves the end is there."),
    ] = None,
    json: Annotated[bool, flag("--json", help="Write the report as JSON.")] = False,
) -> None:
    """Prove that no audit record was changed, removed or swapped. Exits with 1 when one was.

    Keep the anchor that it prints where nobody can write who can write to the store, and give it next time: a chain
    whose end was cut off looks whole by itself.

    Example: halon audit verify --anchor 412:9f86d081884c7d65…
    """
    report = asyncio.run(_verified(settings_of(context), incident, anchor))
    if json:
        say_json({"ok": report.ok, **report.model_dump(mode="json")})
    else:
        for problem in report.problems:
            at = f" record {problem.position}" if problem.position else ""
            say(styled(f"broken  {problem.incident}{at}: {problem.message}", "bold red"))
        if report.more_problems:
            say(styled(f"… and {report.more_problems} more", "bold red"))
        word = styled("whole", "bold green") if report.ok else styled("broken", "bold red")
        counts = (
            f": {counted(report.incidents, 'incident')}, {counted(report.records, 'record')}; anchor {report.anchor}"
        )
        say(word.append(counts, style="not bold default"))
    if not report.ok:
        raise typer.Exit(1)


async def _records(settings: Settings, incident: str) -> list[StoredRecord]:
    async with open_store(settings) as store:
        records = await all_records(store, await _known(store, incident))
    if not records:
        raise NotFound(f"no audit record is about '{incident}'")
    return records


async def _verified(settings: Settings, incident: str | None, anchor: str | None) -> VerifyReport:
    async with open_store(settings) as store:
        return await store.audit.verify(await _known(store, incident) if incident else None, anchor=anchor)


async def _known(store: Store, text: str) -> str:
    """Give the whole id. What is no incident may have records all the same, such as `unmatched-2026-01-02`."""
    incident = incident_of(text.strip())
    if await store.audit.records(incident, limit=1):
        return incident
    return (await store.incidents.get(incident)).id
