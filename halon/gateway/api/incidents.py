"""Incidents: the list, one of them, and its records."""

import base64
import binascii
import json
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query
from fastapi.responses import PlainTextResponse
from pydantic import AwareDatetime, BaseModel, Field, TypeAdapter, ValidationError

from halon.contracts.audit import StoredRecord
from halon.contracts.base import Json
from halon.contracts.incident import IncidentRow
from halon.contracts.outcome import Outcome
from halon.contracts.people import Right
from halon.contracts.run import RunStatus
from halon.errors import InvalidInput
from halon.gateway.api.access import Access
from halon.gateway.api.edge import PROBLEMS, Caller
from halon.gateway.api.parts import Parts
from halon.operations.incidents import ListedIncident, State, listed
from halon.operations.incidents import Query as Wanted
from halon.operations.postmortem import draft
from halon.operations.showing import look
from halon.store.incidents import IncidentFilter, Place

MAX_PAGE = 200
MAX_CURSOR = 400
IncidentId = Annotated[str, Path(min_length=1, max_length=200, description="The whole id.")]
_WORD = Query(min_length=1, max_length=400)
_moment: TypeAdapter[AwareDatetime] = TypeAdapter(AwareDatetime)


class IncidentPage(BaseModel):
    """Incidents, those that fired last first."""

    incidents: list[ListedIncident]
    next: str | None = Field(description="What to give as `cursor` for the next page; null when there is none.")
    stale: str = Field(description="Why open ones are told as last recorded; empty when Temporal answered.")


class PlanAnswer(BaseModel):
    """A plan as the audit has it."""

    digest: str
    kind: str
    summary: str
    target: str
    reason: str
    rows: list[dict[str, Json]] = Field(description="`field`, `before` and `after` of each difference.")
    notes: list[str]
    undo: str


class IncidentAnswer(BaseModel):
    """All that is known of an incident but its records."""

    incident: IncidentRow
    run: RunStatus | None = Field(description="What the run itself says while it is open: `gates` are what waits.")
    plans: list[PlanAnswer] = Field(description="The last plan of each step, in the order of planning.")
    stale: str = Field(description="Why it is told as last recorded; empty when the run answered.")
    rights: list[Right] = Field(description="What you may do here.")


class Markdown(PlainTextResponse):
    """A text in Markdown."""

    media_type = "text/markdown"


class RecordPage(BaseModel):
    """Audit records, oldest first."""

    records: list[StoredRecord]
    next: int | None = Field(description="What to give as `after` for the next page; null when there is none now.")


def add(router: APIRouter, parts: Parts, access: Access) -> None:
    """Add the routes."""

    @router.get("/incidents", responses=PROBLEMS, summary="List incidents", operation_id="list_incidents")
    async def list_incidents(  # noqa: PLR0913  # pyright: ignore[reportUnusedFunction]  # one parameter a filter; registered
        caller: Caller,
        *,
        state: Annotated[State | None, Query(description="`waiting` ones wait for people.")] = None,
        playbook: Annotated[str | None, _WORD] = None,
        outcome: Annotated[Outcome | None, Query(description="Closed ones that ended so.")] = None,
        service: Annotated[str | None, _WORD] = None,
        severity: Annotated[str | None, _WORD] = None,
        since: Annotated[AwareDatetime | None, Query(description="Opened then or later; with a time zone.")] = None,
        limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
        cursor: Annotated[str | None, Query(max_length=MAX_CURSOR, description="`next` of the page before.")] = None,
    ) -> IncidentPage:
        await access.somewhere(caller, Right.READ, "list incidents")
        place = None if cursor is None else place_of(cursor)
        ended = outcome.value if outcome else None
        wanted = IncidentFilter(None, playbook, ended, service, severity, since, place)
        rights = parts.guard.rights

        def visible(one: ListedIncident) -> bool:
            return rights.may(caller, Right.READ, one.labels).allowed

        found = await listed(parts.store, parts.connect, Wanted(wanted, state, limit, visible))
        following = None if found.last is None else cursor_of(found.last)
        return IncidentPage(incidents=list(found.incidents), next=following, stale=found.stale)

    @router.get("/incidents/{incident}", responses=PROBLEMS, summary="Show an incident", operation_id="show_incident")
    async def show_incident(caller: Caller, incident: IncidentId) -> IncidentAnswer:  # pyright: ignore[reportUnusedFunction]  # registered
        row = await access.incident(caller, Right.READ, incident, f"see incident {incident}")
        shown = await look(parts.store, parts.connect, row.id)
        return IncidentAnswer(
            incident=shown.row,
            run=shown.run,
            plans=[PlanAnswer.model_validate(one.to_json()) for one in shown.plans],
            stale=shown.stale,
            rights=list(parts.guard.rights.of(caller, row.labels)),
        )

    @router.get(
        "/incidents/{incident}/postmortem",
        responses={**PROBLEMS, 200: {"description": "The draft.", "content": {Markdown.media_type: {}}}},
        summary="Draft an incident's post-mortem",
        operation_id="draft_postmortem",
    )
    async def draft_postmortem(caller: Caller, incident: IncidentId) -> Markdown:  # pyright: ignore[reportUnusedFunction]  # registered
        row = await access.incident(caller, Right.READ, incident, f"see incident {incident}")
        rights = parts.guard.rights

        def visible(one: IncidentRow) -> bool:
            return rights.may(caller, Right.READ, one.labels).allowed

        told = await draft(parts.store, parts.connect, row.id, visible)
        return Markdown(told.markdown(datetime.now(UTC)))

    @router.get(
        "/incidents/{incident}/records",
        responses=PROBLEMS,
        summary="Read an incident's audit records",
        operation_id="list_records",
    )
    async def list_records(  # pyright: ignore[reportUnusedFunction]  # registered
        caller: Caller,
        incident: IncidentId,
        *,
        after: Annotated[int, Query(ge=0, le=2**31 - 1, description="Position of the last record that you have.")] = 0,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> RecordPage:
        row = await access.incident(caller, Right.READ, incident, f"see incident {incident}")
        records = await parts.store.audit.records(row.id, after, limit)
        following = records[-1].position if len(records) == limit else None
        return RecordPage(records=records, next=following)


def cursor_of(place: Place) -> str:
    """Write a place in the list for whoever asks for the next page."""
    text = json.dumps([place.began.isoformat(), place.id])
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def place_of(cursor: str) -> Place:
    """Read a cursor.

    Raises:
        InvalidInput: it is none of ours.
    """
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        at, incident = json.loads(raw)
        began: datetime = _moment.validate_python(at)
        if not isinstance(incident, str):
            raise InvalidInput("`cursor` is none that this list gave")
        return Place(began, incident)
    except (binascii.Error, ValidationError, ValueError, TypeError) as error:
        raise InvalidInput("`cursor` is none that this list gave") from error
