"""One request to somebody else's web API: bounded in time and size, no redirects, no proxies, and nothing of it traced.

Not traced because addresses of private calendars and of answers to chat are secrets, and spans keep addresses.
Retrying is Temporal's: the client makes one attempt.
"""

import asyncio
import json
import ssl
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx
from opentelemetry.instrumentation.utils import suppress_http_instrumentation

from halon.contracts.base import is_object
from halon.errors import HalonError, Misconfigured, NotFound, PermanentError, PermissionDenied, TransientError
from halon.settings.section import is_safe_url

TIMEOUT = timedelta(seconds=10)
MAX_ANSWER = 1024 * 1024
"""Bytes of an answer."""
MAX_RETRY_AFTER = timedelta(minutes=2)
_HEADERS = {"User-Agent": "halon", "Accept-Encoding": "identity"}
"""Nothing is unpacked: a small packed body can be a very large one."""


@dataclass(frozen=True, slots=True)
class Ask:
    """A request."""

    url: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    query: tuple[tuple[str, str], ...] = ()
    body: Mapping[str, Any] | None = None
    """Sent as JSON."""
    secret: bool = True
    """Whether something goes along that nobody else may see; only then the address must be a safe one."""


@dataclass(frozen=True, slots=True)
class WebAnswer:
    """What came back: a status, whatever it is, and a body that is whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def ok(self) -> bool:
        """Whether it went well."""
        return 200 <= self.status < 300  # noqa: PLR2004  # what the protocol says

    @property
    def retry_after(self) -> timedelta | None:
        """When to come back, if the other side says so; at most two minutes."""
        return retry_after_of(self.headers)

    def object(self) -> dict[str, Any] | None:
        """The body as a JSON object; None when it is none."""
        try:
            value: Any = json.loads(self.body)
        except (ValueError, RecursionError):
            return None
        return value if is_object(value) else None

    def refused(self, who: str, credential: str) -> HalonError:
        """Say what a status means that is no success; `credential` is the setting that lets Halon in to `who`."""
        said = f"{who} answers HTTP {self.status}"
        if self.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            return PermissionDenied(f"{who} does not accept `{credential}`: HTTP {self.status}")
        if self.status == HTTPStatus.NOT_FOUND:
            return NotFound(f"{said}: what the settings name is not there")
        if self.status in {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS} or self.status >= 500:  # noqa: PLR2004  # the server's own errors begin there
            return TransientError(said, retry_after=self.retry_after)
        return PermanentError(said)


def retry_after_of(headers: Mapping[str, str]) -> timedelta | None:
    """When to come back, of headers that know no case; None when they do not say so in seconds."""
    text = headers.get("retry-after", "")
    return min(timedelta(seconds=int(text[:9])), MAX_RETRY_AFTER) if text.isdecimal() else None


class Web:
    """Makes requests. Connections are kept until it is closed."""

    def __init__(self, timeout: timedelta = TIMEOUT, ca: Path | None = None) -> None:
        """`ca` names the authorities that are trusted instead of the system's.

        Raises:
            Misconfigured: they cannot be read.
        """
        self._timeout = timeout.total_seconds()
        self._http = httpx.AsyncClient(
            trust_env=False,
            follow_redirects=False,
            headers=_HEADERS,
            timeout=httpx.Timeout(self._timeout, connect=5),
            verify=_trusting(ca) if ca else True,
        )

    async def ask(self, who: str, ask: Ask, limit: int = MAX_ANSWER) -> WebAnswer:
        """Make one request. `who` is asked, in words for people that hold no secret.

        Raises:
            TransientError: there is no whole answer in time.
            Misconfigured: the address is one that secrets are not sent to.
            PermanentError: the answer is larger than `limit`.
        """
        if ask.secret and not is_safe_url(ask.url):
            raise Misconfigured(f"the address of {who} must begin with https://, or be one of this machine")
        try:
            async with asyncio.timeout(self._timeout), self._response(ask) as response:
                body = bytearray()
                async for part in response.aiter_raw():
                    body += part
                    if len(body) > limit:
                        raise PermanentError(f"{who} answers with more than {limit} bytes")
                return WebAnswer(response.status_code, response.headers, bytes(body))
        except TimeoutError:
            raise TransientError(f"{who} does not answer within {self._timeout:g} s") from None
        except httpx.InvalidURL:
            raise Misconfigured(f"the address of {who} is none") from None
        except httpx.HTTPError as error:
            # Their own text may repeat the address, which may be a secret.
            raise TransientError(f"{who} does not answer: {type(error).__name__}") from None

    @asynccontextmanager
    async def _response(self, ask: Ask) -> AsyncGenerator[httpx.Response]:
        with suppress_http_instrumentation():
            async with self._http.stream(
                ask.method, ask.url, headers=ask.headers, params=ask.query or None, json=ask.body
            ) as response:
                yield response

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()


def _trusting(ca: Path) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=str(ca))
    except (OSError, ssl.SSLError) as error:
        raise Misconfigured(f"the authorities in {ca} cannot be read: {error}") from error
