"""`POST /v1/runs`: a playbook, started by hand."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field, StrictBool, StringConstraints

from halon.contracts.base import Json, digest
from halon.contracts.people import Right
from halon.gateway.api.access import Access
from halon.gateway.api.decisions import IdempotencyKey
from halon.gateway.api.edge import PROBLEMS, Caller
from halon.gateway.api.parts import Parts
from halon.operations.inputs import check_inputs
from halon.operations.runs import Start, carry_out, order
from halon.settings.section import Section


class RunRequest(Section):
    """Start a playbook, as an incident of its own."""

    playbook: Annotated[str, StringConstraints(min_length=1, max_length=63)]
    inputs: dict[Annotated[str, StringConstraints(min_length=1, max_length=200)], Json] = Field(
        default={}, max_length=200
    )
    dry_run: StrictBool = Field(default=False, description="Plan everything and change nothing.")


class RunAnswer(BaseModel):
    """What was started."""

    incident: str
    dry_run: bool


def add(router: APIRouter, parts: Parts, access: Access) -> None:
    """Add the routes."""

    @router.post(
        "/runs",
        status_code=202,
        responses=PROBLEMS,
        summary="Start a playbook by hand",
        operation_id="start_run",
        response_description="Temporal has it; the incident is there once a worker takes it up.",
    )
    async def start_run(caller: Caller, given: RunRequest, key: IdempotencyKey = None) -> RunAnswer:  # pyright: ignore[reportUnusedFunction]  # registered
        await access.here(caller, Right.RUN, f"start playbook {given.playbook}")
        playbook = parts.repertoire.playbook(given.playbook)
        named = digest([key, given.model_dump(mode="json")]) if key else ""
        start = Start(caller.person, check_inputs(playbook, given.inputs), dry_run=given.dry_run, key=named)
        wanted = order(parts.repertoire, playbook, start)
        await carry_out(parts.client, parts.settings.temporal.task_queue, wanted)
        return RunAnswer(incident=wanted.incident, dry_run=given.dry_run)
