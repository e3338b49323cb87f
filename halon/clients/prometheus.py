"""Instant queries to Prometheus' HTTP API, and to what speaks it: Thanos, Mimir, VictoriaMetrics.

Retrying is Temporal's: the client makes one attempt. Redirects are not followed: they would take the token along.
"""

import asyncio
import json
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any, cast

import aiohttp
from pydantic import BaseModel, ValidationError

from halon.clients.credentials import Token
from halon.errors import InvalidInput, Misconfigured, PermanentError, PermissionDenied, TransientError

MAX_ANSWER = 8 * 1024 * 1024
"""Bytes of an answer."""
MAX_MESSAGE = 600
"""Characters of the server's own words that an error repeats."""
MAX_RETRY_AFTER = timedelta(minutes=2)
_TIMEOUT = aiohttp.ClientTimeout(total=20, connect=5)
_SERVER_TIMEOUT = "15s"
"""Less than our own, so that the server gives up first and says why."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One series at the time of the query."""

    labels: Mapping[str, str]
    value: float
    """A finite number: infinities are the largest ones that JSON can say, so that comparisons still hold."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a query gave, without the samples that are not a number: they are no data."""

    samples: Sequence[Sample]
    warnings: Sequence[str]
    """What the server says about the answer, such as that a part of the stores did not answer."""


@dataclass(frozen=True, slots=True)
class Course:
    """How one series went."""

    labels: Mapping[str, str]
    values: Sequence[float]
    """Its numbers, at least one, the newest last."""


@dataclass(frozen=True, slots=True)
class RangeAnswer:
    """What a query over some time gave, without what is not a number."""

    courses: Sequence[Course]
    warnings: Sequence[str]


class _Matrix(BaseModel):
    metric: dict[str, str] = {}
    values: list[tuple[float, str]]


class _Series(BaseModel):
    metric: dict[str, str] = {}
    value: tuple[float, str]


