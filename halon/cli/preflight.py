"""`halon preflight`: whether every credential is there before it is needed. It shows names and places, never values."""

from typing import Annotated

import typer
from pydantic import BaseModel
from rich.text import Text

from halon.cli.invocation import settings_of
from halon.cli.options import flag
from halon.cli.output import counted, note, say, say_json, styled
from halon.clients.credentials import Credentials
from halon.clients.preflight import Finding, inspect

_STYLES = {"ok": "bold green", "fallback": "bold yellow", "missing": "bold red"}


class Preflight(BaseModel):
    """What `halon preflight --json` writes."""

    ok: bool
    credentials: tuple[Finding, ...]


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

    Says for each setting where its credential was found, or which sources were tried and why they do not give it.
    Values are never shown. Exits with 1 when one is missing.
    """
    settings = settings_of(context)
    findings = tuple(inspect(settings, Credentials(settings.credentials), only or ()))
    missing = sum(one.state == "missing" for one in findings)
    if json:
        say_json(Preflight(ok=not missing, credentials=findings))
    else:
        for one in findings:
            _show(one)
        if not findings:
            say("halon.yaml names no credentials here")
    if missing:
        note(f"{counted(missing, 'credential')} of {len(findings)} missing", style="red", label="error")
        raise typer.Exit(1)


def _show(finding: Finding) -> None:
    style = _STYLES[finding.state]
    say(Text.assemble((f"{finding.state:<8}  ", style), (finding.setting, "bold"), "  ", styled(finding.source)))
    for problem in finding.problems:
        say(styled(f"          {problem}", style))
