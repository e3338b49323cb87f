"""`halon preflight`: whether credentials are there, and may do what playbooks need, and who works and is told.

It shows names and places, never values.
"""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Annotated

import typer
from pydantic import BaseModel
from rich.text import Text

from halon.cli.installed import Installation, installation
from halon.cli.invocation import settings_of
from halon.cli.options import flag
from halon.cli.output import counted, note, say, say_json, styled
from halon.cli.workers import presence_of
from halon.clients.aws.api import AwsApi
from halon.clients.credentials import Credentials
from halon.clients.environment import open_env
from halon.clients.kubernetes.api import KubernetesApi
from halon.clients.preflight import Finding, inspect
from halon.clients.rights import NeededBy, Right, rights_of_accounts, rights_of_clusters
from halon.clients.targets import carried, reaching
from halon.errors import NotFound
from halon.kit.privileges.needs import Need, needs_of
from halon.playbook.recipients import channels_of
from halon.playbook.uses import Use
from halon.settings import Settings

_STYLES = {"ok": "bold green", "allowed": "bold green", "fallback": "bold yellow", "unknown": "bold yellow"}
_WRONG = "bold red"
_SHOWN = 5
"""Steps that a line names."""


class Preflight(BaseModel):
    """What `halon preflight --json` writes."""

    ok: bool
    credentials: tuple[Finding, ...]
    workers: tuple[Finding, ...] = ()
    """Those of the clusters and accounts that have one of their own."""
    channels: tuple[Finding, ...] = ()
    """Those that playbooks tell and `notify.channels` does not name."""
    permissions: tuple[Right, ...] = ()
    problems: tuple[str, ...] = ()
    """Why what playbooks need is not wholly known."""


def preflight(
    context: typer.Context,
    only: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[SETTING]...", help="Only these parts of halon.yaml, such as `gateway` or `kubernetes`."
        ),
    ] = None,
    *,
    namespace: Annotated[
        list[str] | None,
        typer.Option("--namespace", "-n", help="Where to ask for what may be in any namespace; may be repeated."),
    ] = None,
    targets: Annotated[
        list[str] | None,
        typer.Option(
            "--for",
            metavar="TARGET",
            help="Look as the worker of cluster:NAME or account:NAME would; may be repeated.",
        ),
    ] = None,
    no_permissions: Annotated[bool, flag("--no-permissions", help="Do not ask clusters and accounts.")] = False,
    json: Annotated[bool, flag("--json", help="Write the report as JSON.")] = False,
) -> None:
    """Check that every credential that halon.yaml names is there, and may do what the playbooks need.

    Says for each setting where its credential was found, or which sources were tried; values are never shown. Then asks
    every cluster and AWS account whether Halon may do what the steps of the installed playbooks need, and says which
    step misses what. A cluster or account that has a worker of its own is not asked: of that it says whether it is
    there. Last come the channels that playbooks tell and `notify.channels` does not name. Exits with 1 when
    something is missing, or could not be asked.

    Example: halon preflight -n shop -n web
    """
    given = settings_of(context)
    settings = reaching(given, carried(given, targets or ()))
    findings = tuple(inspect(settings, Credentials(settings.credentials), only or ()))
    systems = [one for one in ("kubernetes", "aws") if not no_permissions and _is_wanted(one, only or ())]
    tells = not targets and _is_wanted("notify", only or ())
    installed, problems = _installed(settings) if systems or tells else (None, ())
    needs = _needs(installed) if installed and systems else []
    channels = tuple(_unknown_channels(installed, settings)) if installed and tells else ()
    rights = asyncio.run(
        _rights([one for one in needs if one.system in systems], settings, namespace or (), only or ())
    )
    missing = sum(one.state == "missing" for one in findings)
    workers = asyncio.run(presence_of(given, only or ()))
    away = sum(one.state == "missing" for one in workers)
    lacking = [one for one in rights if one.state != "allowed"]
    ok = not (missing or lacking or problems or away or channels)
    if json:
        report = Preflight(
            ok=ok,
            credentials=findings,
            workers=workers,
            channels=channels,
            permissions=tuple(rights),
            problems=problems,
        )
        say_json(report)
    else:
        for one in (*findings, *workers, *channels):
            _show(one)
        if not findings:
            say("halon.yaml names no credentials here")
        _show_rights(rights)
    _conclude(missing, len(findings), rights, problems)
    if away:
        note(f"{counted(away, 'worker')} of {len(workers)} missing", style="red", label="error")
    if channels:
        note(
            f"{counted(len(channels), 'channel')} missing: nobody hears what is told there", style="red", label="error"
        )
    by_http = {one.who for one in needs if one.system == "http"}
    if by_http and not json:
        note(
            f"{counted(len(by_http), 'step')} need rights over HTTP, which nobody can ask for: see `halon permissions`",
            label="note",
        )
    if not ok:
        raise typer.Exit(1)


