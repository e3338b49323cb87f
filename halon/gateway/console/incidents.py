"""The pages of incidents: the list, one of them, and what people say to it."""

from collections.abc import AsyncGenerator, Sequence
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from urllib.parse import quote

from starlette.responses import Response

from halon.contracts.audit import StoredRecord
from halon.contracts.decision import Verdict
from halon.errors import Conflict, NotFound
from halon.gateway.api.decisions import DecisionRequest
from halon.gateway.api.incidents import MAX_CURSOR, cursor_of, place_of
from halon.gateway.console.desk import Desk, decision_of
from halon.gateway.console.stream import News, Streams
from halon.gateway.console.views import (
    MAX_LINES,
    Question,
    line_of,
    questions_of,
    standing_of,
    troubles_of,
    workflow_of,
)
from halon.gateway.console.visits import Visit, Visits
from halon.gateway.problems import Refusal
from halon.operations.incidents import State
from halon.operations.showing import Shown

PAGE = 100
"""Incidents a page."""
MAX_SHOWN = 2000
"""Lines of the timeline that one page holds."""
LOOK = timedelta(seconds=1)
_STATES = {"open": State.OPEN, "waiting": State.WAITING, "closed": State.CLOSED, "all": None}
_HEADINGS = {
    "open": "Open incidents",
    "waiting": "Waiting for people",
    "closed": "Closed incidents",
    "all": "Incidents",
}
_TAKEN = {
    Verdict.APPROVE: "Your approval was taken. What comes of it is told below.",
    Verdict.DENY: "Your denial was taken. What comes of it is told below.",
}


