"""`halon people` and `halon oncall`: whom halon.yaml and its schedules mean now."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated

import typer
from pydantic import AwareDatetime, TypeAdapter, ValidationError

from halon.cli.invocation import settings_of
from halon.cli.options import flag
from halon.cli.output import note, say, say_json, table
from halon.clients.oncall import OnCall, Shift, gap_of
from halon.contracts.base import Json, JsonObject
from halon.core.directory import Directory
from halon.errors import InvalidInput
from halon.settings import Settings

AsJson = Annotated[bool, flag("--json", help="Write the answer as JSON.")]
Group = Annotated[str, typer.Argument(metavar="GROUP", help="A group of halon.yaml.")]
At = Annotated[str, typer.Option("--at", metavar="TIME", help="Such as 2026-01-31T10:00:00Z; by default now.")]
_TIME: TypeAdapter[datetime] = TypeAdapter(AwareDatetime)


def people(context: typer.Context, *, json: AsJson = False) -> None:
    """List the people of halon.yaml, the groups that they are in now, and their roles."""
    settings = settings_of(context)
    directory, missing = asyncio.run(_directory(settings))
    rows = [_row(person, settings, directory) for person in sorted(settings.people)]
    if json:
        listed: list[Json] = [{"person": p, "name": n, "groups": [*g], "roles": [*r]} for p, n, g, r in rows]
        say_json({"people": listed, "missing": dict(missing)})
        return
    if rows:
        say(table(("person", "name", "groups", "roles"), [(p, n, ", ".join(g), ", ".join(r)) for p, n, g, r in rows]))
    else:
        say("halon.yaml names no people: a name is what it claims to be")
    for group, why in missing.items():
        note(f"group {group}: {why}")


def oncall(context: typer.Context, group: Group, *, at: At = "", json: AsJson = False) -> None:
    """Show who is in a group now, or at another time: its members, and whom its schedule says is on call.

    Example: halon oncall sre --at 2026-12-24T03:00:00+01:00
    """
    settings = settings_of(context)
    moment = _moment(at)
    shift = asyncio.run(_shift(settings, group, moment))
    missing = gap_of(shift) if settings.groups[group].schedule is not None else ""
    if json:
        asked: JsonObject = {"group": group, "at": moment.isoformat()}
        say_json({**asked, "members": [*shift.members], "on_call": [*shift.on_call], "missing": missing})
        return
    rows = [(one, settings.people[one].name, "on call" if one in shift.on_call else "member") for one in shift.members]
    say(table(("person", "name", "why"), rows) if rows else f"nobody is in group {group} at {moment.isoformat()}")
    if missing:
        note(f"group {group}: {missing}")


async def _directory(settings: Settings) -> tuple[Directory, Mapping[str, str]]:
    async with OnCall(settings) as groups:
        return await groups.directory(datetime.now(UTC))


async def _shift(settings: Settings, group: str, at: datetime) -> Shift:
    async with OnCall(settings) as groups:
        return await groups.shift(group, at)


def _row(person: str, settings: Settings, directory: Directory) -> tuple[str, str, list[str], list[str]]:
    roles = [
        name
        for name, role in sorted(settings.roles.items())
        if any(person in (directory.members(reference) or ()) for reference in role.to)
    ]
    return person, settings.people[person].name, list(directory.groups_of(person)), roles


def _moment(text: str) -> datetime:
    if not text:
        return datetime.now(UTC)
    try:
        return _TIME.validate_python(text)
    except ValidationError as error:
        raise InvalidInput("--at is no time with a zone: write it such as 2026-01-31T10:00:00Z") from error
