"""`halon preflight`: whether every credential and every worker is there. It shows names and places, never values."""

import asyncio
from collections.abc import Sequence
from typing import Annotated

import typer
from pydantic import BaseModel
from rich.text import Text

from halon.cli.connections import connected
from halon.cli.invocation import settings_of
from halon.cli.options import flag
from halon.cli.output import counted, note, say, say_json, styled
from halon.clients.credentials import Credentials
from halon.clients.preflight import Finding, inspect, is_wanted
from halon.clients.presence import Presence
from halon.clients.targets import carriers_of
from halon.contracts.routes import Carrier
from halon.errors import HalonError
from halon.settings import Settings

_STYLES = {"ok": "bold green", "fallback": "bold yellow", "missing": "bold red"}


class Preflight(BaseModel):
    """What `halon preflight --json` writes."""

    ok: bool
    credentials: tuple[Finding, ...]
    workers: tuple[Finding, ...] = ()
    """Of the clusters and accounts that have one of their own."""


def preflight(
    context: typer.Context,
    only: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SETTING]...", help="Only these parts of halon.yaml, such as `gateway` or `notify`."),
    ] = None,
    *,
    json: Annotated[bool, flag("--json", help="Write the report as JSON.")] = False,
) -> None:
    """Check that every credential that halon.yaml names is there: variables, files, Vault, AWS Secrets Manager.

    Says for each setting where its credential was found, or which sources were tried and why they do not give it, and
    whether the worker of each cluster and account that has one of its own is there. Values are never shown. Exits with
    1 when one is missing.
    """
    settings = settings_of(context)
    findings = tuple(inspect(settings, Credentials(settings.credentials), only or ()))
    workers = asyncio.run(_workers(settings, only or ()))
    missing = sum(one.state == "missing" for one in findings)
    away = sum(one.state == "missing" for one in workers)
    if json:
        say_json(Preflight(ok=not missing and not away, credentials=findings, workers=workers))
    else:
        for one in (*findings, *workers):
            _show(one)
        if not findings:
            say("halon.yaml names no credentials here")
    if missing:
        note(f"{counted(missing, 'credential')} of {len(findings)} missing", style="red", label="error")
    if away:
        note(f"{counted(away, 'worker')} of {len(workers)} missing", style="red", label="error")
    if missing or away:
        raise typer.Exit(1)


async def _workers(settings: Settings, only: Sequence[str]) -> tuple[Finding, ...]:
    """Look who is there, when there is anybody to look for."""
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


def _show(finding: Finding) -> None:
    style = _STYLES[finding.state]
    say(Text.assemble((f"{finding.state:<8}  ", style), (finding.setting, "bold"), "  ", styled(finding.source)))
    for problem in finding.problems:
        say(styled(f"          {problem}", style))