class Prometheus:
    """One Prometheus. The connection is made at the first query."""

    def __init__(self, url: str | None, token: Token | None = None) -> None:
        self._url = url.rstrip("/") if url else ""
        self._token = token
        self._session: aiohttp.ClientSession | None = None

    async def query(self, query: str) -> Answer:
        """Ask for the present value of an expression.

        Raises:
            InvalidInput: Prometheus does not understand the expression, or it gives a range or a text.
            PermissionDenied: Prometheus does not accept the token.
            TransientError: it does not answer, or cannot serve this now.
            Misconfigured: there is no Prometheus in the settings, or something else answers there.
            PermanentError: the expression cannot be computed, or gives too much.
        """
        return self._answer(await self._asked("/api/v1/query", {"query": query, "timeout": _SERVER_TIMEOUT}))

    async def query_range(self, query: str, start: datetime, end: datetime, step: timedelta) -> RangeAnswer:
        """Ask how an expression went from one time to another. Raises what `query` does."""
        asked = {
            "query": query,
            "start": f"{start.timestamp():.3f}",
            "end": f"{end.timestamp():.3f}",
            "step": f"{step.total_seconds():.3f}",
            "timeout": _SERVER_TIMEOUT,
        }
        return self._courses(await self._asked("/api/v1/query_range", asked))

    async def _asked(self, path: str, asked: Mapping[str, str]) -> dict[str, Any]:
        if not self._url:
            raise Misconfigured("halon.yaml names no Prometheus: set `prometheus: {url: http://HOST:9090}`")
        status, headers, body = await self._get(path, asked)
        if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN} and self._token:
            self._token.refused()  # it may have been changed since it was read
            status, headers, body = await self._get(path, asked)
        said = _parsed(body)
        if status != HTTPStatus.OK:
            raise self._refused(status, headers, said)
        if said is None or said.get("status") != "success":
            raise Misconfigured(f"what answers at {self._url} is no Prometheus: set `prometheus.url` in halon.yaml")
        return said

    async def close(self) -> None:
        """Close the connections; the next query would make new ones."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _get(self, path: str, query: Mapping[str, str]) -> tuple[int, Mapping[str, str], bytes]:
        token = await asyncio.to_thread(self._token) if self._token else None
        headers = {"Authorization": f"Bearer {token.get_secret_value()}"} if token else {}
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=_TIMEOUT, cookie_jar=aiohttp.DummyCookieJar())
        try:
            async with self._session.get(
                f"{self._url}{path}", params=query, headers=headers, allow_redirects=False
            ) as response:
                return response.status, response.headers, await _bounded(response, self._url)
        except (aiohttp.ClientConnectorCertificateError, aiohttp.ClientConnectorSSLError) as error:
            raise Misconfigured(f"TLS with Prometheus at {self._url} fails: {_line(error)}") from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise TransientError(f"Prometheus at {self._url} does not answer: {_line(error)}") from error

    def _refused(self, status: int, headers: Mapping[str, str], said: dict[str, Any] | None) -> Exception:
        where = f"Prometheus at {self._url}"
        reason = " ".join(str((said or {}).get("error") or f"HTTP {status}").split())[:MAX_MESSAGE]
        if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            return PermissionDenied(f"{where} does not accept the credentials of `prometheus.auth`: {reason}")
        if status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return TransientError(f"{where} cannot answer now: {reason}", retry_after=_delay(headers))
        if said is None or status < HTTPStatus.BAD_REQUEST or status == HTTPStatus.NOT_FOUND:
            return Misconfigured(f"what answers at {self._url} is no Prometheus ({reason}): set `prometheus.url`")
        if said.get("errorType") == "bad_data":
            return InvalidInput(f"{where} does not understand the query: {reason}")
        return PermanentError(f"{where} cannot compute the query: {reason}")

    def _answer(self, said: dict[str, Any]) -> Answer:
        data: Any = said.get("data") or {}
        kind, result = data.get("resultType"), data.get("result")
        if kind not in {"vector", "scalar"}:
            raise InvalidInput(
                f"the query gives a {kind}, and a value is needed: for a range, use a function such as rate() over it"
            )
        try:
            series = [_Series(value=result)] if kind == "scalar" else [_Series.model_validate(one) for one in result]
            read = [(one.metric, float(one.value[1])) for one in series]
        except (ValidationError, ValueError, TypeError) as error:
            raise PermanentError(f"Prometheus at {self._url} gives samples that are no numbers") from error
        samples = [Sample(labels, _finite(value)) for labels, value in read if not math.isnan(value)]
        return Answer(samples, [str(one) for one in said.get("warnings") or ()])

    def _courses(self, said: dict[str, Any]) -> RangeAnswer:
        data: Any = said.get("data") or {}
        try:
            read = [_Matrix.model_validate(one) for one in data.get("result") or ()]
            courses = [(one.metric, [float(value) for _, value in one.values]) for one in read]
        except (ValidationError, ValueError, TypeError) as error:
            raise PermanentError(f"Prometheus at {self._url} gives samples that are no numbers") from error
        numbers = [(labels, [_finite(one) for one in values if not math.isnan(one)]) for labels, values in courses]
        found = [Course(labels, values) for labels, values in numbers if values]
        return RangeAnswer(found, [str(one) for one in said.get("warnings") or ()])


async def _bounded(response: aiohttp.ClientResponse, url: str) -> bytes:
    body = bytearray()
    async for part in response.content.iter_chunked(65536):
        body += part
        if len(body) > MAX_ANSWER:
            raise PermanentError(
                f"Prometheus at {url} answers with more than {MAX_ANSWER} bytes: aggregate in the query, as with sum()"
            )
    return bytes(body)


def _parsed(body: bytes) -> dict[str, Any] | None:
    try:
        value: Any = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None


def _finite(value: float) -> float:
    return max(-sys.float_info.max, min(sys.float_info.max, value))


def _delay(headers: Mapping[str, str]) -> timedelta | None:
    text = headers.get("Retry-After", "")
    return min(timedelta(seconds=int(text[:9])), MAX_RETRY_AFTER) if text.isdecimal() else None


def _line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), "")[:MAX_MESSAGE] or type(error).__name__
