"""`halon setup`: makes ready what the processes need, and says what is missing. Doing it again changes nothing."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated

import typer
from pydantic import BaseModel
from rich.text import Text

from halon.cli.connections import connected
from halon.cli.installed import installation
from halon.cli.invocation import settings_of
from halon.cli.options import flag
from halon.cli.output import counted, say, say_json, styled
from halon.clients.calendars import Freezes
from halon.clients.temporal import register_search_attributes
from halon.core.policy import check_rules
from halon.errors import HalonError, InvalidInput
from halon.settings import Settings
from halon.store.keys import anchor_bucket, audit_key
from halon.store.store import open_store


class Check(BaseModel):
    """One thing that must be right."""

    name: str
    ok: bool
    detail: str


class SetupReport(BaseModel):
    """What `halon setup --json` writes."""

    ok: bool
    checks: tuple[Check, ...]


def setup(
    context: typer.Context,
    *,
    json: Annotated[bool, flag("--json", help="Write the report as JSON.")] = False,
) -> None:
    """Make Temporal and the store ready, and check the installation.

    Registers the search attributes in Temporal's namespace, creates the store's tables, and loads the playbooks. Run
    it once before the first worker and after every upgrade; doing it again changes nothing.
    """
    report = asyncio.run(prepare(settings_of(context)))
    if json:
        say_json(report)
    else:
        for check in report.checks:
            mark = ("ok    ", "bold green") if check.ok else ("failed", "bold red")
            say(Text.assemble(mark, "  ", (f"{check.name:<10}", "bold"), styled(check.detail)))
    if not report.ok:
        raise typer.Exit(1)


async def prepare(settings: Settings) -> SetupReport:
    """Do it all; what fails is in the report and keeps nothing else from being done."""
    steps: dict[str, Callable[[Settings], Awaitable[str]]] = {
        "temporal": _temporal,
        "store": _store,
        "playbooks": _playbooks,
        "guards": _guards,
        "audit": _audit,
    }
    checks = [await _checked(name, step, settings) for name, step in steps.items()]
    return SetupReport(ok=all(one.ok for one in checks), checks=tuple(checks))


async def _checked(name: str, step: Callable[[Settings], Awaitable[str]], settings: Settings) -> Check:
    try:
        return Check(name=name, ok=True, detail=await step(settings))
    except HalonError as error:
        return Check(name=name, ok=False, detail=str(error))


async def _temporal(settings: Settings) -> str:
    client = await connected(settings)
    registered = await register_search_attributes(client)
    did = f"registered {', '.join(registered)}" if registered else "search attributes are registered"
    return f"{settings.temporal.address}, namespace {settings.temporal.namespace}: {did}"


async def _store(settings: Settings) -> str:
    async with open_store(settings) as store:
        await store.check()
    return f"{settings.store_url}: ready"


async def _guards(settings: Settings) -> str:
    """Read the calendars and compile the policy, as a worker does when it starts."""
    check_rules(settings.policy)
    await asyncio.to_thread(Freezes, settings.freeze)
    return f"{counted(len(settings.freeze), 'freeze')}, {counted(len(settings.policy), 'policy rule')}"


async def _audit(settings: Settings) -> str:
    """Read the keys, as a worker does when it starts."""
    key = audit_key(settings)
    bucket = settings.audit.anchor.bucket if anchor_bucket(settings) and settings.audit.anchor else ""
    signing = f"signed with key {key.id}" if key else "not signed: see `halon audit keygen`"
    return f"{signing}; {f'copied to bucket {bucket}' if bucket else 'no copies elsewhere'}"


async def _playbooks(settings: Settings) -> str:
    installed = await asyncio.to_thread(installation, settings)
    wrong = len(installed.catalogue.problems)
    if wrong:
        raise InvalidInput(f"{counted(wrong, 'problem')}: `halon lint` shows what and where")
    if not installed.catalogue.playbooks:
        raise InvalidInput("no playbook found: see `playbooks` in halon.yaml")
    playbooks, actions = len(installed.catalogue.playbooks), len(installed.registry.names)
    return f"{counted(playbooks, 'playbook')}, {counted(actions, 'action')}"
