"""Ask Loki for logs: how many lines there are, and the newest of them."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, ClassVar

from pydantic import Field, StringConstraints

from halon.clients.loki import Loki
from halon.contracts.base import Duration, JsonObject, format_duration
from halon.kit.action import Output, Permission, Read
from halon.kit.env import Env
from halon.redaction import cut_text, redact_text

MAX_LINES = 200
MAX_LINE = 2000
MAX_SERIES = 50
_MAX_LABELS = 30
_MAX_LABEL = 256


class LogLine(Output):
    """One line."""

    at: datetime
    text: str
    labels: dict[str, str]


class Count(Output):
    """One series of a metric query."""

    labels: dict[str, str]
    value: float


class LokiResult(Output):
    """What was found. A log query gives lines and their count, a metric query values."""

    value: float | None
    """Of a log query the number of lines; of a metric query the value, when there is exactly one series."""
    no_data: bool
    """True when a metric query has no series. No lines are not no data: `value` is then 0."""
    lines: tuple[LogLine, ...]
    """The newest lines, newest first, without what looks like a secret; empty for a metric query."""
    cut: bool
    """Whether there are more lines than are given."""
    series: tuple[Count, ...]
    """The first 50 series of a metric query."""


class Query(Read[LokiResult]):
    """Ask Loki with LogQL: a log query for lines and their count, or a metric query for a value.

    What looks like a secret is masked in lines. Errors: a query that Loki does not understand is `invalid_input`, a
    refused credential `permission_denied`; a Loki that does not answer is asked again.
    """

    permissions: ClassVar[tuple[Permission, ...]] = (
        Permission("http", ("GET",), "/loki/api/v1/query, /loki/api/v1/query_range", "the tenant's logs, in `loki`"),
    )
    example: ClassVar[JsonObject] = {"query": '{namespace="shop", app="cart"} |= "OutOfMemory"', "over": "30m"}

    query: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4000)]
    """A LogQL query; one for a metric counts for itself, with its own range, at the present time."""
    over: Annotated[Duration, Field(ge=timedelta(seconds=1), le=timedelta(days=31))] = timedelta(hours=1)
    """How far back lines are looked for, at most 31 days."""
    most: Annotated[int, Field(ge=1, le=MAX_LINES)] = 50
    """At most so many lines, up to 200."""

    def target(self) -> str:
        """Name what is asked."""
        return "loki"

    async def run(self, env: Env) -> LokiResult:
        """Ask."""
        loki, now = env.get(Loki), env.now()
        found = await loki.lines(self.query, now - self.over, now, self.most)
        if found is None:
            measured = (await loki.measure(self.query, now)).series
            return LokiResult(
                value=measured[0][1] if len(measured) == 1 else None,
                no_data=not measured,
                lines=(),
                cut=False,
                series=tuple(Count(labels=_small(labels), value=value) for labels, value in measured[:MAX_SERIES]),
            )
        counted = (await loki.measure(_counting(self.query, self.over), now)).series
        count = max(sum(value for _, value in counted), len(found.lines))
        return LokiResult(
            value=count,
            no_data=False,
            lines=tuple(
                LogLine(at=one.at, text=redact_text(one.text, MAX_LINE), labels=_small(one.labels))
                for one in found.lines
            ),
            cut=count > len(found.lines),
            series=(),
        )


def _counting(query: str, over: timedelta) -> str:
    return f"sum(count_over_time({query} [{format_duration(over)}]))"


def _small(labels: Mapping[str, str]) -> dict[str, str]:
    return {name: cut_text(value, _MAX_LABEL) for name, value in sorted(labels.items())[:_MAX_LABELS]}