class Incidents:
    """Answers with the pages of incidents."""

    def __init__(self, desk: Desk, visits: Visits, streams: Streams, temporal_ui: str | None) -> None:
        self._desk = desk
        self._visits = visits
        self._streams = streams
        self._temporal_ui = temporal_ui

    async def list(self, visit: Visit) -> Response:
        """The list."""
        query = visit.request.query_params
        name = query.get("state", "open")
        if name not in _STATES:
            raise Refusal(HTTPStatus.NOT_FOUND, "incidents are listed as open, waiting, closed or all")
        cursor = query.get("before", "")
        before = place_of(cursor[:MAX_CURSOR]) if cursor else None
        found = await self._desk.listed(visit.principal, _STATES[name], PAGE, before)
        return self._visits.pages.page(
            "incidents.html",
            self._visits.frame(visit),
            heading=_HEADINGS[name],
            state=name,
            # What waits for people is what they came for.
            incidents=sorted(found.incidents, key=lambda one: not one.waiting),
            stale=found.stale,
            waiting=sum(one.waiting for one in found.incidents),
            older=cursor_of(found.last) if found.last else "",
            first=before is None,
        )

    async def runs(self, visit: Visit) -> Response:
        """The runs under way."""
        found = await self._desk.runs(visit.principal)
        return self._visits.pages.page("runs.html", self._visits.frame(visit), runs=found)

    async def show(self, visit: Visit) -> Response:
        """One incident."""
        shown = await self._desk.look(visit.principal, _incident(visit))
        return await self._shown(visit, shown)

    async def postmortem(self, visit: Visit) -> Response:
        """The draft of a post-mortem, to be taken elsewhere: as text, in which nothing is a link or a script."""
        text = await self._desk.postmortem(visit.principal, _incident(visit), datetime.now(UTC))
        return Response(text, media_type="text/plain")

    async def decide(self, visit: Visit) -> Response:
        """Approve or deny. What is not taken is told above the incident as it stands now."""
        incident = _incident(visit)
        given = decision_of(visit.fields)
        try:
            await self._desk.decide(visit.principal, incident, given)
        except (Conflict, NotFound) as error:
            return await self._undecided(visit, given, str(error))
        visit.say(_TAKEN[Verdict(given.verdict)])
        return self._visits.to(visit, f"/console/incidents/{quote(incident)}")

    async def cancel(self, visit: Visit) -> Response:
        """Stop the run."""
        incident = _incident(visit)
        await self._desk.cancel(visit.principal, incident, visit.fields.get("reason", "")[:1000])
        visit.say("The run was asked to stop and to take back what it has changed")
        return self._visits.to(visit, f"/console/incidents/{quote(incident)}")

    async def incident_news(self, visit: Visit) -> Response:
        """The lines of an incident as they come."""
        incident = await self._desk.follow(visit.principal, _incident(visit))
        after = _position(visit.request.headers.get("last-event-id") or visit.request.query_params.get("after", ""))
        found = await self._desk.records(incident, after)
        return self._streams.answer(visit.session.id, self._lines(visit, incident, after, found))

    async def list_news(self, visit: Visit) -> Response:
        """That something has happened."""
        return self._streams.answer(visit.session.id, self._changes(visit, await self._desk.head(visit.principal)))

    async def _shown(
        self, visit: Visit, shown: Shown, *, refusal: str = "", hint: str = "", comment: str = "", status: int = 200
    ) -> Response:
        rights = self._desk.rights(visit.principal, shown.row.labels)
        most = MAX_SHOWN if visit.request.query_params.get("lines") == "all" else MAX_LINES
        latest = shown.records[-most:]
        frame = self._visits.frame(visit, rights)
        questions = questions_of(shown, visit.principal, frame.now)
        troubles = troubles_of(shown.records)
        workflow = workflow_of(shown)
        return self._visits.pages.page(
            "incident.html",
            frame,
            status,
            row=shown.row,
            heading=_heading(shown, [one.name for one in troubles]),
            stands=standing_of(shown),
            stale=shown.stale,
            questions=questions,
            digests=_digests(questions),
            plans=shown.plans[-10:],
            people=shown.people,
            left=shown.run.result.left if shown.run and shown.run.result else (),
            target=shown.row.target or (shown.run.target if shown.run else ""),
            lines=[line_of(one) for one in reversed(latest)],
            hidden_lines=len(shown.records) - len(latest) if most == MAX_LINES else 0,
            position=latest[-1].position if latest else 0,
            troubles=troubles,
            workflow=workflow,
            workflow_url=f"{self._temporal_ui}/workflows/{quote(workflow)}" if self._temporal_ui else "",
            refusal=refusal,
            refusal_hint=hint,
            comment=comment,
        )

    async def refused(self, visit: Visit, refusal: str, status: int) -> Response:
        """One incident, and above it why something was not taken."""
        shown = await self._desk.look(visit.principal, _incident(visit))
        return await self._shown(visit, shown, refusal=refusal, status=status)

    async def _undecided(self, visit: Visit, given: DecisionRequest, reason: str) -> Response:
        shown = await self._desk.look(visit.principal, _incident(visit))
        waits = bool(shown.run and any(gate.step == given.step for gate in shown.run.gates))
        hint = "Nothing waits for you at this step any more: what happened is below."
        if waits:
            hint = "What is asked now is below: read it, and decide again."
        return await self._shown(
            visit,
            shown,
            refusal=f"Your decision was not taken: {reason}",
            hint=hint,
            comment=given.comment,
            status=HTTPStatus.CONFLICT,
        )

    async def _lines(
        self, visit: Visit, incident: str, after: int, records: Sequence[StoredRecord]
    ) -> AsyncGenerator[News | None]:
        while True:
            for record in records:
                after = record.position
                yield self._line(visit, record)
            if not records:
                yield None
            if not await self._streams.pause(LOOK):
                return
            records = await self._desk.records(incident, after)

    def _line(self, visit: Visit, record: StoredRecord) -> News:
        text = self._visits.pages.text("lines.html", self._visits.frame(visit), lines=[line_of(record)])
        return News("line", text, str(record.position))

    async def _changes(self, visit: Visit, head: str) -> AsyncGenerator[News | None]:
        while await self._streams.pause(LOOK * 2):
            now = await self._desk.head(visit.principal)
            yield News("changed", "") if now != head else None
            head = now


def _incident(visit: Visit) -> str:
    return str(visit.request.path_params["incident"])


def _digests(questions: list[Question]) -> str:
    return " ".join(one.digest for one in questions)


def _heading(shown: Shown, alerts: list[str]) -> str:
    """What is wrong, in the fewest words: the alerts, and what they are about."""
    names = list(dict.fromkeys(alerts))
    if not names:
        return shown.row.title or shown.row.playbook
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"{names[0]}{more}"


def _position(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else 0  # noqa: PLR2004  # far more than an incident has
