"""HTTP requests that change something, to the destinations of `http.requests` only, with their own credentials.

An address must begin as a destination does, method included. The credential is the destination's and goes nowhere
else; a playbook neither holds nor names it.
"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from http import HTTPStatus
from ipaddress import ip_network
from typing import Any

from yarl import URL

from halon.clients.credentials import Token
from halon.clients.http_destinations import Destinations
from halon.clients.pinned import HttpAnswer, NoAnswer, Outgoing, PinnedHttp
from halon.clients.web import retry_after_of
from halon.contracts.base import Json, JsonObject
from halon.errors import NotFound, PermanentError, PermissionDenied, TransientError
from halon.redaction import redact_text
from halon.settings.services import HttpDestination

MAX_SAID = 300
"""Characters of an answer that an error repeats."""
_LATER = frozenset(
    {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.CONFLICT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
)
"""A conflict is what receivers of idempotency keys answer while the first request is still under way."""
_ODD = ("%2e", "%2f", "%5c", "\\", "/../", "/./")


@dataclass(frozen=True, slots=True)
class Destination:
    """One of `http.requests`, and what reads its secret."""

    settings: HttpDestination
    token: Token | None = None


@dataclass(frozen=True, slots=True)
class Sending:
    """A request that changes something."""

    method: str
    url: str
    timeout: timedelta
    body: JsonObject | str | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    expect: Sequence[int] = ()
    """Statuses that mean success; without any, 200 to 299."""
    key: str = ""


class HttpRequester:
    """Makes requests to destinations of the settings."""

    def __init__(self, destinations: Mapping[str, Destination], allow: Sequence[str]) -> None:
        """`allow` is `http.allow`: its networks say which addresses that are not public may be reached."""
        self._destinations = destinations
        hosts = [str(URL(one.settings.url).raw_host or "") for one in destinations.values()]
        self._http = PinnedHttp("http.request", Destinations([*hosts, *(one for one in allow if _is_network(one))]))

    async def send(self, sending: Sending) -> None:
        """Make a request, once.

        Raises:
            PermissionDenied: no destination allows it, or the receiver does not accept the credential.
            NotFound: there is nothing at the address.
            TransientError: it may go well later. Whether it was carried out is not known.
            PermanentError: the receiver refuses it.
        """
        where = self._of(sending.url, sending.method)
        headers = {**sending.headers, **await _login(where)}
        if sending.key:
            headers[where.settings.idempotency_header] = sending.key
        body: bytes | None = None
        if isinstance(sending.body, str):
            body = sending.body.encode()
        elif sending.body is not None:
            body = json.dumps(sending.body).encode()
            headers.setdefault("Content-Type", "application/json")
        answer = await self._sent(Outgoing(sending.method, sending.url, sending.timeout, headers, body), where)
        expected = answer.status in sending.expect if sending.expect else _is_success(answer.status)
        if not expected:
            raise _refused(answer, sending.url)

    async def look(self, url: str, timeout: timedelta) -> HttpAnswer:  # noqa: ASYNC109  # of the whole answer
        """Ask a destination how something is. Nothing there is an answer as well.

        Raises:
            PermissionDenied: the address is none of a destination, or the credential is not accepted.
            TransientError: there is no answer now.
            PermanentError: there is no use in asking.
        """
        where = self._of(url, None)
        answer = await self._sent(Outgoing("GET", url, timeout, await _login(where)), where)
        if not _is_success(answer.status) and answer.status not in {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}:
            raise _refused(answer, url)
        return answer

    async def _sent(self, outgoing: Outgoing, where: Destination) -> HttpAnswer:
        answer = await self._http.send(outgoing)
        if isinstance(answer, NoAnswer):
            raise TransientError(f"{_shown(outgoing.url)} does not answer: {answer.reason}")
        if answer.status == HTTPStatus.UNAUTHORIZED and where.token is not None:
            where.token.refused()  # it may have been changed since it was read: the next attempt reads it anew
        return answer

    def _of(self, url: str, method: str | None) -> Destination:
        parsed = self._http.parsed(url)
        said = parsed.raw_path.lower()
        if any(odd in f"{said}/" for odd in _ODD):
            raise PermissionDenied(f"http.request: {_shown(url)} has a path that leads elsewhere")
        found = [one for one in self._destinations.values() if _begins(parsed, URL(one.settings.url))]
        if not found:
            raise PermissionDenied(f"http.request: {_shown(url)} is not allowed: add it to `http.requests`")
        closest = max(found, key=lambda one: len(one.settings.url))
        if method is not None and method not in closest.settings.methods:
            raise PermissionDenied(f"http.request: {method} {_shown(url)} is not allowed: add the method to its entry")
        return closest


def _begins(url: URL, start: URL) -> bool:
    if (url.scheme, url.raw_host, url.port) != (start.scheme, start.raw_host, start.port):
        return False
    within = start.raw_path if start.raw_path.endswith("/") else f"{start.raw_path}/"
    return f"{url.raw_path}/" == within or url.raw_path.startswith(within)


async def _login(where: Destination) -> dict[str, str]:
    credential = where.settings.credential
    if credential is None or where.token is None:
        return {}
    secret = await asyncio.to_thread(where.token)
    return {credential.header: f"{credential.prefix}{secret.get_secret_value()}"}


def _refused(answer: HttpAnswer, url: str) -> Exception:
    words = redact_text(" ".join(answer.body[: 4 * MAX_SAID].decode(errors="replace").split()), MAX_SAID)
    said = f"{_shown(url)} answers HTTP {answer.status}" + (f": {words}" if words else "")
    if answer.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return PermissionDenied(f"{said}; look at the `credential` of this destination in `http.requests`")
    if answer.status in {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}:
        return NotFound(said)
    if answer.status in _LATER or answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return TransientError(said, retry_after=retry_after_of(answer.headers))
    return PermanentError(said)


def value_at(answer: HttpAnswer, pointer: str | None) -> Json:
    """What a JSON Pointer (RFC 6901) leads to in an answer, null when there is nothing; without one, the status.

    Raises:
        PermanentError: the answer is no JSON, or it leads to something that holds others.
    """
    if pointer is None:
        return answer.status
    if not _is_success(answer.status):
        return None
    try:
        value: Any = json.loads(answer.body)
    except (ValueError, RecursionError):
        raise PermanentError("http.request: `check` has a pointer, and the answer is no JSON") from None
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        value = _step(value, name)
    if isinstance(value, dict | list):
        raise PermanentError(f"http.request: `check.pointer` {pointer} leads to an object or a list, not to a value")
    return value[:MAX_SAID] if isinstance(value, str) else value


def _step(value: Any, name: str) -> Any:
    if isinstance(value, list):
        return value[int(name)] if name.isascii() and name.isdigit() and int(name[:9]) < len(value) else None  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]  # JSON
    return value.get(name) if isinstance(value, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]  # JSON


def _is_success(status: int) -> bool:
    return 200 <= status <= 299  # noqa: PLR2004  # HTTP's range of success


def _shown(url: str) -> str:
    """An address without its query, which may hold more than people need to see."""
    return url.partition("?")[0][:MAX_SAID]


def _is_network(text: str) -> bool:
    try:
        ip_network(text.strip(), strict=False)
    except ValueError:
        return False
    return True
