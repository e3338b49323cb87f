"""Ask CloudWatch for a metric, or for an expression over several."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, ClassVar, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from activities.aws._account import AccountName, Region, account_of, target
from activities.aws._answers import finite, listed, words
from halon.contracts.base import Duration, JsonObject
from halon.kit.action import Output, Permission, Read
from halon.kit.env import Env
from halon.redaction import cut_text

MAX_POINTS = 100
MAX_DATAPOINTS = 500
MAX_WINDOW = timedelta(days=15)
MAX_TEXT = 256
_ID = "wanted"
_OF_METRICS = re.compile(r"[a-z][a-zA-Z0-9_]{0,50}")

Name: TypeAlias = Annotated[str, StringConstraints(min_length=1, max_length=255)]
Dimensions: TypeAlias = Annotated[
    dict[Name, Annotated[str, StringConstraints(min_length=1, max_length=1024)]], Field(max_length=30)
]
Statistic: TypeAlias = Annotated[
    str,
    StringConstraints(
        max_length=20,
        pattern=r"^(Average|Sum|Minimum|Maximum|SampleCount|IQM|(p|tm|tc|ts|wm)[0-9]{1,3}(\.[0-9]{1,3})?)$",
    ),
]


class Metric(BaseModel):
    """One metric with one statistic."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    namespace: Name
    """Such as `AWS/ApplicationELB`."""
    metric: Name
    """Such as `HTTPCode_Target_5XX_Count`."""
    dimensions: Dimensions = {}
    """All of its dimensions: CloudWatch knows each combination as a metric of its own."""
    statistic: Statistic = "Average"
    """Average, Sum, Minimum, Maximum, SampleCount, or a percentile such as p99."""


class Point(Output):
    """One value."""

    at: datetime
    value: float


class MetricResult(Output):
    """What CloudWatch knows."""

    value: float | None
    """The newest value, when there is exactly one series with values; otherwise null."""
    at: datetime | None
    """When the period of that value began."""
    no_data: bool
    """True when no series has a value; a verification then waits, and never passes. No data is not zero: write
    `FILL(errors, 0)` where it means that."""
    series: int
    """How many series have values."""
    points: tuple[Point, ...]
    """The first series with values, newest first, at most 100 of them."""
    warnings: tuple[str, ...]
    """What CloudWatch says about the answer, such as that it is partial."""


