"""The HTTP edge: authentication, faults, the demonstration's own paths, and every refusal as a Status."""

import asyncio
import logging
from http import HTTPStatus

from aiohttp import web

from halon.demo.cluster.access import Access, Rule, User
from halon.demo.cluster.calls import read_body, read_call, read_object
from halon.demo.cluster.discovery import discover
from halon.demo.cluster.faults import Fault, FaultKind, Faults, read_fault
from halon.demo.cluster.journal import Journal
from halon.demo.cluster.objects import Json, is_list, is_object, objects
from halon.demo.cluster.rest import Rest, json_response
from halon.demo.cluster.status import ApiError, bad_request, method_not_allowed, path_not_found

_LOG = logging.getLogger(__name__)
_OPEN_PATHS = {"/healthz", "/livez", "/readyz", "/version"}
_OWN_PATHS = "/_demo/"


class Edge:
    """The one handler of the server."""

    def __init__(self, rest: Rest, access: Access, journal: Journal, faults: Faults) -> None:
        self._rest = rest
        self._access = access
        self._journal = journal
        self._faults = faults
        self._late: set[asyncio.Task[None]] = set()

    @property
    def late(self) -> int:
        """How many requests are still under way although their senders have given them up."""
        return len(self._late)

    async def close(self) -> None:
        """Give up the requests that are still under way."""
        for task in self._late:
            task.cancel()
        await asyncio.gather(*self._late, return_exceptions=True)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer any request, with the fault that waits for it."""
        own = request.path.startswith(_OWN_PATHS)
        fault = None if own else self._faults.take(request.method, request.path_qs)
        if fault is None:
            return await self._answer(request)
        if fault.kind is FaultKind.LOSE_REQUEST:
            return _cut(request)
        if fault.kind is FaultKind.LATE:
            await request.read()  # while the connection is there
            self._answer_later(request, fault.seconds)
            return _cut(request)
        if fault.kind is FaultKind.STATUS:
            return _refused(fault)
        if fault.kind is FaultKind.DELAY:
            await asyncio.sleep(fault.seconds)
        response = await self._answer(request)
        if fault.kind is FaultKind.DELAY_REPLY:
            await asyncio.sleep(fault.seconds)
        elif fault.kind is FaultKind.LOSE_REPLY:
            response = _cut(request)
        elif fault.kind is FaultKind.PARTIAL:
            response = await _half(request, response)
        return response

    def _answer_later(self, request: web.Request, seconds: float) -> None:
        """Carry a request out when its sender has long gone."""

        async def answer() -> None:
            await asyncio.sleep(seconds)
            await self._answer(request)

        task = asyncio.create_task(answer(), name="demo-cluster-late-request")
        self._late.add(task)
        task.add_done_callback(self._late.discard)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        try:
            return await self._route(request)
        except ApiError as error:
            return json_response(error.body, error.code, error.headers)
        except Exception:  # noqa: BLE001  # the edge of a server: a bug must not show its insides, but must show in the log
            _LOG.exception("%s %s failed", request.method, request.path)
            failure = ApiError(HTTPStatus.INTERNAL_SERVER_ERROR, "InternalError", "Internal error occurred")
            return json_response(failure.body, failure.code)

    async def _route(self, request: web.Request) -> web.StreamResponse:
        path = request.path
        if path in _OPEN_PATHS - {"/version"}:
            return web.Response(text="ok")
        user = None if path in _OPEN_PATHS else self._access.authenticate(request.headers.get("Authorization", ""))
        if user is not None and path.startswith(_OWN_PATHS):
            return await self._own(request, user)
        found = discover(path)
        if found is not None:
            if request.method not in {"GET", "HEAD"}:
                raise method_not_allowed()
            return json_response(found)
        if user is None:
            raise path_not_found()
        return await self._rest.answer(request, read_call(request, user))

    async def _own(self, request: web.Request, user: User) -> web.Response:
        """Answer the paths that no Kubernetes has. Only an unrestricted token may use them."""
        if not user.is_unrestricted:
            message = "only an unrestricted token may use the demonstration's own paths"
            raise ApiError(HTTPStatus.FORBIDDEN, "Forbidden", message)
        match request.method, request.path.removeprefix(_OWN_PATHS):
            case "GET", "journal":
                return json_response({"entries": [entry.as_json() for entry in self._journal]})
            case "DELETE", "journal":
                self._journal.clear()
            case "GET", "faults":
                return json_response({"faults": self._faults.as_json(), "hits": self._faults.hits})
            case "POST", "faults":
                body = await read_body(request)
                faults = [read_fault(item) for item in _objects(body)]
                for fault in faults:
                    self._faults.inject(fault)
            case "DELETE", "faults":
                self._faults.clear()
            case "POST", "tokens":
                body = await read_object(request)
                user = User(str(body.get("user") or "user"), _rules(body, "allow"), _rules(body, "deny"))
                return json_response({"token": self._access.add(user, str(body.get("token") or ""))})
            case _:
                raise path_not_found()
        return json_response({"ok": True})


def _objects(body: object) -> list[Json]:
    found = body if is_list(body) else [body]
    if not all(is_object(item) for item in found):
        raise bad_request("the body must be an object or a list of objects")
    return [item for item in found if is_object(item)]


def _rules(body: Json, field: str) -> tuple[Rule, ...]:
    def names(rule: Json, key: str) -> frozenset[str]:
        listed = rule.get(key, ["*"])
        if not is_list(listed):
            raise bad_request(f"{key} must be a list")
        return frozenset(str(item) for item in listed)

    return tuple(
        Rule(names(rule, "verbs"), names(rule, "groups"), names(rule, "resources"), names(rule, "namespaces"))
        for rule in objects(body, field)
    )


def _cut(request: web.Request) -> web.Response:
    """Close the connection instead of answering; the response that is returned goes nowhere."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=HTTPStatus.INTERNAL_SERVER_ERROR)


def _refused(fault: Fault) -> web.Response:
    reasons = {429: "TooManyRequests", 503: "ServiceUnavailable", 504: "Timeout"}
    error = ApiError(fault.status, reasons.get(fault.status, "InternalError"), "a fault was injected")
    headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
    return json_response(error.body, fault.status, headers)


async def _half(request: web.Request, whole: web.StreamResponse) -> web.StreamResponse:
    """Send the head and half of the body, and close the connection."""
    body = whole.body if isinstance(whole, web.Response) else None
    if not isinstance(body, bytes):
        return _cut(request)
    broken = web.StreamResponse(status=whole.status, headers={"Content-Type": whole.content_type})
    broken.content_length = len(body)
    await broken.prepare(request)
    await broken.write(body[: len(body) // 2])
    _cut(request)
    return broken
