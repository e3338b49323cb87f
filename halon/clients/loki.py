"""Loki's HTTP API: https://grafana.com/docs/loki/latest/reference/loki-http-api/. Two calls: a range and an instant."""

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import BaseModel, ValidationError

from halon.clients.json_api import Access, Call, JsonApi
from halon.contracts.base import is_object
from halon.errors import InvalidInput, PermanentError

MAX_ANSWER = 8 * 1024 * 1024
"""Bytes of an answer."""
_NEEDS = "to read logs of this tenant"
_TIMEOUT = timedelta(seconds=25)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a log."""

    at: datetime
    text: str
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Lines:
    """What a log query found: the newest lines, newest first."""

    lines: Sequence[Line]


@dataclass(frozen=True, slots=True)
class Measured:
    """What a metric query gives for its newest time: a value for each series that has one."""

    series: Sequence[tuple[Mapping[str, str], float]]


class _Stream(BaseModel):
    stream: dict[str, str] = {}
    values: list[tuple[str, str]] = []


class _Vector(BaseModel):
    metric: dict[str, str] = {}
    value: tuple[float, str]


class Loki:
    """One Loki, as one tenant."""

    def __init__(self, access: Access) -> None:
        self._api = JsonApi(access, _TIMEOUT)

    async def lines(self, query: str, start: datetime, end: datetime, most: int) -> Lines | None:
        """Read the newest lines of a log query; None when the query is one for a metric.

        Raises:
            InvalidInput: Loki does not understand the query.
            PermissionDenied: it does not accept the credential.
            TransientError: it does not answer, or not now.
            PermanentError: it answers something else.
        """
        asked = (
            ("query", query),
            ("start", _nanoseconds(start)),
            ("end", _nanoseconds(end)),
            ("limit", str(most)),
            ("direction", "backward"),
        )
        kind, result = await self._ask("/loki/api/v1/query_range", asked)
        if kind != "streams":
            return None
        try:
            streams = [_Stream.model_validate(one) for one in result]
            found = [Line(_moment(at), text, one.stream) for one in streams for at, text in one.values]
        except (ValidationError, ValueError, OverflowError, OSError) as error:
            raise PermanentError("Loki answers with lines that are none") from error
        return Lines(sorted(found, key=lambda one: one.at, reverse=True)[:most])

    async def measure(self, query: str, at: datetime) -> Measured:
        """Ask a metric query for its value at a moment. Raises what `lines` does."""
        kind, result = await self._ask("/loki/api/v1/query", (("query", query), ("time", _nanoseconds(at))))
        if kind == "scalar":
            result = [{"value": result}]
        elif kind != "vector":
            raise InvalidInput(f"Loki gives a {kind} for this, and a metric query is needed")
        try:
            read = [_Vector.model_validate(one) for one in result]
            values = [(one.metric, float(one.value[1])) for one in read]
        except (ValidationError, ValueError) as error:
            raise PermanentError("Loki answers with samples that are no numbers") from error
        return Measured([(labels, _finite(value)) for labels, value in values if not math.isnan(value)])

    async def close(self) -> None:
        """Close the connections."""
        await self._api.close()

    async def _ask(self, path: str, query: tuple[tuple[str, str], ...]) -> tuple[str, Any]:
        said = await self._api.object(Call("GET", path, _NEEDS, query, limit=MAX_ANSWER))
        data: Any = said.get("data")
        if said.get("status") != "success" or not is_object(data):
            raise PermanentError("what answers at `loki.url` in halon.yaml is no Loki")
        return str(data.get("resultType")), data.get("result") or []


def _nanoseconds(at: datetime) -> str:
    return str(int(at.timestamp() * 1_000_000) * 1000)


def _moment(text: str) -> datetime:
    return datetime.fromtimestamp(int(text) / 1e9, UTC)


def _finite(value: float) -> float:
    return max(-sys.float_info.max, min(sys.float_info.max, value))
