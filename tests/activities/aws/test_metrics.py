"""Metrics of CloudWatch: what no data is, which periods count, and what can be asked."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aws_stage import Stage, stage
from emulator import Call
from pydantic import ValidationError

from activities.aws.query_metric import MetricResult, QueryMetric
from halon.clients.aws.api import AwsApi
from halon.kit.env import Env

NOW = datetime(2026, 1, 2, 3, 4, 40, tzinfo=UTC)
ERRORS = {"namespace": "Shop", "metric": "Errors", "statistic": "Sum"}


async def ask(there: Stage, **params: Any) -> MetricResult:
    env = Env(there.env.get(AwsApi), now=lambda: NOW)
    return await QueryMetric.model_validate(params).run(env)


def put(there: Stage, ago: timedelta, value: float) -> None:
    point = {"MetricName": "Errors", "Timestamp": NOW - ago, "Value": value}
    there.aws.admin("cloudwatch").put_metric_data(Namespace="Shop", MetricData=[point])


async def test_the_newest_complete_period_is_the_value() -> None:
    async with stage("aws.query_metric") as there:
        put(there, timedelta(seconds=20), 1)  # the present minute, which is not over
        put(there, timedelta(seconds=70), 5)
        put(there, timedelta(seconds=130), 9)
        found = await ask(there, metrics={"errors": ERRORS})
        assert (found.value, found.no_data, found.series) == (5, False, 1)
        assert found.at == datetime(2026, 1, 2, 3, 3, tzinfo=UTC)
        assert [one.value for one in found.points] == [5, 9]


async def test_no_data_is_not_zero() -> None:
    async with stage("aws.query_metric") as there:
        found = await ask(there, metrics={"errors": ERRORS})
        assert (found.value, found.no_data, found.points) == (None, True, ())


async def test_what_is_no_number_is_no_data() -> None:
    def answer(call: Call) -> Any:
        result = {
            "Id": "wanted",
            "Label": "rate",
            "Timestamps": [int(NOW.timestamp()) - 60, int(NOW.timestamp()) - 120],
            "Values": [float("nan"), float("inf")],
            "StatusCode": "Complete",
        }
        return call.answer({"MetricDataResults": [result]})

    async with stage("aws.query_metric", layers={("cloudwatch", "GetMetricData"): answer}) as there:
        found = await ask(there, metrics={"errors": ERRORS})
        assert (found.value, found.no_data, found.points, found.series) == (None, True, (), 0)


async def test_an_expression_is_asked_as_written_and_what_is_partial_is_said() -> None:
    asked: dict[str, Any] = {}

    def answer(call: Call) -> Any:
        asked.update(call.data or json.loads(call.body or b"{}"))
        result = {
            "Id": "wanted",
            "Label": "rate",
            "Timestamps": [int(NOW.timestamp()) - 100],
            "Values": [0.5],
            "StatusCode": "PartialData",
        }
        return call.answer({"MetricDataResults": [result], "Messages": [{"Code": "Slow", "Value": "try later"}]})

    async with stage("aws.query_metric", layers={("cloudwatch", "GetMetricData"): answer}) as there:
        found = await ask(there, metrics={"errors": ERRORS}, expression="FILL(errors, 0)", period="1m", window="5m")
        assert found.value == 0.5
        assert found.warnings == ("Slow: try later", "rate: PartialData")
        assert "FILL(errors, 0)" in json.dumps(asked)


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({}, "give an `expression`, or exactly one of `metrics`"),
        ({"metrics": {"Errors": ERRORS}}, "begins with a small letter"),
        ({"metrics": {"errors": ERRORS}, "period": "90s"}, "whole minutes"),
        ({"metrics": {"errors": ERRORS}, "window": "30s"}, "from one period"),
    ],
    ids=["nothing", "name", "period", "window"],
)
def test_what_cannot_be_asked_is_told_before_it_is(params: Any, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        QueryMetric.model_validate(params)
