"""`halon audit status`, `hold`, `release` and `prune`: what is kept, for how long, and what proves it."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated

import typer
from pydantic import BaseModel
from rich.console import RenderableType

from halon.cli.access import demand, named
from halon.cli.invocation import settings_of
from halon.cli.options import flag
from halon.cli.output import counted, say, say_json, styled, table
from halon.contracts.people import Right
from halon.core.ids import incident_of
from halon.errors import InvalidInput
from halon.settings import Settings
from halon.store.retention import Hold, PruneReport
from halon.store.signatures import SignedHead
from halon.store.store import Store, open_store

Json = Annotated[bool, flag("--json", help="Write the answer as JSON.")]
By = Annotated[str, typer.Option("--by", help="Who does it; by default the user of this system.", metavar="NAME")]
Reason = Annotated[str, typer.Option("--reason", "-m", help="Why; the audit keeps it.")]
Incident = Annotated[str, typer.Argument(metavar="INCIDENT", help="Id, or its unique beginning.")]


class AuditStatus(BaseModel):
    """What `halon audit status --json` writes."""

    signing: bool
    """Whether the settings name a key."""
    signed: SignedHead | None
    unsigned: int
    """Heads behind the last one that is signed."""
    anchoring: bool
    anchored: SignedHead | None
    holds: tuple[Hold, ...]


def status(context: typer.Context, *, json: Json = False) -> None:
    """Show how far the chain is signed and copied elsewhere, why not further, and what is on hold."""
    found = asyncio.run(_status(settings_of(context)))
    if json:
        say_json(found)
        return
    say(*_signing(found), *_anchoring(found), *_holds(found))


def hold(context: typer.Context, incident: Incident, *, reason: Reason = "", by: By = "", json: Json = False) -> None:
    """Put an incident on legal hold: whatever its age, it is kept with its records and its evidence.

    Example: halon audit hold crashloop-rollback-3f9a1c07de --reason "claim 4711"
    """
    wanted = asyncio.run(_held(settings_of(context), incident, reason, by, holds=True))
    _answer(wanted, "is on hold", as_json=json)


def release(
    context: typer.Context, incident: Incident, *, reason: Reason = "", by: By = "", json: Json = False
) -> None:
    """End the legal hold of an incident: it is kept for as long as `retention` says.

    Example: halon audit release crashloop-rollback-3f9a1c07de --reason "claim 4711 is settled"
    """
    wanted = asyncio.run(_held(settings_of(context), incident, reason, by, holds=False))
    _answer(wanted, "is not on hold any more", as_json=json)


def prune(
    context: typer.Context,
    *,
    dry_run: Annotated[bool, flag("--dry-run", help="Only say what would be taken away.")] = False,
    by: By = "",
    json: Json = False,
) -> None:
    """Take away what is past its term in `retention`: whole incidents with their records, and evidence.

    The chain stays provable: what was pruned is told in it. Nothing that is on hold is taken, nor an incident whose
    records are not whole. One call takes a bounded number; it says when there is more.
    """
    settings = settings_of(context)
    terms = settings.retention
    if terms.incidents is None and terms.records is None and terms.evidence is None:
        raise InvalidInput("everything is kept for ever: `retention` in halon.yaml names no term")
    report = asyncio.run(_pruned(settings, named(settings, by), dry_run=dry_run))
    if json:
        say_json(report)
    else:
        say(*_about(report))
    if report.broken:
        raise typer.Exit(1)


def _about(report: PruneReport) -> list[RenderableType]:
    did = "would be pruned" if report.dry_run else "pruned"
    lines: list[RenderableType] = []
    if report.incidents:
        rows = [(one.incident, f"{one.ended_at:%Y-%m-%d}", str(one.records), one.reason) for one in report.incidents]
        lines.append(table(("incident", "ended", "records", "why"), rows))
    lines += [
        styled(f"kept  {one}: its records are not whole, see `halon audit verify`", "red") for one in report.broken
    ]
    if report.held:
        lines.append(f"kept  {counted(report.held, 'incident')} on hold")
    lines.append(
        f"{did}: {counted(len(report.incidents), 'incident')}, {counted(len(report.evidence), 'piece')} of evidence"
    )
    if report.more:
        lines.append(styled("there is more: run it again", "yellow"))
    return lines


async def _status(settings: Settings) -> AuditStatus:
    async with open_store(settings) as store:
        return AuditStatus(
            signing=settings.audit.signing_key is not None,
            signed=await store.signatures.latest(),
            unsigned=await store.signatures.unsigned(),
            anchoring=settings.audit.anchor is not None,
            anchored=await store.signatures.last_anchored(),
            holds=tuple(await store.retention.holds()),
        )


def _signing(found: AuditStatus) -> list[RenderableType]:
    if found.signed is None:
        word = "nothing yet" if found.signing else "nothing: see `halon audit keygen`"
        return [styled(f"signed    {word}; {counted(found.unsigned, 'head')} not signed", "yellow")]
    when = f"{found.signed.at:%Y-%m-%d %H:%M:%S} UTC"
    rest = f"; {counted(found.unsigned, 'head')} since" if found.unsigned else ""
    return [f"signed    up to head {found.signed.n} at {when} with key {found.signed.key}{rest}"]


def _anchoring(found: AuditStatus) -> list[RenderableType]:
    lines: list[RenderableType] = []
    if found.anchored is not None and found.anchored.anchored_at is not None:
        when = f"{found.anchored.anchored_at:%Y-%m-%d %H:%M:%S} UTC"
        lines.append(f"anchored  head {found.anchored.n} at {when} as {found.anchored.anchor}")
    elif found.anchoring:
        lines.append(styled("anchored  nothing yet", "yellow"))
    if found.signed is not None and found.signed.problem:
        lines.append(styled(f"failing   head {found.signed.n} has no copy: {found.signed.problem}", "bold red"))
    return lines


def _holds(found: AuditStatus) -> list[RenderableType]:
    rows = [(one.incident, f"{one.at:%Y-%m-%d}", one.by, one.reason) for one in found.holds]
    return [table(("on hold", "since", "by", "why"), rows)] if rows else []


async def _held(settings: Settings, text: str, reason: str, by: str, *, holds: bool) -> Hold:
    who = named(settings, by)
    await demand(settings, who, Right.ADMINISTER, f"{'hold' if holds else 'release'} {text}")
    async with open_store(settings) as store:
        wanted = Hold(incident=await _whole_id(store, text), reason=reason, by=who, at=datetime.now(UTC))
        await (store.retention.hold(wanted) if holds else store.retention.release(wanted))
    return wanted


async def _whole_id(store: Store, text: str) -> str:
    incident = incident_of(text.strip())
    if await store.audit.records(incident, limit=1):
        return incident
    return (await store.incidents.get(incident)).id


async def _pruned(settings: Settings, by: str, *, dry_run: bool) -> PruneReport:
    await demand(settings, by, Right.READ if dry_run else Right.ADMINISTER, "prune")
    async with open_store(settings) as store:
        return await store.retention.prune(settings.retention, by, datetime.now(UTC), dry_run=dry_run)


def _answer(wanted: Hold, what: str, *, as_json: bool) -> None:
    if as_json:
        say_json(wanted)
    else:
        say(f"{wanted.incident} {what}: {wanted.reason}")
