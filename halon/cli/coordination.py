"""`halon ack`, `role`, `done` and `publish`: what people say to an incident beside approving and denying."""

import asyncio
from typing import Annotated

import typer
from pydantic import ValidationError

from halon.cli.access import demand_at, named
from halon.cli.connections import connected
from halon.cli.decisions import By, Comment, Incident, Json, whole_id
from halon.cli.invocation import settings_of
from halon.cli.output import say, say_json
from halon.contracts.coordination import AcknowledgeInput, DoneInput, PublishInput, RoleInput
from halon.contracts.people import Method, Principal, Right
from halon.errors import InvalidInput
from halon.operations.coordination import Word, tell_incident
from halon.operations.denials import Attempt
from halon.settings import Settings


def ack(context: typer.Context, incident: Incident, *, comment: Comment = "", by: By = "", json: Json = False) -> None:
    """Acknowledge: you look after the incident, and nobody further is called.

    Whoever acknowledges first is incident commander, unless somebody is.

    Example: halon ack crashloop-rollback-3f9a1c07de --comment "looking"
    """
    _say(context, incident, AcknowledgeInput, {"by": by, "comment": comment}, as_json=json)


def role(  # noqa: PLR0913  # one parameter an option: Typer's way
    context: typer.Context,
    incident: Incident,
    part: Annotated[str, typer.Argument(metavar="PART", help="`commander` or `communication`.")],
    *,
    to: Annotated[str, typer.Option("--to", metavar="NAME", help="Who has it then; by default you.")] = "",
    leave: Annotated[bool, typer.Option("--leave", metavar="", help="Give it up.")] = False,
    by: By = "",
    json: Json = False,
) -> None:
    """Take a part in an incident, or hand it over.

    Example: halon role crashloop-rollback-3f9a1c07de commander --to ben
    """
    if leave and to:
        raise InvalidInput("--leave gives the part to nobody: leave --to away")
    to = "-" if leave else to
    _say(context, incident, RoleInput, {"by": by, "role": part, "to": to}, as_json=json)


def done(  # one parameter an option: Typer's way
    context: typer.Context,
    incident: Incident,
    deadline: Annotated[str, typer.Argument(metavar="DEADLINE", help="Its name in `communication.deadlines`.")],
    *,
    comment: Comment = "",
    by: By = "",
    json: Json = False,
) -> None:
    """Say that a duty with a deadline was done.

    Example: halon done exfiltration-3f9a1c07de gdpr --comment "reported, file number 4711"
    """
    _say(context, incident, DoneInput, {"by": by, "comment": comment, "deadline": deadline}, as_json=json)


def publish(  # one parameter an option: Typer's way
    context: typer.Context,
    incident: Incident,
    *,
    status: Annotated[
        str, typer.Option("--status", help="`investigating`, `identified`, `monitoring` or `resolved`.")
    ] = "",
    message: Annotated[str, typer.Option("--message", help="Your own words for the public.")] = "",
    by: By = "",
    json: Json = False,
) -> None:
    """Release what waits for the status page, or say something there in your own words.

    Example: halon publish crashloop-rollback-3f9a1c07de --status resolved --message "All is well again."
    """
    _say(context, incident, PublishInput, {"by": by, "status": status, "message": message}, as_json=json)


def _say(context: typer.Context, incident: str, kind: type[Word], said: dict[str, str], *, as_json: bool) -> None:
    settings = settings_of(context)
    try:
        given = kind.model_validate({**said, "by": named(settings, said["by"])})
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors(include_url=False)]
        raise InvalidInput("; ".join(problems)) from error
    whole, answer = asyncio.run(_tell(settings, incident, given))
    if as_json:
        say_json({"incident": whole, "by": given.by, "answer": answer})
    else:
        say(answer)


async def _tell(settings: Settings, incident: str, word: Word) -> tuple[str, str]:
    client = await connected(settings)
    whole = await whole_id(settings, client, incident)
    who = Principal(person=word.by, method=Method.CLAIMED)
    await demand_at(settings, Attempt(who, Right.DECIDE, f"speak at incident {whole}", whole))
    return whole, await tell_incident(client, whole, word)
