"""The edge of the API: who asks, how much they may send, and every error as a problem."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, MutableMapping
from datetime import timedelta
from http import HTTPStatus
from typing import Annotated, Any

import structlog
from fastapi import Depends, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer
from starlette.requests import ClientDisconnect

from halon.contracts.people import Principal
from halon.errors import Conflict, HalonError, InvalidInput, NotFound, TransientError
from halon.gateway.api.parts import Parts
from halon.gateway.parsing import BadJson, parse_json
from halon.gateway.problems import Refusal, problem_response, problems_of, retry_after
from halon.gateway.requests import BodyMemory, read_body, require_json

MAX_BODY = 64 * 1024
"""Bytes of a request's body."""
BODY_WITHIN = timedelta(seconds=10)
MAX_REQUESTS = 64
"""Requests at the same time; more are told to come back."""
MAX_ERRORS = 20
BUSY = timedelta(seconds=2)
UNAVAILABLE = timedelta(seconds=5)
HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
"""What is told to one person is kept by nobody on the way."""
PROBLEMS = problems_of(400, 401, 403, 404, 408, 409, 413, 415, 422, 500, 503)

log = structlog.get_logger(__name__)

bearer = HTTPBearer(
    auto_error=False,
    scheme_name="bearer",
    description="A token of `halon token new`, one of the identity provider, or the operator's. Meaning: docs/api.md.",
)
Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class Edge:
    """What every request goes through."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._slots = asyncio.Semaphore(MAX_REQUESTS)
        self._memory = BodyMemory(MAX_REQUESTS * MAX_BODY)

    async def handle(self, request: Request, handler: Handler, *, has_body: bool) -> Response:
        """Find out who asks, read what they send, and answer."""
        try:
            response = await self._handled(request, handler, has_body=has_body)
        except Refusal as refusal:
            response = problem_response(refusal)
        except ClientDisconnect:
            response = Response(status_code=HTTPStatus.BAD_REQUEST)  # nobody is there to read it
        response.headers.update(HEADERS)
        return response

    async def _handled(self, request: Request, handler: Handler, *, has_body: bool) -> Response:
        request.state.principal = await self._parts.identity.of(request)
        if self._slots.locked():
            detail = "too many requests at the same time"
            raise Refusal(HTTPStatus.SERVICE_UNAVAILABLE, detail, headers=retry_after(BUSY))
        async with self._slots:
            with self._memory.share() as share:
                if has_body:
                    require_json(request)
                    body = await read_body(request, MAX_BODY, BODY_WITHIN, share)
                    request = Request(request.scope, _replaying(_strict(body)))
                try:
                    return await handler(request)
                except RequestValidationError as error:
                    raise _invalid(error) from error
                except HalonError as error:
                    raise refusal_of(error) from error


def route_of(edge: Edge) -> type[APIRoute]:
    """Give the kind of route whose requests go through this edge."""

    class Route(APIRoute):
        def get_route_handler(self) -> Handler:
            handler, has_body = super().get_route_handler(), self.body_field is not None

            async def handled(request: Request) -> Response:
                return await edge.handle(request, handler, has_body=has_body)

            return handled

    return Route


def _principal(request: Request) -> Principal:
    found: Principal = request.state.principal
    return found


Caller = Annotated[Principal, Depends(_principal)]
"""Who asks. The edge has found it out before anything else is looked at."""


def refusal_of(error: HalonError) -> Refusal:
    """Say an error of an operation with a status of HTTP."""
    if isinstance(error, BadJson):
        return Refusal(HTTPStatus.BAD_REQUEST, str(error))
    if isinstance(error, InvalidInput):
        return Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, str(error), errors=list(error.problems)[:MAX_ERRORS])
    if isinstance(error, NotFound):
        return Refusal(HTTPStatus.NOT_FOUND, str(error))
    if isinstance(error, Conflict):
        return Refusal(HTTPStatus.CONFLICT, str(error))
    if isinstance(error, TransientError):
        return Refusal(
            HTTPStatus.SERVICE_UNAVAILABLE, str(error), headers=retry_after(error.retry_after or UNAVAILABLE)
        )
    log.error("api.failed", reason=str(error), kind=type(error).__name__)
    return Refusal(HTTPStatus.INTERNAL_SERVER_ERROR, str(error))


def _strict(body: bytes) -> bytes:
    """Look that it is JSON which can be read in one way only.

    Raises:
        BadJson: it is not.
    """
    try:
        parse_json(body)
    except BadJson as error:
        raise Refusal(HTTPStatus.BAD_REQUEST, str(error)) from error
    return body


def _replaying(body: bytes) -> Callable[[], Awaitable[MutableMapping[str, Any]]]:
    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


def _invalid(error: RequestValidationError) -> Refusal:
    problems = [_line(one) for one in error.errors()[:MAX_ERRORS]]
    return Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, "the request is not as it must be", errors=problems)


def _line(error: dict[str, Any]) -> str:
    """One problem, without what was sent: it may hold anything."""
    where, *path = (str(one) for one in error["loc"])
    return f"{'.'.join(path) or where}: {error['msg']}"
