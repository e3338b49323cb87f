"""`halon audit`: the record of every decision and every attempt, and the proof that nobody changed it."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.console import RenderableType

from halon.cli import audit_keeping, audit_keys
from halon.cli.audit_export import export
from halon.cli.invocation import settings_of
from halon.cli.options import flag
from halon.cli.output import counted, say, say_json, styled
from halon.cli.timeline import timeline
from halon.contracts.audit import StoredRecord
from halon.core.ids import incident_of
from halon.errors import HalonError, NotFound
from halon.operations.records import all_records
from halon.settings import Settings
from halon.store.archive_check import ArchiveReport, check_archive
from halon.store.keys import last_anchor, public_keys_from, trusted_keys
from halon.store.signing import TrustedKeys
from halon.store.store import Store, open_store
from halon.store.verification import Anchor, Problem, VerifyReport

app = typer.Typer(
    help="Read the audit chain, prove it, export it and keep it.", no_args_is_help=True, rich_markup_mode="markdown"
)
app.command("export")(export)
app.command("keygen")(audit_keys.keygen)
app.command("sign")(audit_keys.sign)
app.command("status")(audit_keeping.status)
app.command("hold")(audit_keeping.hold)
app.command("release")(audit_keeping.release)
app.command("prune")(audit_keeping.prune)


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
def verify_chain(  # one parameter an option: Typer's way
    context: typer.Context,
    what: Annotated[
        str | None,
        typer.Argument(
            metavar="[INCIDENT|ARCHIVE]",
            help="Only this incident, or an exported file; otherwise the whole chain.",
        ),
    ] = None,
    *,
    anchor: Annotated[
        str | None,
        typer.Option("--anchor", metavar="N:HASH", help="What an earlier verification gave; proves the end is there."),
    ] = None,
    public_key: Annotated[
        list[str] | None,
        typer.Option("--public-key", metavar="KEY", help="PEM file, or ed25519:BASE64, whose signatures count."),
    ] = None,
    unsigned: Annotated[bool, flag("--allow-unsigned", help="Accept an archive that no trusted key signed.")] = False,
    json: Annotated[bool, flag("--json", help="Write the report as JSON.")] = False,
) -> None:
    """Prove that no audit record was changed, removed or swapped. Exits with 1 when one was.

    An archive is checked from the file and the public keys alone: no store, no settings, no network. Every part of it
    must be signed with one of the keys, unless --allow-unsigned says otherwise.

    The chain in the store is compared with the signatures over it, and with the copies in object storage when
    `audit.anchor` names some. Without those, keep the anchor that is printed where nobody can write who can write to
    the store, and give it next time: a chain whose end was cut off looks whole by itself.

    Examples: halon audit verify --anchor 412:9f86d081884c7d65…
    halon audit verify incident.tar --public-key audit.pem
    """
    keys = public_keys_from(public_key or ())
    anchors = [Anchor.parse(anchor)] if anchor else []
    archive = Path(what) if what else None
    if archive is not None and (archive.suffix == ".tar" or archive.is_file()):
        report = check_archive(archive, TrustedKeys(keys), anchors)
        good = report.ok or (unsigned and not report.problems)
        if json:
            say_json({"ok": good, **report.model_dump(mode="json")})
        else:
            say(*_about_archive(report, good=good))
    else:
        chain = asyncio.run(_verified(settings_of(context), what, anchors, keys))
        good = chain.ok
        if json:
            say_json({"ok": good, **chain.model_dump(mode="json")})
        else:
            say(*_about_chain(chain))
    if not good:
        raise typer.Exit(1)


def _about_chain(report: VerifyReport) -> list[RenderableType]:
    lines: list[RenderableType] = []
    for problem in report.problems:
        at = f" record {problem.position}" if problem.position else ""
        lines.append(styled(f"broken  {problem.incident}{at}: {problem.message}", "bold red"))
    if report.more_problems:
        lines.append(styled(f"… and {report.more_problems} more", "bold red"))
    lines += [styled(f"pruned  {one.incident} on {one.at[:10]}: {one.reason}", "dim") for one in report.pruned]
    if report.more_pruned:
        lines.append(styled(f"… and {report.more_pruned} more were pruned", "dim"))
    head = int(report.anchor.partition(":")[0])
    if report.signatures:
        lines.append(f"signed  {counted(report.signatures, 'signature')}, up to head {report.signed} of {head}")
    if report.unchecked:
        lines.append(styled(f"{counted(report.unchecked, 'signature')} not checked: name --public-key", "yellow"))
    word = styled("whole", "bold green") if report.ok else styled("broken", "bold red")
    counts = f": {counted(report.incidents, 'incident')}, {counted(report.records, 'record')}; anchor {report.anchor}"
    return [*lines, word.append(counts, style="not bold default")]


def _about_archive(report: ArchiveReport, *, good: bool) -> list[RenderableType]:
    lines: list[RenderableType] = [styled(f"broken  {one}", "bold red") for one in report.problems]
    if report.more_problems:
        lines.append(styled(f"… and {report.more_problems} more", "bold red"))
    lines += [styled(f"unproven  {one}", "yellow") for one in report.unproven]
    lines += [styled(f"missing  {one}", "dim") for one in report.missing]
    if report.signed_by:
        lines.append(f"signed  in {report.environment} at {report.signed_at} with key {report.signed_by}")
    bad = "broken" if report.problems else "unproven"
    word = styled("whole", "bold green") if good else styled(bad, "bold red")
    counts = f": {counted(report.records, 'record')}, {counted(report.evidence, 'piece')} of evidence"
    about = f" of {report.incident}; anchor {report.anchor}" if report.incident else f" in {report.archive}"
    return [*lines, word.append(styled(counts + about, "not bold default"))]


async def _records(settings: Settings, incident: str) -> list[StoredRecord]:
    async with open_store(settings) as store:
        records = await all_records(store, await known(store, incident))
    if not records:
        raise NotFound(f"no audit record is about '{incident}'")
    return records


async def _verified(settings: Settings, incident: str | None, anchors: list[Anchor], keys: list[str]) -> VerifyReport:
    trusted = trusted_keys(settings, keys)
    problem = ""
    try:
        kept = await last_anchor(settings, trusted)
        anchors = [*anchors, kept] if kept else anchors
    except HalonError as error:
        problem = f"the chain was not compared with its copies: {error}"
    async with open_store(settings) as store:
        try:
            only = await known(store, incident) if incident else None
        except NotFound:
            only = incident  # it may have been pruned, or taken away
        report = await store.audit.verify(only, anchors=anchors, keys=trusted)
    if only and not (report.records or report.pruned or report.problems):
        raise NotFound(f"no audit record is about '{only}'")
    if not problem:
        return report
    found = (Problem(incident="", position=0, message=problem), *report.problems)
    return report.model_copy(update={"problems": found})


async def known(store: Store, text: str) -> str:
    """Give the whole id. What is no incident may have records all the same, such as `unmatched-2026-01-02`.

    Raises:
        NotFound: nothing is known of it.
        InvalidInput: several incidents begin so.
        TransientError: the store does not answer.
    """
    incident = incident_of(text.strip())
    if await store.audit.records(incident, limit=1):
        return incident
    return (await store.incidents.get(incident)).id
