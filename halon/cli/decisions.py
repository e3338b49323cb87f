"""`halon approve`, `deny` and `cancel`: a person's word to a run. The run decides whether it counts, and says so."""

import asyncio
from typing import Annotated

import typer
from pydantic import ValidationError
from temporalio.client import Client

from halon.cli.access import demand_at, named
from halon.cli.connections import connected
from halon.cli.invocation import settings_of
from halon.cli.options import flag
from halon.cli.output import say, say_json
from halon.contracts.decision import Verdict
from halon.contracts.people import Right
from halon.contracts.run import Decide
from halon.errors import InvalidInput
from halon.operations.answering import answering
from halon.operations.decisions import cancel as cancel_run
from halon.operations.decisions import decide as hand_in
from halon.operations.lookup import full_id, open_id
from halon.settings import Settings
from halon.store.store import open_store

Incident = Annotated[str, typer.Argument(metavar="INCIDENT", help="Id of the incident, or its unique beginning.")]
Step = Annotated[str, typer.Option("--step", help="Which step, when several wait.")]
PlanDigest = Annotated[str, typer.Option("--plan", help="Digest of the plan that you read, 8 digits or more.")]
Comment = Annotated[str, typer.Option("--comment", "-m", help="Why; goes into the audit.")]
By = Annotated[str, typer.Option("--by", help="Who decides; by default the user of this system.", metavar="NAME")]
Json = Annotated[bool, flag("--json", help="Write the answer as JSON.")]


def approve(  # noqa: PLR0913  # one parameter an option: Typer's way
    context: typer.Context,
    incident: Incident,
    *,
    step: Step = "",
    plan: PlanDigest = "",
    comment: Comment = "",
    by: By = "",
    json: Json = False,
) -> None:
    """Approve what an incident waits for.

    With --plan the approval holds for that plan only; without it, for the plan that is shown now.

    Example: halon approve crashloop-rollback-3f9a1c07de-5b0c99e1 --plan 1f2e3d4c5b6a --by ana@example.com
    """
    settings = settings_of(context)
    given = _decision(Verdict.APPROVE, step=step, plan=plan, comment=comment, by=named(settings, by))
    _answer(asyncio.run(decide(settings, incident, given)), given, as_json=json)


def deny(  # noqa: PLR0913  # one parameter an option: Typer's way
    context: typer.Context,
    incident: Incident,
    *,
    step: Step = "",
    plan: PlanDigest = "",
    comment: Comment = "",
    by: By = "",
    json: Json = False,
) -> None:
    """Deny what an incident waits for: nothing more is changed, and what was changed is undone.

    Example: halon deny crashloop-rollback-3f9a1c07de-5b0c99e1 --comment "the release is being fixed forward"
    """
    settings = settings_of(context)
    given = _decision(Verdict.DENY, step=step, plan=plan, comment=comment, by=named(settings, by))
    _answer(asyncio.run(decide(settings, incident, given)), given, as_json=json)


def cancel(
    context: typer.Context,
    incident: Incident,
    *,
    comment: Comment = "",
    by: By = "",
    json: Json = False,
) -> None:
    """Cancel an incident's run: it stops, and undoes what it has changed.

    Returns once Temporal has the request; `halon show INCIDENT` tells how the undoing goes.

    Example: halon cancel crashloop-rollback-3f9a1c07de-5b0c99e1 --comment "handled by hand"
    """
    settings = settings_of(context)
    cancelled = asyncio.run(request_cancel(settings, incident, named(settings, by), comment))
    if json:
        say_json({"incident": cancelled, "cancel": "requested"})
    else:
        say(f"asked {cancelled} to stop and undo; see `halon show {cancelled}`")


async def decide(settings: Settings, incident: str, given: Decide) -> tuple[str, str]:
    """Hand a decision in. Gives the incident's whole id and the run's answer.

    Raises:
        PermissionDenied: they have no right to decide here.
        Conflict: the run does not take it, and why.
        NotFound: there is no such incident, or it has ended.
        TransientError: nobody answers.
    """
    client = await connected(settings)
    whole = await whole_id(settings, client, incident)
    await demand_at(settings, given.by, Right.DECIDE, f"{given.verdict.value} at incident {whole}", whole)
    return whole, await hand_in(client, whole, given)


async def request_cancel(settings: Settings, incident: str, by: str, comment: str) -> str:
    """Ask Temporal to cancel an incident. Gives its whole id.

    Raises:
        PermissionDenied: they have no right to.
        NotFound: there is no such incident, or it has ended.
        TransientError: Temporal does not answer.
    """
    client = await connected(settings)
    whole = await whole_id(settings, client, incident)
    await demand_at(settings, by, Right.RUN, f"cancel incident {whole}", whole)
    await cancel_run(client, whole, f"{by}: {comment}" if comment else by)
    return whole


async def whole_id(settings: Settings, client: Client, incident: str) -> str:
    """Give an incident's whole id. The store is only asked when Temporal alone does not tell.

    Raises:
        NotFound: no incident's id begins so.
        InvalidInput: several do.
        TransientError: nobody answers.
    """
    async with answering(f"incident {incident}"):
        whole = await open_id(client, incident)
        if whole is not None:
            return whole
        async with open_store(settings) as store:
            return await full_id(store, client, incident)


def _decision(verdict: Verdict, *, step: str, plan: str, comment: str, by: str) -> Decide:
    try:
        return Decide(verdict=verdict, by=by, comment=comment, plan=plan.lower(), step=step)
    except ValidationError as error:
        problems = [f"--{one['loc'][0]}: {one['msg']}" for one in error.errors(include_url=False)]
        raise InvalidInput("; ".join(problems)) from error


def _answer(answered: tuple[str, str], given: Decide, *, as_json: bool) -> None:
    incident, answer = answered
    if as_json:
        say_json({"incident": incident, "verdict": given.verdict.value, "by": given.by, "answer": answer})
    else:
        say(answer)
