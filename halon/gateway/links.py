"""Deciding by a link that was sent to one person: `GET /d/{token}` shows the question, `POST` decides it.

GET decides nothing and uses nothing up, whoever asks: programs that preview and scan links come before people do. The
token is the whole proof, so it goes no further: not into logs, traces, caches, or the address that other pages see.
"""

import asyncio
from collections.abc import Awaitable, Callable
from http import HTTPStatus

import structlog
from fastapi import FastAPI
from opentelemetry import metrics
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from halon.clients.links import PATH, links
from halon.contracts.decision import Verdict
from halon.contracts.people import Method, Principal
from halon.errors import HalonError, InvalidInput, NotFound, TransientError
from halon.gateway.api.parts import Parts
from halon.gateway.console.forms import read_form
from halon.gateway.console.pages import HEADERS, Frame, Pages
from halon.gateway.console.site import Site
from halon.gateway.console.views import question_of
from halon.gateway.outside import MAX_COMMENT, Ended, Outside, Sent
from halon.gateway.problems import Refusal

MAX_FORMS = 64
"""Forms that are read at the same time."""
_HEADERS = HEADERS | {"Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex, nofollow, noarchive"}
log = structlog.get_logger(__name__)
_meter = metrics.get_meter("halon.gateway")
_opened = _meter.create_counter("halon.gateway.links", description="Requests with a link, by what came of them")


class LinkDesk:
    """Takes decisions by link."""

    def __init__(self, parts: Parts) -> None:
        """Make it ready.

        Raises:
            Misconfigured: the gateway's key is not there or is none.
        """
        self._settings = parts.settings
        self._clock = parts.clock
        self._outside = Outside(parts)
        self._links = links(parts.settings)
        self._pages = Pages()
        self._forms = asyncio.Semaphore(MAX_FORMS)
        self._site = Site(parts.settings.gateway)

    async def show(self, request: Request) -> Response:
        """Show the question."""
        return await self._answered(request, self._shown)

    async def decide(self, request: Request) -> Response:
        """Take the decision."""
        return await self._answered(request, self._decided)

    async def _answered(self, request: Request, answer: Callable[[Request], Awaitable[Response]]) -> Response:
        try:
            response, word = await answer(request), "ok"
        except ClientDisconnect:
            return Response(status_code=HTTPStatus.BAD_REQUEST)  # nobody is there to read it
        except Ended as ended:
            response, word = self._ended(request, ended.status, ended.heading, ended.detail), ended.word
        except Refusal as refusal:
            response, word = self._ended(request, refusal.status, "It was not understood", refusal.detail), "refused"
        except TransientError as error:
            detail = f"{error}. Open the link again in a moment: what you decided may have been taken"
            response = self._ended(request, HTTPStatus.SERVICE_UNAVAILABLE, "Halon cannot answer now", detail)
            response.headers["Retry-After"] = "5"
            word = "unanswered"
        except HalonError as error:
            response, word = self._ended(request, HTTPStatus.CONFLICT, "It was not taken", str(error)), "refused"
        _opened.add(1, {"method": request.method, "result": word})
        response.headers.update(_HEADERS)
        return response

    async def _shown(self, request: Request) -> Response:
        sent = self._sent(request)
        opened = await self._outside.opened(sent)
        person = self._settings.people[sent.person].name or sent.person
        who = Principal(person=sent.person, method=Method.LINK)
        question = question_of(opened.gate, who, self._clock())
        return self._pages.page("link.html", self._frame(request), row=opened.row, question=question, person=person)

    async def _decided(self, request: Request) -> Response:
        sent = self._sent(request)
        async with self._forms:
            form = await read_form(request, self._settings.gateway.body_timeout)
        verdict, comment = form.get("verdict", ""), form.get("comment", "").strip()
        if verdict not in set(Verdict):
            raise Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, "say `approve` or `deny`: use the buttons of the page")
        if len(comment) > MAX_COMMENT:
            raise Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, f"a comment has at most {MAX_COMMENT} characters")
        await self._outside.opened(sent)
        answer = await self._outside.decide(sent, Verdict(verdict), comment)
        return self._ended(
            request, HTTPStatus.OK, "Approved" if verdict == Verdict.APPROVE else "Denied", f"The run says: {answer}"
        )

    def _sent(self, request: Request) -> Sent:
        """Read a link.

        Raises:
            Ended: it is none, or has expired.
        """
        try:
            link = self._links.read(request.path_params["token"], self._clock())
        except InvalidInput as error:
            log.warning("link.refused", reason=str(error))
            detail = f"{error}. Copy it whole, or decide in the console"
            raise Ended(HTTPStatus.NOT_FOUND, "forged", "This is no link of Halon's", detail) from None
        except NotFound as error:
            raise Ended(HTTPStatus.GONE, "expired", "This link has expired", str(error)) from None
        return Sent(link.person, Method.LINK, link.run, link.step, link.plan, link.id)

    def _ended(self, request: Request, status: HTTPStatus, heading: str, detail: str) -> Response:
        return self._pages.page("link_ended.html", self._frame(request), status, heading=heading, detail=detail)

    def _frame(self, request: Request) -> Frame:
        place = self._site.place(request)
        base, environment = place.base if place else "", self._settings.environment
        return Frame(base=base, form_token="", who="", now=self._clock(), environment=environment)


def add_links(app: FastAPI, parts: Parts) -> None:
    """Let people decide by link at the gateway.

    Raises:
        Misconfigured: the gateway's key is not there or is none.
    """
    desk = LinkDesk(parts)
    path = f"{PATH}{{token}}"
    app.add_route(path, desk.show, methods=["GET"], include_in_schema=False)
    app.add_route(path, desk.decide, methods=["POST"], include_in_schema=False)
