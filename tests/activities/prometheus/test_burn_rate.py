"""A budget burns too fast only when both windows say so, and no data is never 'all is well'."""

from typing import Any

import pytest
from aiohttp import web
from pydantic import ValidationError

from activities.prometheus.check_burn_rate import CheckBurnRate
from activities.prometheus.query_range import QueryRange
from halon.clients.prometheus import Prometheus
from halon.errors import InvalidInput

RATIO = "sum(rate(bad[$window])) / sum(rate(all[$window]))"


@pytest.fixture
def burn(serve: Any, run: Any) -> Any:
    """Ask a Prometheus that answers so for the windows of 1h and 5m."""

    async def ask(long: str | None, short: str | None, **params: Any) -> Any:
        async def handler(request: web.Request) -> web.Response:
            value = {"1h": long, "5m": short}[request.query["query"].partition("[")[2].partition("]")[0]]
            assert "$window" not in request.query["query"]
            result = [] if value is None else [{"metric": {}, "value": [1.0, value]}]
            return web.json_response({"status": "success", "data": {"resultType": "vector", "result": result}})

        client = Prometheus(await serve(handler))
        try:
            return await run(CheckBurnRate, client, ratio=RATIO, objective=99.9, **params)
        finally:
            await client.close()

    return ask


@pytest.mark.parametrize(
    ("long", "short", "burning"),
    [("0.02", "0.02", True), ("0.02", "0.0001", False), ("0.0001", "0.5", False), ("0", "0", False)],
)
async def test_it_burns_when_both_windows_are_over_the_factor(burn: Any, long: str, short: str, burning: bool) -> None:  # noqa: FBT001  # a table
    answer = await burn(long, short)
    assert answer["burning"] is burning
    assert answer["no_data"] is False
    assert answer["long_burn"] == pytest.approx(float(long) * 1000)
    assert answer["short_ratio"] == float(short)


@pytest.mark.parametrize(("long", "short"), [(None, "0.5"), ("0.5", None), ("NaN", "0.5"), (None, None)])
async def test_a_window_without_data_is_no_data(burn: Any, long: str | None, short: str | None) -> None:
    answer = await burn(long, short)
    assert (answer["burning"], answer["no_data"]) == (None, True)


async def test_it_says_how_long_a_whole_budget_would_last(burn: Any) -> None:
    assert (await burn("0.03", "0.03", period="30d"))["exhausted_in"] == "1d"
    assert (await burn("0", "0"))["exhausted_in"] is None


async def test_what_is_no_ratio_is_refused(burn: Any) -> None:
    with pytest.raises(InvalidInput, match="from 0 to 1"):
        await burn("3.5", "3.5")


@pytest.mark.parametrize(
    ("changes", "said"),
    [({"ratio": "up"}, "window"), ({"short_window": "2h"}, "shorter"), ({"objective": 100}, "less than 100")],
)
def test_what_makes_no_sense_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        CheckBurnRate.model_validate({"ratio": RATIO, "objective": 99.9, **changes})


async def test_how_an_expression_went_is_told_without_what_is_no_number(serve: Any, run: Any) -> None:
    async def handler(request: web.Request) -> web.Response:
        assert float(request.query["end"]) - float(request.query["start"]) == 3600
        assert float(request.query["step"]) == 60
        result = [
            {"metric": {"pod": "a"}, "values": [[1, "1"], [2, "NaN"], [3, "3"], [4, "2"]]},
            {"metric": {"pod": "b"}, "values": [[1, "NaN"]]},
        ]
        return web.json_response({"status": "success", "data": {"resultType": "matrix", "result": result}})

    client = Prometheus(await serve(handler))
    try:
        answer = await run(QueryRange, client, query="up")
    finally:
        await client.close()
    assert (answer["no_data"], answer["count"]) == (False, 1)
    (one,) = answer["series"]
    assert one == {
        "labels": {"pod": "a"}, "first": 1, "last": 2, "lowest": 1, "highest": 3, "mean": 2, "points": [1, 3, 2],
    }  # fmt: skip
