"""A person's word to a run: approve, deny, cancel. Who it is was proven, and the seal says so to the run."""

import secrets
from typing import Annotated, Literal

from fastapi import APIRouter, Header
from pydantic import BaseModel, Field, StrictBool, StringConstraints

from halon.contracts.base import Json, digest
from halon.contracts.decision import Verdict
from halon.contracts.people import Principal, Right
from halon.contracts.run import Decide
from halon.errors import Conflict, NotFound
from halon.gateway.api.access import Access
from halon.gateway.api.edge import PROBLEMS, Caller
from halon.gateway.api.incidents import IncidentId
from halon.gateway.api.parts import Parts
from halon.operations import decisions
from halon.operations.sealing import sealed
from halon.settings.section import Section

_ID = 16
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=8,
        max_length=200,
        pattern=r"^[\x21-\x7e]+$",
        description="The same request with the same key is done once, however often it is sent.",
    ),
]
Comment = Annotated[str, StringConstraints(max_length=4096)]


class DecisionRequest(Section):
    """Approve or deny what an incident waits for."""

    verdict: Literal["approve", "deny"]
    plan: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{8,64}$")] = Field(
        description="Digest of the plan that you read, or its first eight or more digits: `run.gates[].digest`."
    )
    step: Annotated[str, StringConstraints(max_length=512)] = Field("", description="Which step, when several wait.")
    comment: Comment = Field("", description="Why; goes into the audit.")
    break_glass: StrictBool = Field(
        default=False, description="Approve alone what others are asked for. Needs the right, and a comment."
    )


class DecisionAnswer(BaseModel):
    """What the run says."""

    incident: str
    verdict: Verdict
    by: str
    answer: str = Field(description="The run's own words.")


class CancelRequest(Section):
    """Stop an incident's run, and undo what it has changed."""

    comment: Annotated[str, StringConstraints(max_length=1000)] = Field(
        "", description="Why; the run's record tells it."
    )


class CancelAnswer(BaseModel):
    """That the run is asked to stop."""

    incident: str
    message: str


class Decisions:
    """Hands in what people decide at the gateway, whichever page or program of theirs it comes from."""

    def __init__(self, parts: Parts, access: Access) -> None:
        self._parts = parts
        self._access = access

    async def decide(
        self, principal: Principal, incident: str, given: DecisionRequest, key: str | None = None
    ) -> DecisionAnswer:
        """Seal a decision and hand it to the run.

        Raises:
            Refusal: 403, they have no right to; 404, there is no such incident.
            Conflict: the run does not take it, and why.
            TransientError: nobody answers.
        """
        alone = given.break_glass and given.verdict == "approve"
        right = Right.BREAK_GLASS if alone else Right.DECIDE
        row = await self._access.incident(principal, right, incident, f"{given.verdict} at incident {incident}")
        client = self._parts.client
        run = await decisions.run_of(client, row.id)
        name = _named(principal, given, run, key)
        answer = await decisions.answered(client, run, name) if key else None
        if answer is None:
            gate = await decisions.asked(client, run, given.step, given.plan)
            exact = Decide(
                verdict=Verdict(given.verdict),
                by=principal.person,
                comment=given.comment,
                plan=gate.digest,
                step=gate.step,
                break_glass=given.break_glass,
            )
            decision = sealed(self._parts.sealer(), principal, run, exact, self._parts.clock(), seal_id=name)
            answer = await decisions.decide(client, row.id, decision, run=run, update_id=name)
        return DecisionAnswer(incident=row.id, verdict=Verdict(given.verdict), by=principal.person, answer=answer)


def add(router: APIRouter, parts: Parts, access: Access) -> Decisions:
    """Add the routes. Gives what they use, for other ways in."""
    desk = Decisions(parts, access)

    @router.post(
        "/incidents/{incident}/decisions",
        responses=PROBLEMS,
        summary="Approve or deny",
        operation_id="decide",
        response_description="The run has taken the decision.",
    )
    async def decide(  # pyright: ignore[reportUnusedFunction]  # registered
        caller: Caller, incident: IncidentId, given: DecisionRequest, key: IdempotencyKey = None
    ) -> DecisionAnswer:
        return await desk.decide(caller, incident, given, key)

    @router.post(
        "/incidents/{incident}/cancel",
        status_code=202,
        responses=PROBLEMS,
        summary="Cancel an incident's run",
        operation_id="cancel",
        response_description="Temporal has the request; the incident tells how the undoing goes.",
    )
    async def cancel(caller: Caller, incident: IncidentId, given: CancelRequest) -> CancelAnswer:  # pyright: ignore[reportUnusedFunction]  # registered
        row = await access.incident(caller, Right.RUN, incident, f"cancel incident {incident}")
        reason = f"{caller.person}: {given.comment}" if given.comment else caller.person
        try:
            await decisions.cancel(parts.client, row.id, reason)
        except NotFound as error:
            raise Conflict(str(error)) from error
        return CancelAnswer(incident=row.id, message=f"asked {row.id} to stop and undo")

    return desk


def _named(principal: Principal, given: DecisionRequest, run: str, key: str | None) -> str:
    """Name the decision: by chance, or, so that a request that is sent again is one decision, by what it says."""
    if key is None:
        return secrets.token_hex(_ID)
    said: list[Json] = [principal.model_dump(mode="json"), given.model_dump(mode="json"), run, key]
    return digest(said)[: 2 * _ID]
