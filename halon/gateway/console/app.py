"""The console's application: which address leads where. The gateway mounts it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from halon.gateway.console.desk import Desk
from halon.gateway.console.guards import COMMANDS, Guards
from halon.gateway.console.incidents import Incidents
from halon.gateway.console.pages import HEADERS, Pages
from halon.gateway.console.sessions import Sessions
from halon.gateway.console.signing_in import Identity, SigningIn
from halon.gateway.console.site import Site
from halon.gateway.console.stream import Streams
from halon.gateway.console.visits import Visits
from halon.settings import Settings

_FOR_EVER = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Parts:
    """What the console is made of."""

    settings: Settings
    desk: Desk
    identity: Identity
    key: bytes
    """What sessions are signed with."""
    clock: Callable[[], datetime]
    closing: asyncio.Event
    """Set when the gateway stops: streams end then."""


def console(parts: Parts) -> ASGIApp:
    """Build the application."""
    settings, desk = parts.settings, parts.desk
    pages, site = Pages(), Site(settings.gateway)
    sessions = Sessions(parts.key, parts.identity.mark, parts.clock)
    visits = Visits(settings, site, sessions, pages, parts.clock)
    incidents = Incidents(desk, visits, Streams(parts.closing), _temporal_ui(settings))
    guards = Guards(desk, visits)
    signing_in = SigningIn(parts.identity, sessions, visits, pages)
    one = "/incidents/{incident}"
    routes = [
        Route("/", visits.page(incidents.list)),
        Route("/events", visits.news(incidents.list_news)),
        Route(one, visits.page(incidents.show)),
        Route(f"{one}/events", visits.news(incidents.incident_news)),
        Route(f"{one}/decide", visits.page(incidents.decide), methods=["POST"]),
        Route(f"{one}/cancel", visits.page(incidents.cancel), methods=["POST"]),
        Route("/runs", visits.page(incidents.runs)),
        Route("/guards", visits.page(guards.show)),
        *(Route(f"/guards/{name}", visits.page(guards.command(name)), methods=["POST"]) for name in COMMANDS),
        Route("/sign-in", visits.door(signing_in.show), methods=["GET"]),
        Route("/sign-in", visits.door(signing_in.sign_in), methods=["POST"]),
        Route("/sign-out", visits.door(signing_in.sign_out), methods=["POST"]),
        Route("/static/{name}", _static(pages)),
    ]
    app = Starlette(routes=routes, exception_handlers={HTTPException: _refused(visits), 500: _failed(visits)})
    return _guarded(app)


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
