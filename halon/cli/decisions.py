"""`halon approve`, `deny` and `cancel`: a person's word to a run. The run decides whether it counts, and says so."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError
from temporalio.client import Client

from halon.cli.access import demand_at, named
from halon.cli.connections import connected
from halon.cli.invocation import settings_of
from halon.cli.options import flag
from halon.cli.output import say, say_json
from halon.clients.seals import Sealer, read_private_key
from halon.contracts.decision import Verdict
from halon.contracts.people import Method, Principal, Right
from halon.contracts.run import Decide
from halon.errors import InvalidInput, Misconfigured
from halon.operations.answering import answering
from halon.operations.decisions import asked, run_of
from halon.operations.decisions import cancel as cancel_run
from halon.operations.decisions import decide as hand_in
from halon.operations.denials import Attempt
from halon.operations.lookup import full_id, open_id
from halon.operations.sealing import sealed
from halon.settings import Settings, own_key
from halon.store.store import open_store

Incident = Annotated[str, typer.Argument(metavar="INCIDENT", help="Id of the incident, or its unique beginning.")]
Step = Annotated[str, typer.Option("--step", help="Which step, when several wait.")]
PlanDigest = Annotated[str, typer.Option("--plan", help="Digest of the plan that you read, 8 digits or more.")]
Comment = Annotated[str, typer.Option("--comment", "-m", help="Why; goes into the audit.")]
By = Annotated[str, typer.Option("--by", help="Who decides; by default the user of this system.", metavar="NAME")]
Key = Annotated[
    Path | None,
    typer.Option(
        "--key", metavar="FILE", help="Sign with this key of yours; by default with that of HALON_KEY, if set."
    ),
]
Json = Annotated[bool, flag("--json", help="Write the answer as JSON.")]


def approve(  # noqa: PLR0913  # one parameter an option: Typer's way
    context: typer.Context,
    incident: Incident,
    *,
    step: Step = "",
    plan: PlanDigest = "",
    comment: Comment = "",
    by: By = "",
    break_glass: Annotated[
        bool, flag("--break-glass", help="Approve alone what others are asked for; needs the right and --comment.")
    ] = False,
    key: Key = None,
    json: Json = False,
) -> None:
    """Approve what an incident waits for.

    With --plan the approval holds for that plan only; without it, for the plan that is shown now. Without a key the
    name is only claimed, and counts as far as `approvals.trust` lets it.

    Example: halon approve crashloop-rollback-3f9a1c07de-5b0c99e1 --plan 1f2e3d4c5b6a --by ana@example.com
    """
    settings = settings_of(context)
    by = named(settings, by)
    given = _decision(Verdict.APPROVE, step=step, plan=plan, comment=comment, by=by, break_glass=break_glass)
    _answer(asyncio.run(decide(settings, incident, given, key or own_key())), given, as_json=json)


def deny(  # noqa: PLR0913  # one parameter an option: Typer's way
    context: typer.Context,
    incident: Incident,
    *,
    step: Step = "",
    plan: PlanDigest = "",
    comment: Comment = "",
    by: By = "",
    key: Key = None,
    json: Json = False,
) -> None:
    """Deny what an incident waits for: nothing more is changed, and what was changed is undone.

    Example: halon deny crashloop-rollback-3f9a1c07de-5b0c99e1 --comment "the release is being fixed forward"
    """
    settings = settings_of(context)
    given = _decision(Verdict.DENY, step=step, plan=plan, comment=comment, by=named(settings, by))
    _answer(asyncio.run(decide(settings, incident, given, key or own_key())), given, as_json=json)


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


async def decide(settings: Settings, incident: str, given: Decide, key: Path | None = None) -> tuple[str, str]:
    """Hand a decision in, sealed when there is a key. Gives the incident's whole id and the run's answer.

    Raises:
        PermissionDenied: they have no right to.
        Conflict: the run does not take it, and why.
        InvalidInput: the key is nobody's.
        Misconfigured: it cannot be read.
        NotFound: there is no such incident, or it has ended.
        TransientError: nobody answers.
    """
    sealer = _sealer(key) if key else None
    client = await connected(settings)
    whole = await whole_id(settings, client, incident)
    who = _who(settings, sealer, given.by)
    alone = given.break_glass and given.verdict is Verdict.APPROVE
    right = Right.BREAK_GLASS if alone else Right.DECIDE
    await demand_at(settings, Attempt(who, right, f"{given.verdict.value} at incident {whole}", whole))
    if sealer is None:
        return whole, await hand_in(client, whole, given)
    run = await run_of(client, whole)
    gate = await asked(client, run, given.step, given.plan)
    exact = given.model_copy(update={"step": gate.step, "plan": gate.digest})
    return whole, await hand_in(client, whole, sealed(sealer, who, run, exact, datetime.now(UTC)), run=run)


def _sealer(key: Path) -> Sealer:
    try:
        return Sealer(read_private_key(key.read_bytes(), str(key)))
    except OSError as error:
        raise Misconfigured(f"the key {key} cannot be read: {error.strerror}") from error


def _who(settings: Settings, sealer: Sealer | None, by: str) -> Principal:
    """Who decides. A `halon.yaml` without people, such as on a laptop, leaves the name to the worker to check."""
    if sealer is None:
        return Principal(person=by, method=Method.CLAIMED)
    if not settings.people:
        return Principal(person=by, method=Method.KEY)
    owner = next((person for person, whose in settings.people.items() if sealer.public in whose.keys), None)
    if owner is None:
        raise InvalidInput(f"the key is nobody's in halon.yaml: add {sealer.public} under `people.<id>.keys`")
    return Principal(person=owner, method=Method.KEY)


async def request_cancel(settings: Settings, incident: str, by: str, comment: str) -> str:
    """Ask Temporal to cancel an incident. Gives its whole id.

    Raises:
        PermissionDenied: they have no right to.
        NotFound: there is no such incident, or it has ended.
        TransientError: Temporal does not answer.
    """
    client = await connected(settings)
    whole = await whole_id(settings, client, incident)
    who = Principal(person=by, method=Method.CLAIMED)
    await demand_at(settings, Attempt(who, Right.RUN, f"cancel incident {whole}", whole))
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


def _decision(  # the fields of a decision
    verdict: Verdict, *, step: str, plan: str, comment: str, by: str, break_glass: bool = False
) -> Decide:
    try:
        return Decide(verdict=verdict, by=by, comment=comment, plan=plan.lower(), step=step, break_glass=break_glass)
    except ValidationError as error:
        problems = [f"--{one['loc'][0]}: {one['msg']}" for one in error.errors(include_url=False)]
        raise InvalidInput("; ".join(problems)) from error


def _answer(answered: tuple[str, str], given: Decide, *, as_json: bool) -> None:
    incident, answer = answered
    if as_json:
        say_json({"incident": incident, "verdict": given.verdict.value, "by": given.by, "answer": answer})
    else:
        say(answer)
