"""Ask Prometheus how an expression went over some time."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, ClassVar

from pydantic import Field, StringConstraints

from activities.prometheus._labels import MAX_TEXT, small
from halon.clients.prometheus import Course, Prometheus
from halon.contracts.base import Duration, JsonObject
from halon.kit.action import Output, Permission, Read
from halon.kit.env import Env
from halon.redaction import cut_text

MAX_SERIES = 20
POINTS = 60
"""So many points a series; the step is the time divided by it."""


class Trend(Output):
    """How one series went."""

    labels: dict[str, str]
    first: float
    last: float
    lowest: float
    highest: float
    mean: float
    points: tuple[float, ...]
    """At most 60 values, evenly spaced, the newest last; times without a number are left out."""


class RangeResult(Output):
    """How the expression went. NaN is no data."""

    no_data: bool
    """True when no series has a number in all the time."""
    count: int
    """How many series have numbers."""
    series: tuple[Trend, ...]
    """The first 20 of them, in the server's order."""
    warnings: tuple[str, ...]
    """What the server says about the answer."""


class QueryRange(Read[RangeResult]):
    """Ask Prometheus how an expression went over the time until now, for evidence or to compare before and after.

    Errors: an expression that Prometheus does not understand is `invalid_input`, a refused token `permission_denied`, a
    wrong address `misconfigured`; a Prometheus that does not answer is asked again.
    """

    permissions: ClassVar[tuple[Permission, ...]] = (
        Permission("http", ("GET",), "/api/v1/query_range", "to ask the Prometheus in `prometheus.url`"),
    )
    example: ClassVar[JsonObject] = {"query": 'sum(rate(http_requests_total{deployment="cart"}[2m]))', "over": "1h"}

    query: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4000)]
    """A PromQL expression that gives numbers."""
    over: Annotated[Duration, Field(ge=timedelta(minutes=1), le=timedelta(days=31))] = timedelta(hours=1)
    """How far back it goes, at most 31 days."""

    def target(self) -> str:
        """Name what is asked."""
        return "prometheus"

    async def run(self, env: Env) -> RangeResult:
        """Ask."""
        end = env.now()
        answer = await env.get(Prometheus).query_range(self.query, end - self.over, end, self.over / POINTS)
        return RangeResult(
            no_data=not answer.courses,
            count=len(answer.courses),
            series=tuple(_trend(one) for one in answer.courses[:MAX_SERIES]),
            warnings=tuple(cut_text(one, MAX_TEXT) for one in answer.warnings[:10]),
        )


def _trend(course: Course) -> Trend:
    values: Sequence[float] = course.values
    return Trend(
        labels=small(course.labels.items()),
        first=values[0],
        last=values[-1],
        lowest=min(values),
        highest=max(values),
        mean=sum(one / len(values) for one in values),
        points=tuple(values[-POINTS - 1 :]),
    )
