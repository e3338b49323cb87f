"""The console's application: which address leads where. The gateway mounts it."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import cache
from http import HTTPStatus

from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from halon.gateway.api.access import Access
from halon.gateway.api.decisions import Decisions
from halon.gateway.api.parts import Parts
from halon.gateway.console.desk import Desk
from halon.gateway.console.guards import COMMANDS, Guards
from halon.gateway.console.incidents import Incidents
from halon.gateway.console.links import LINK_KEY, Links
from halon.gateway.console.pages import HEADERS, Pages
from halon.gateway.console.people import WORDS, People
from halon.gateway.console.provider import Provided, code_flow
from halon.gateway.console.sessions import SESSION_KEY, Sessions
from halon.gateway.console.signing_in import SigningIn
from halon.gateway.console.site import Site
from halon.gateway.console.stream import Streams
from halon.gateway.console.visits import Visits
from halon.settings import Settings

_FOR_EVER = "public, max-age=31536000, immutable"


class Console:
    """The console of one gateway."""

    def __init__(self, parts: Parts, desk: Desk, closing: asyncio.Event) -> None:
        """Build it. `closing` is set when the gateway stops: streams end then.

        Raises:
            Misconfigured: a secret is not there.
        """
        settings, identity, clock = parts.settings, parts.identity, parts.clock
        sessions = Sessions(cache(lambda: parts.sealer().derived(SESSION_KEY)), identity.rests_on, clock)
        links = Links(cache(lambda: parts.sealer().derived(LINK_KEY)))
        self._pages = Pages()
        self._visits = Visits(settings, Site(settings.gateway), sessions, self._pages, clock)
        self.signed_in = self._visits.signed_in
        self._incidents = Incidents(desk, self._visits, Streams(closing), _temporal_ui(settings))
        self._people = People(desk, self._visits, self._incidents)
        self._guards = Guards(desk, self._visits)
        self._signing_in = SigningIn(settings, identity, links, self._visits, clock)
        flow = code_flow(settings, identity)
        self._provided = Provided(flow, identity, self._signing_in, self._visits) if flow else None

    def mount(self, app: FastAPI) -> None:
        """Put the console where people look for it."""
        app.router.routes.append(Mount("/console", app=self._app(self._routes()), name="console"))
        if self._provided is not None:
            back = [Route("/callback", self._visits.door(self._provided.come_back))]
            app.router.routes.append(Mount("/oidc", app=self._app(back), name="oidc"))
        app.add_route("/", _to_the_console, include_in_schema=False)

    def _routes(self) -> list[BaseRoute]:
        visits, incidents, guards, signing_in = self._visits, self._incidents, self._guards, self._signing_in
        people = self._people
        one = "/incidents/{incident}"
        routes: list[BaseRoute] = [
            Route("/", visits.page(incidents.list)),
            Route("/events", visits.news(incidents.list_news)),
            Route(one, visits.page(incidents.show)),
            Route(f"{one}/events", visits.news(incidents.incident_news)),
            Route(f"{one}/postmortem", visits.page(incidents.postmortem)),
            Route(f"{one}/decide", visits.page(incidents.decide), methods=["POST"]),
            Route(f"{one}/cancel", visits.page(incidents.cancel), methods=["POST"]),
            *(Route(f"{one}/{name}", visits.page(people.form(name)), methods=["POST"]) for name in WORDS),
            Route("/runs", visits.page(incidents.runs)),
            Route("/guards", visits.page(guards.show)),
            *(Route(f"/guards/{name}", visits.page(guards.command(name)), methods=["POST"]) for name in COMMANDS),
            Route("/sign-in", visits.door(signing_in.show), methods=["GET"]),
            Route("/sign-in", visits.door(signing_in.sign_in), methods=["POST"]),
            Route("/sign-out", visits.door(signing_in.sign_out), methods=["POST"]),
            Route("/static/{name}", _static(self._pages)),
        ]
        if self._provided is not None:
            routes.append(Route("/sign-in/provider", visits.door(self._provided.leave)))
        return routes

    def _app(self, routes: Sequence[BaseRoute]) -> ASGIApp:
        handlers = {HTTPException: _refused(self._visits), HTTPStatus.INTERNAL_SERVER_ERROR: _failed(self._visits)}
        return _guarded(Starlette(routes=routes, exception_handlers=handlers))


async def _to_the_console(_request: Request) -> Response:
    return RedirectResponse("console/", HTTPStatus.SEE_OTHER)


def _refused(visits: Visits) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def answer(_request: Request, error: Exception) -> Response:
        status = HTTPStatus(error.status_code) if isinstance(error, HTTPException) else HTTPStatus.NOT_FOUND
        detail = "this page does not exist" if status is HTTPStatus.NOT_FOUND else status.description
        return visits.problem(status, detail or status.phrase)

    return answer


def _failed(visits: Visits) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def answer(_request: Request, _error: Exception) -> Response:
        return visits.problem(HTTPStatus.INTERNAL_SERVER_ERROR, "the gateway's log says why")

    return answer


def _static(pages: Pages) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        asset = pages.assets.get(request.path_params["name"])
        if asset is None:
            raise HTTPException(HTTPStatus.NOT_FOUND)
        kept = _FOR_EVER if request.query_params.get("v") == asset.version else "no-cache"
        return Response(asset.body, media_type=asset.media_type, headers={"Cache-Control": kept})

    return answer


def _guarded(app: ASGIApp) -> ASGIApp:
    """Put the headers on every answer, errors and streams among them."""

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await app(scope, receive, sending)

    return guarded


def _temporal_ui(settings: Settings) -> str | None:
    url = settings.temporal.ui_url
    return f"{url.rstrip('/')}/namespaces/{settings.temporal.namespace}" if url else None


def add_console(app: FastAPI, parts: Parts, decisions: Decisions) -> Console:
    """Add the console to the gateway.

    Raises:
        Misconfigured: a secret is not there.
    """
    closing = asyncio.Event()
    app.state.closing = closing
    console = Console(parts, Desk(parts, Access(parts), decisions), closing)
    console.mount(app)
    return console
