"""Deciding by a link that was sent to one person: `GET /d/{token}` shows the question, `POST` decides it.

GET decides nothing and uses nothing up, whoever asks: programs that preview and scan links come before people do. The
token is the whole proof, so it goes no further: not into logs, traces, caches, or the address that other pages see.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from urllib.parse import urlsplit

import structlog
from fastapi import FastAPI
from opentelemetry import metrics
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from halon.clients.links import PATH, Link, Links, links
from halon.clients.seals import Sealer, sealer
from halon.contracts.decision import Seal, Verdict
from halon.contracts.incident import IncidentRow
from halon.contracts.people import Method, Principal, Right
from halon.contracts.run import Decide, OpenGate
from halon.core.ids import incident_of
from halon.errors import Conflict, HalonError, InvalidInput, NotFound, TransientError
from halon.gateway.console.forms import read_form
from halon.gateway.console.pages import HEADERS, Frame, Pages
from halon.gateway.console.views import question_of
from halon.gateway.problems import Refusal
from halon.operations import decisions
from halon.operations.answering import Connect
from halon.operations.asked import waiting
from halon.operations.denials import Attempt, Guard
from halon.operations.rights import rights_of
from halon.settings import Settings
from halon.store.store import Store

MAX_COMMENT = 4096
MAX_FORMS = 64
"""Forms that are read at the same time."""
_SEALED_FOR = timedelta(minutes=2)
_HEADERS = HEADERS | {"Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex, nofollow, noarchive"}
log = structlog.get_logger(__name__)
_meter = metrics.get_meter("halon.gateway")
_opened = _meter.create_counter(
    "halon.gateway.links", description="Requests with a link, by method and what came of it"
)


@dataclass(frozen=True, slots=True)
class Opened:
    """A link whose question waits."""

    link: Link
    row: IncidentRow
    gate: OpenGate


class Ended(Exception):  # noqa: N818  # a fact that becomes a page
    """A link by which nothing can be decided, and why."""

    def __init__(self, status: HTTPStatus, word: str, heading: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.word = word
        """What is counted."""
        self.heading = heading
        self.detail = detail


class LinkDesk:
    """Takes decisions by link."""

    def __init__(self, settings: Settings, connect: Connect, store: Store, clock: Callable[[], datetime]) -> None:
        """Make it ready.

        Raises:
            Misconfigured: the gateway's key is not there or is none.
        """
        self._settings = settings
        self._connect = connect
        self._store = store
        self._guard = Guard(rights_of(settings), store, clock)
        self._clock = clock
        self._links: Links = links(settings)
        self._sealer: Sealer = sealer(settings)
        self._pages = Pages()
        self._forms = asyncio.Semaphore(MAX_FORMS)
        self._base = urlsplit(settings.gateway.public_url or "").path.rstrip("/")

    async def show(self, request: Request) -> Response:
        """Show the question."""
        return await self._answered(request, self._shown)

    async def decide(self, request: Request) -> Response:
        """Take the decision."""
        return await self._answered(request, self._decided)

    async def _answered(self, request: Request, answer: Callable[[Request], Awaitable[Response]]) -> Response:
        try:
            response = await answer(request)
            word = "ok"
        except ClientDisconnect:
            return Response(status_code=HTTPStatus.BAD_REQUEST)  # nobody is there to read it
        except Ended as ended:
            response, word = self._ended(ended.status, ended.heading, ended.detail), ended.word
        except Refusal as refusal:
            response, word = self._ended(refusal.status, "It was not understood", refusal.detail), "refused"
        except TransientError as error:
            detail = f"{error}. Open the link again in a moment: what you decided may have been taken"
            response = self._ended(HTTPStatus.SERVICE_UNAVAILABLE, "Halon cannot answer now", detail)
            response.headers["Retry-After"] = "5"
            word = "unanswered"
        except HalonError as error:
            response, word = self._ended(HTTPStatus.CONFLICT, "It was not taken", str(error)), "refused"
        _opened.add(1, {"method": request.method, "result": word})
        response.headers.update(_HEADERS)
        return response

    async def _shown(self, request: Request) -> Response:
        opened = await self._open(request)
        question, person = question_of(opened.gate), self._name(opened.link)
        return self._pages.page("link.html", self._frame(), row=opened.row, question=question, person=person)

    async def _decided(self, request: Request) -> Response:
        async with self._forms:
            form = await read_form(request, self._settings.gateway.body_timeout)
        verdict, comment = form.get("verdict", ""), form.get("comment", "").strip()
        if verdict not in set(Verdict):
            raise Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, "say `approve` or `deny`: use the buttons of the page")
        if len(comment) > MAX_COMMENT:
            raise Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, f"a comment has at most {MAX_COMMENT} characters")
        opened = await self._open(request)
        answer = await self._hand_in(opened.link, Verdict(verdict), comment, opened.row.id)
        return self._ended(HTTPStatus.OK, "Approved" if verdict == Verdict.APPROVE else "Denied", answer)

    async def _hand_in(self, link: Link, verdict: Verdict, comment: str, incident: str) -> str:
        seal = Seal(
            run=link.run,
            verdict=verdict,
            by=link.person,
            method=Method.LINK,
            step=link.step,
            plan=link.plan,
            comment=comment,
            id=link.id,
            expires_at=min(link.until, self._clock() + _SEALED_FOR),
        )
        given = Decide(verdict=verdict, by=link.person, comment=comment, plan=link.plan, step=link.step)
        sealed = given.model_copy(update={"seal": self._sealer.seal(seal)})
        try:
            return await decisions.decide(await self._connect(), incident, sealed, link.run)
        except Conflict as error:
            raise Ended(HTTPStatus.CONFLICT, "not_taken", "It was not taken", str(error)) from error

    async def _open(self, request: Request) -> Opened:
        """Look whether a link's question still waits, as it was sent.

        Raises:
            Ended: it does not, and why.
            TransientError: that cannot be found out now.
        """
        try:
            link = self._links.read(request.path_params["token"], self._clock())
        except InvalidInput as error:
            log.warning("link.refused", reason=str(error))
            detail = f"{error}. Copy it whole, or decide in the console"
            raise Ended(HTTPStatus.NOT_FOUND, "forged", "This is no link of Halon's", detail) from None
        except NotFound as error:
            raise Ended(HTTPStatus.GONE, "expired", "This link has expired", str(error)) from None
        incident = incident_of(link.run)
        await self._still_known(link, incident)
        try:
            row, gates = await waiting(self._store, self._connect, link.run)
        except NotFound as error:
            raise Ended(HTTPStatus.GONE, "closed", "Nothing waits any more", str(error)) from error
        gate = next((one for one in gates if one.step == link.step), None)
        if gate is None:
            stands = f"has ended: {row.outcome}" if row.outcome else "does not wait at this step now: it was decided"
            raise Ended(HTTPStatus.GONE, "closed", "Nothing waits any more", f"Incident {incident} {stands}")
        if gate.digest != link.plan:
            detail = (
                "The plan is not the one that this link was sent with, so it decides nothing. What is planned now is "
                "asked for anew: look for the new message, or at the console"
            )
            raise Ended(HTTPStatus.CONFLICT, "other_plan", "The plan has changed", detail)
        if any(told == link.person or told.startswith(f"{link.person} for ") for told in gate.approved_by):
            detail = f"It waits for more people: {len(gate.approved_by)} of {gate.quorum} approvals are given"
            raise Ended(HTTPStatus.CONFLICT, "decided", "You have approved this already", detail)
        return Opened(link, row, gate)

    async def _still_known(self, link: Link, incident: str) -> None:
        """Whoever was sent a link may have been taken out of halon.yaml since. Else the run knows whom it asks."""
        if link.person in self._settings.people:
            return
        who = Principal(person=link.person, method=Method.LINK)
        reason = f"{link.person} is not under `people` in halon.yaml any more"
        await self._guard.deny(Attempt(who, Right.DECIDE, "decide by link", incident), reason)
        raise Ended(HTTPStatus.FORBIDDEN, "denied", "You may not do this", reason)

    def _ended(self, status: HTTPStatus, heading: str, detail: str) -> Response:
        return self._pages.page("link_ended.html", self._frame(), status, heading=heading, detail=detail)

    def _frame(self) -> Frame:
        return Frame(base=self._base, form_token="", who="", now=self._clock(), environment=self._settings.environment)

    def _name(self, link: Link) -> str:
        return self._settings.people[link.person].name or link.person


def add_links(app: FastAPI, settings: Settings, connect: Connect, store: Store, clock: Callable[[], datetime]) -> None:
    """Let people decide by link at the gateway.

    Raises:
        Misconfigured: the gateway's key is not there or is none.
    """
    desk = LinkDesk(settings, connect, store, clock)
    path = f"{PATH}{{token}}"
    app.add_route(path, desk.show, methods=["GET"], include_in_schema=False)
    app.add_route(path, desk.decide, methods=["POST"], include_in_schema=False)
