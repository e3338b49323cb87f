"""Search logs in Elasticsearch or OpenSearch: how many entries match, and the newest of them."""

from datetime import timedelta
from typing import Annotated, ClassVar

from pydantic import Field, StringConstraints

from halon.clients.logs import Logs
from halon.contracts.base import Duration, JsonObject
from halon.kit.action import Output, Permission, Read
from halon.kit.env import Env
from halon.redaction import cut_text, redact_text

MAX_LINES = 200
MAX_LINE = 2000
_MAX_NAME = 256


class LogEntry(Output):
    """One entry."""

    at: str
    """As the index has it."""
    text: str
    index: str


class LogsResult(Output):
    """What was found."""

    value: int | None
    """How many entries match; null when a part of the cluster did not answer, for there may be more."""
    no_data: bool
    """True when a part of the cluster did not answer, so that nothing can be concluded from what is missing."""
    lines: tuple[LogEntry, ...]
    """The newest entries, newest first, without what looks like a secret."""
    cut: bool
    """Whether there are more entries than are given."""


class Query(Read[LogsResult]):
    """Search logs in Elasticsearch or OpenSearch, with the query syntax of Lucene.

    Only indices in `logs.allow` of halon.yaml are searched. What looks like a secret is masked. Errors: an index that
    is not allowed and a refused credential are `permission_denied`, an index that is not there is `not_found`, a query
    that is not understood `invalid_input`.
    """

    permissions: ClassVar[tuple[Permission, ...]] = (
        Permission("http", ("POST",), "/{index}/_search", "the index privilege `read`, for the credential in `logs`"),
    )
    example: ClassVar[JsonObject] = {
        "index": "logs-shop",
        "query": 'level:error AND "connection refused"',
        "over": "15m",
    }

    index: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9*][A-Za-z0-9_.*-]*$", max_length=200)]
    """Index, data stream, alias, or a pattern that `logs.allow` has."""
    query: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4000)]
    """In Lucene's syntax; words without a field are looked for in the message."""
    over: Annotated[Duration, Field(ge=timedelta(seconds=1), le=timedelta(days=31))] = timedelta(hours=1)
    """How far back it goes, at most 31 days."""
    most: Annotated[int, Field(ge=1, le=MAX_LINES)] = 50
    """At most so many entries are given, up to 200."""

    def target(self) -> str:
        """Name what is searched."""
        return f"logs/{self.index}"

    async def run(self, env: Env) -> LogsResult:
        """Search."""
        now = env.now()
        found = await env.get(Logs).search(self.index, self.query, now - self.over, now, self.most)
        return LogsResult(
            value=found.total if found.complete else None,
            no_data=not found.complete,
            lines=tuple(
                LogEntry(
                    at=cut_text(one.at, _MAX_NAME),
                    text=redact_text(one.text, MAX_LINE),
                    index=cut_text(one.index, _MAX_NAME),
                )
                for one in found.entries
            ),
            cut=found.total > len(found.entries),
        )
