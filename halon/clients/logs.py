"""Searching logs in Elasticsearch or OpenSearch: one `_search`, as both have it.

https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-search and
https://docs.opensearch.org/latest/api-reference/search/.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pydantic import BaseModel, Field, ValidationError

from halon.clients.json_api import Access, Call, JsonApi, check_allowed, segment
from halon.errors import PermanentError
from halon.settings.services import LogsSettings

MAX_ANSWER = 8 * 1024 * 1024
"""Bytes of an answer."""
_TIMEOUT = timedelta(seconds=25)
_SERVER_TIMEOUT = "15s"
"""Less than our own, so that the server gives up first and gives what it has."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One document."""

    at: str
    text: str
    index: str


@dataclass(frozen=True, slots=True)
class Found:
    """What was found, newest first."""

    total: int
    entries: Sequence[Entry]
    complete: bool
    """Whether every shard answered in time; otherwise there may be more."""


class _Hit(BaseModel):
    index: str = Field(default="", alias="_index")
    source: dict[str, Any] = Field(default_factory=dict, alias="_source")


class _Total(BaseModel):
    value: int


class _Hits(BaseModel):
    total: _Total
    hits: list[_Hit]


class _Shards(BaseModel):
    failed: int = 0


class _Answer(BaseModel):
    timed_out: bool
    shards: _Shards = Field(alias="_shards")
    hits: _Hits


class Logs:
    """One cluster, of which some indices may be searched."""

    def __init__(self, access: Access, settings: LogsSettings) -> None:
        self._api = JsonApi(access, _TIMEOUT)
        self._settings = settings

    async def search(self, index: str, query: str, since: datetime, until: datetime, most: int) -> Found:
        """Count what a query of Lucene's syntax matches in some time, and read the newest of it.

        Raises:
            PermissionDenied: halon.yaml does not allow the index, or the cluster the credential.
            NotFound: there is no such index.
            InvalidInput: the query is not understood.
            TransientError: it does not answer, or not now.
            PermanentError: it answers something else.
        """
        check_allowed(self._settings.allow, index, "logs.allow")
        time = self._settings.time_field
        between = {"gte": since.isoformat(), "lte": until.isoformat()}
        body: dict[str, Any] = {
            "size": most,
            "track_total_hits": True,
            "timeout": _SERVER_TIMEOUT,
            "sort": [{time: {"order": "desc"}}],
            "_source": [time, self._settings.message_field],
            "query": {
                "bool": {
                    "filter": [
                        {"query_string": {"query": query, "default_field": self._settings.message_field}},
                        {"range": {time: between}},
                    ]
                }
            },
        }
        call = Call("POST", f"/{segment(index)}/_search", "the right to read this index", body=body, limit=MAX_ANSWER)
        said = await self._api.object(call)
        try:
            answer = _Answer.model_validate(said)
        except ValidationError:
            raise PermanentError("what answers at `logs.url` in halon.yaml is no Elasticsearch or OpenSearch") from None
        return Found(
            total=answer.hits.total.value,
            entries=[self._entry(one) for one in answer.hits.hits[:most]],
            complete=not answer.timed_out and answer.shards.failed == 0,
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._api.close()

    def _entry(self, hit: _Hit) -> Entry:
        at, text = _at(hit.source, self._settings.time_field), _at(hit.source, self._settings.message_field)
        return Entry(str(at or ""), str(text or ""), hit.index)


def _at(source: Mapping[str, Any], path: str) -> Any:
    """A field by its name, which may be written with dots or nested."""
    if path in source:
        return source[path]
    first, _, rest = path.partition(".")
    within = source.get(first)
    return _at(within, rest) if rest and isinstance(within, dict) else None  # pyright: ignore[reportUnknownArgumentType]  # JSON
