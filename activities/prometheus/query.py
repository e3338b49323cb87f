"""Ask Prometheus for the present value of an expression."""

from typing import Annotated, ClassVar

from pydantic import StringConstraints

from activities.prometheus._labels import MAX_TEXT, small
from halon.clients.prometheus import Prometheus
from halon.contracts.base import JsonObject
from halon.kit.action import Output, Permission, Read
from halon.kit.env import Env
from halon.redaction import cut_text

MAX_SAMPLES = 50


class Series(Output):
    """One series."""

    labels: dict[str, str]
    value: float


class QueryResult(Output):
    """What the expression gives now. NaN, which comes from a division of nothing by nothing, is no data."""

    value: float | None
    """The value when there is exactly one series. Null when there is none, and when there are several: aggregate them
    with `sum()` or `max()`, or look at `samples`. Infinity is the largest number of JSON."""
    no_data: bool
    """True when no series has a number; a verification then waits, and never passes."""
    count: int
    """How many series have a number."""
    samples: tuple[Series, ...]
    """The first 50 of them, in the server's order."""
    warnings: tuple[str, ...]
    """What the server says about the answer, such as that one of its stores did not answer."""


class Query(Read[QueryResult]):
    """Ask Prometheus for the present value of an expression, most often to verify an effect.

    Errors: an expression that Prometheus does not understand is `invalid_input`, a refused token `permission_denied`, a
    wrong address `misconfigured`; a Prometheus that does not answer is asked again.
    """

    permissions: ClassVar[tuple[Permission, ...]] = (
        Permission("http", ("GET",), "/api/v1/query", "to ask the Prometheus in `prometheus.url`"),
    )
    example: ClassVar[JsonObject] = {"query": 'sum(rate(http_requests_total{code=~"5..", deployment="cart"}[2m]))'}

    query: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4000)]
    """A PromQL expression that gives a number."""

    def target(self) -> str:
        """Name what is asked."""
        return "prometheus"

    async def run(self, env: Env) -> QueryResult:
        """Ask."""
        answer = await env.get(Prometheus).query(self.query)
        found = answer.samples
        return QueryResult(
            value=found[0].value if len(found) == 1 else None,
            no_data=not found,
            count=len(found),
            samples=tuple(Series(labels=small(one.labels.items()), value=one.value) for one in found[:MAX_SAMPLES]),
            warnings=tuple(cut_text(one, MAX_TEXT) for one in answer.warnings[:10]),
        )