def _is_wanted(system: str, only: Sequence[str]) -> bool:
    return not only or any(one.partition(".")[0] == system for one in only)


def _installed(settings: Settings) -> tuple[Installation | None, tuple[str, ...]]:
    """Give what is installed, and why that is not all."""
    try:
        installed = installation(settings)
    except NotFound as error:
        return None, (str(error),)
    return installed, tuple(str(one) for one in installed.catalogue.problems)


def _needs(installed: Installation) -> list[Need]:
    books = installed.catalogue.playbooks
    return needs_of(books.values(), books, installed.registry)


def _unknown_channels(installed: Installation, settings: Settings) -> Iterator[Finding]:
    for channel, uses in sorted(channels_of(installed.catalogue.playbooks.values()).items()):
        if channel not in settings.notify.channels:
            problem = f"playbooks tell it, and nobody is there: {_by(uses)}"
            yield Finding(setting=f"notify.channels.{channel}", state="missing", problems=(problem,))


async def _rights(
    needs: Sequence[Need], settings: Settings, namespaces: Sequence[str], only: Sequence[str]
) -> list[Right]:
    async with open_env(settings) as env:
        clusters, accounts = await asyncio.gather(
            rights_of_clusters(needs, settings, env.get(KubernetesApi), namespaces, only),
            rights_of_accounts(needs, settings, env.get(AwsApi), only),
        )
    return [*clusters, *accounts]


def _conclude(missing: int, credentials: int, rights: Sequence[Right], problems: Sequence[str]) -> None:
    """Say on standard error what is wrong."""
    if missing:
        note(f"{counted(missing, 'credential')} of {credentials} missing", style="red", label="error")
    for state, said in (("missing", "missing"), ("unknown", "not known")):
        count = sum(one.state == state for one in rights)
        if count:
            note(f"{counted(count, 'permission')} of {len(rights)} {said}", style="red", label="error")
    for one in problems:
        note(f"what the playbooks need is not known: {one}", style="red", label="error")


def _show(finding: Finding) -> None:
    style = _STYLES.get(finding.state, _WRONG)
    say(Text.assemble((f"{finding.state:<8}  ", style), (finding.setting, "bold"), "  ", styled(finding.source)))
    for problem in finding.problems:
        say(styled(f"          {problem}", style))


def _show_rights(rights: Sequence[Right]) -> None:
    """Write what is missing, and for whom; what could not be asked for one reason together; the rest only counted."""
    for right in rights:
        if right.state == "missing":
            say(Text.assemble((f"{'missing':<8}  ", _WRONG), (_title(right), "bold"), "  ", styled(_what(right))))
            say(styled(f"          {right.problem}; needed by {_by(right.needed_by)}", _WRONG))
    unknown: dict[tuple[str, str], list[Right]] = {}
    for right in rights:
        if right.state == "unknown":
            unknown.setdefault((_title(right), right.problem), []).append(right)
    for (title, problem), same in unknown.items():
        what = _what(same[0]) if len(same) == 1 else f"{len(same)} permissions could not be asked for"
        say(Text.assemble((f"{'unknown':<8}  ", _STYLES["unknown"]), (title, "bold"), "  ", styled(what)))
        say(styled(f"          {problem}", _STYLES["unknown"]))
    for title in dict.fromkeys(_title(one) for one in rights):
        of = [one for one in rights if _title(one) == title]
        there = sum(one.state == "allowed" for one in of)
        if there:
            said = f"{there} of {counted(len(of), 'permission')}"
            say(Text.assemble((f"{'allowed':<8}  ", _STYLES["allowed"]), (title, "bold"), "  ", styled(said)))


def _title(right: Right) -> str:
    return f"{'cluster' if right.system == 'kubernetes' else 'account'} {right.target}"


def _what(right: Right) -> str:
    if right.system == "aws":
        return f"{right.verb} on {right.resource}"
    named = f" named {right.name}" if right.name else ""
    where = f"in namespace {right.namespace}" if right.namespace else "in the whole cluster"
    return f"{right.verb} {right.resource}{named} {where}"


def _by(steps: Sequence[Use] | Sequence[NeededBy]) -> str:
    named = [f"{one.playbook} ({one.step})" for one in steps]
    more = f" and {len(named) - _SHOWN} more" if len(named) > _SHOWN else ""
    return f"{', '.join(named[:_SHOWN])}{more}"
