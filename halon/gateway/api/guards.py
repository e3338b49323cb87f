"""What stops automation, and a person's hand on it."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Annotated, TypeVar

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field, StrictBool, StringConstraints, ValidationError

from halon.contracts.ledger import (
    MAX_REASON,
    Answer,
    BreakerCommand,
    BreakerEntry,
    LockEntry,
    Pause,
    Resume,
    StormEntry,
    Unlock,
    Uses,
)
from halon.contracts.people import Right
from halon.contracts.policy import Frozen
from halon.errors import InvalidInput
from halon.gateway.api.access import Access
from halon.gateway.api.edge import PROBLEMS, Caller
from halon.gateway.api.parts import Parts
from halon.operations import guards
from halon.settings.section import Section

MAX_SHOWN = 1000
"""Entries of each kind that are shown."""
Reason = Annotated[str, StringConstraints(min_length=1, max_length=MAX_REASON, strip_whitespace=True)]
Scope = Annotated[str, StringConstraints(max_length=2000)]
Key = Annotated[str, Path(min_length=1, max_length=2000, description="A playbook, or `<playbook> on <target>`.")]
Lock = Annotated[str, Path(min_length=1, max_length=2000, description="Its name, as `GET /v1/guards` shows it.")]
ModelT = TypeVar("ModelT", bound=BaseModel)


class Counted(BaseModel):
    """How far a rate or a budget is used up."""

    name: str
    used: int
    within_seconds: float = Field(description="The window that is counted over.")


class GuardsAnswer(BaseModel):
    """What stops automation now. Of each kind at most a thousand are shown."""

    pauses: Sequence[Pause]
    freezes: Sequence[Frozen]
    storm: StormEntry | None
    locks: Sequence[LockEntry]
    breakers: Sequence[BreakerEntry]
    rates: Sequence[Counted]
    budgets: Sequence[Counted]


class PauseRequest(Section):
    """Stop all changes, or those of a playbook or under a prefix of targets."""

    reason: Reason
    playbook: Scope = Field("", description="Only this playbook.")
    target: Scope = Field("", description="Only targets that begin so.")


class ResumeRequest(Section):
    """Take back the pause of the same scope, or all."""

    reason: Annotated[str, StringConstraints(max_length=MAX_REASON)] = ""
    playbook: Scope = ""
    target: Scope = ""
    everything: StrictBool = Field(default=False, description="Every pause, whatever its scope.")


class ReasonRequest(Section):
    """Why."""

    reason: Reason


def add(router: APIRouter, parts: Parts, access: Access) -> None:
    """Add the routes."""

    @router.get("/guards", responses=PROBLEMS, summary="Show what stops automation", operation_id="show_guards")
    async def show_guards(caller: Caller) -> GuardsAnswer:  # pyright: ignore[reportUnusedFunction]  # registered
        await access.somewhere(caller, Right.READ, "see the guards")
        now = await guards.guards_now(parts.ledger, await asyncio.to_thread(parts.freezes), parts.clock())
        state = now.state
        return GuardsAnswer(
            pauses=state.pauses[:MAX_SHOWN],
            freezes=now.frozen[:MAX_SHOWN],
            storm=state.storm,
            locks=list(state.locks.values())[:MAX_SHOWN],
            breakers=list(state.breakers.values())[:MAX_SHOWN],
            rates=_counted(state.rates),
            budgets=_counted(state.budgets),
        )

    @router.post("/pauses", responses=PROBLEMS, summary="Pause", operation_id="pause")
    async def pause(caller: Caller, given: PauseRequest) -> Answer:  # pyright: ignore[reportUnusedFunction]  # registered
        wanted = made(Pause, by=caller.person, **given.model_dump())
        await access.everywhere(caller, Right.PAUSE, f"pause {wanted.scope}")
        return await guards.pause(parts.ledger, wanted)

    @router.post("/resumes", responses=PROBLEMS, summary="Resume", operation_id="resume")
    async def resume(caller: Caller, given: ResumeRequest) -> Answer:  # pyright: ignore[reportUnusedFunction]  # registered
        await access.everywhere(caller, Right.PAUSE, "resume")
        return await guards.resume(parts.ledger, made(Resume, by=caller.person, **given.model_dump()))

    @router.post("/breakers/{key:path}/trip", responses=PROBLEMS, summary="Trip a breaker", operation_id="trip")
    async def trip(caller: Caller, key: Key, given: ReasonRequest) -> Answer:  # pyright: ignore[reportUnusedFunction]  # registered
        await access.everywhere(caller, Right.TRIP, f"trip the breaker of {key}")
        return await guards.trip(parts.ledger, made(BreakerCommand, by=caller.person, key=key, reason=given.reason))

    @router.post("/breakers/{key:path}/reset", responses=PROBLEMS, summary="Reset a breaker", operation_id="reset")
    async def reset(caller: Caller, key: Key, given: ReasonRequest) -> Answer:  # pyright: ignore[reportUnusedFunction]  # registered
        await access.everywhere(caller, Right.TRIP, f"reset the breaker of {key}")
        return await guards.reset(parts.ledger, made(BreakerCommand, by=caller.person, key=key, reason=given.reason))

    @router.post("/locks/{lock:path}/unlock", responses=PROBLEMS, summary="Free a lock", operation_id="unlock")
    async def unlock(caller: Caller, lock: Lock, given: ReasonRequest) -> Answer:  # pyright: ignore[reportUnusedFunction]  # registered
        await access.everywhere(caller, Right.TRIP, f"free the lock {lock}")
        return await guards.unlock(parts.ledger, made(Unlock, by=caller.person, lock=lock, reason=given.reason))


def made(kind: type[ModelT], **given: object) -> ModelT:
    """Make a command for the ledger.

    Raises:
        InvalidInput: a field does not fit, such as a name that is too long.
    """
    try:
        return kind.model_validate(given)
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors(include_url=False)]
        raise InvalidInput("the request is not as it must be", problems) from error


def _counted(uses: Mapping[str, Uses]) -> list[Counted]:
    shown = list(uses.items())[:MAX_SHOWN]
    return [Counted(name=name, used=len(one.entries), within_seconds=one.per.total_seconds()) for name, one in shown]