class QueryMetric(Read[MetricResult]):
    """Ask CloudWatch for a metric, or for an expression of metric math over several, most often to verify an effect.

    Only complete periods are asked for: the present one is still being counted, and would look too small. Errors: an
    expression that CloudWatch does not understand is `invalid_input`.
    """

    permissions: ClassVar[tuple[Permission, ...]] = (
        Permission("aws", ("cloudwatch:GetMetricData",), "*", "to ask; CloudWatch knows no narrower right"),
    )
    example: ClassVar[JsonObject] = {
        "expression": "100 * FILL(errors, 0) / requests",
        "metrics": {
            "errors": {
                "namespace": "AWS/ApplicationELB",
                "metric": "HTTPCode_Target_5XX_Count",
                "dimensions": {"LoadBalancer": "app/shop/50dc6c495c0c9188"},
                "statistic": "Sum",
            },
            "requests": {
                "namespace": "AWS/ApplicationELB",
                "metric": "RequestCount",
                "dimensions": {"LoadBalancer": "app/shop/50dc6c495c0c9188"},
                "statistic": "Sum",
            },
        },
        "period": "1m",
        "window": "10m",
    }

    metrics: Annotated[dict[Name, Metric], Field(max_length=20)] = {}
    """The metrics, by the names that the expression uses; they begin with a lower-case letter. Each has `namespace` and
    `metric`, and perhaps `dimensions`, of which CloudWatch wants all, and `statistic`: `Average` unless it says so."""
    expression: Annotated[str, StringConstraints(max_length=1024)] = ""
    """An expression of metric math, or a query of Metrics Insights; without it, `metrics` has exactly one."""
    period: Duration = timedelta(minutes=1)
    """How long each value counts: whole minutes, or 1s, 5s, 10s, 20s and 30s for metrics of such a resolution."""
    window: Duration = timedelta(minutes=10)
    """How far back, at least one period and at most 500 of them."""
    account: AccountName = ""
    """An account of halon.yaml; without it, the default one."""
    region: Region = ""
    """The region; without it, the account's."""

    @model_validator(mode="after")
    def _can_be_asked(self) -> "QueryMetric":
        if not self.expression and len(self.metrics) != 1:
            raise ValueError("give an `expression`, or exactly one of `metrics`")
        for name in self.metrics:
            if not _OF_METRICS.fullmatch(name) or name == _ID:
                raise ValueError(
                    f"metrics.{name}: a name is letters, digits and underscores, and begins with a small letter"
                )
        seconds = self.period.total_seconds()
        if seconds not in {1, 5, 10, 20, 30} and (seconds < 60 or seconds % 60):  # noqa: PLR2004  # CloudWatch's own rule
            raise ValueError("period: whole minutes, or 1s, 5s, 10s, 20s, 30s")
        if not self.period <= self.window <= min(MAX_DATAPOINTS * self.period, MAX_WINDOW):
            raise ValueError(f"window: from one period to {MAX_DATAPOINTS} of them, and at most 15d")
        return self

    def target(self) -> str:
        """Name what is asked."""
        return target(self.account, self.region, "cloudwatch", "metrics")

    async def run(self, env: Env) -> MetricResult:
        """Ask for complete periods."""
        seconds = int(self.period.total_seconds())
        end = datetime.fromtimestamp(int(env.now().timestamp()) // seconds * seconds, UTC)
        answer = await account_of(env, self.account).call(
            "cloudwatch",
            "get_metric_data",
            region=self.region,
            MetricDataQueries=self._queries(seconds),
            StartTime=end - self.window,
            EndTime=end,
            ScanBy="TimestampDescending",
            MaxDatapoints=MAX_DATAPOINTS * 10,
        )
        found = [points for one in listed(answer, "MetricDataResults") if (points := _points(one))]
        first: tuple[Point, ...] = found[0] if found else ()
        alone = next(iter(first), None) if len(found) == 1 else None
        return MetricResult(
            value=alone.value if alone else None,
            at=alone.at if alone else None,
            no_data=not found,
            series=len(found),
            points=first[:MAX_POINTS],
            warnings=tuple(_warnings(answer))[:10],
        )

    def _queries(self, seconds: int) -> list[dict[str, Any]]:
        queries: list[dict[str, Any]] = [
            {"Id": name, "MetricStat": _stat(one, seconds), "ReturnData": not self.expression}
            for name, one in self.metrics.items()
        ]
        if self.expression:
            queries.append({"Id": _ID, "Expression": self.expression, "Period": seconds, "ReturnData": True})
        return queries


def _stat(one: Metric, seconds: int) -> dict[str, Any]:
    dimensions = [{"Name": name, "Value": value} for name, value in one.dimensions.items()]
    metric = {"Namespace": one.namespace, "MetricName": one.metric, "Dimensions": dimensions}
    return {"Metric": metric, "Period": seconds, "Stat": one.statistic}


def _points(result: dict[str, Any]) -> tuple[Point, ...]:
    """The values that are numbers: with one that is not, such as NaN, a comparison would hold or fail by accident."""
    pairs = zip(words(result, "Timestamps"), words(result, "Values"), strict=True)
    points = [Point(at=at, value=number) for at, value in pairs if (number := finite(value)) is not None]
    return tuple(sorted(points, key=lambda one: one.at, reverse=True))


def _warnings(answer: dict[str, Any]) -> list[str]:
    said = [f"{one.get('Code', '')}: {one.get('Value', '')}" for one in listed(answer, "Messages")]
    for result in listed(answer, "MetricDataResults"):
        if result.get("StatusCode", "Complete") != "Complete":
            said.append(f"{result.get('Label') or result.get('Id')}: {result['StatusCode']}")
        said += [f"{one.get('Code', '')}: {one.get('Value', '')}" for one in listed(result, "Messages")]
    return [cut_text(one, MAX_TEXT) for one in said]
