import json
import sys
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web
from pydantic import SecretStr

from activities.prometheus.query import Query
from halon.clients.prometheus import MAX_ANSWER, Prometheus
from halon.errors import InvalidInput, Misconfigured, PermanentError, PermissionDenied, TransientError


def vector(*series: tuple[dict[str, str], str], **more: Any) -> dict[str, Any]:
    result = [{"metric": labels, "value": [1767322800.1, value]} for labels, value in series]
    return {"status": "success", "data": {"resultType": "vector", "result": result}, **more}


def answering(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Callable[..., Any]:
    async def handler(_: web.Request) -> web.Response:
        text = body if isinstance(body, str) else json.dumps(body)
        return web.Response(text=text, status=status, headers=headers, content_type="application/json")

    return handler


@pytest.fixture
def ask(serve: Any, run: Any) -> Callable[..., Any]:
    async def one(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Any:
        client = Prometheus(await serve(answering(body, status, headers)))
        try:
            return await run(Query, client, query="up")
        finally:
            await client.close()

    return one


async def test_one_series_gives_its_value(ask: Any) -> None:
    answer = await ask(vector(({"job": "cart"}, "0.25")))
    assert answer["value"] == 0.25
    assert answer["no_data"] is False
    assert answer["count"] == 1
    assert answer["samples"] == [{"labels": {"job": "cart"}, "value": 0.25}]


async def test_a_scalar_gives_its_value(ask: Any) -> None:
    answer = await ask({"status": "success", "data": {"resultType": "scalar", "result": [1.5, "42"]}})
    assert answer["value"] == 42


@pytest.mark.parametrize("series", [[], [({}, "NaN")], [({"a": "1"}, "NaN"), ({"a": "2"}, "NaN")]])
async def test_nothing_and_what_is_no_number_are_no_data(ask: Any, series: Any) -> None:
    answer = await ask(vector(*series))
    assert answer["no_data"] is True
    assert answer["value"] is None
    assert answer["count"] == 0


async def test_several_series_have_no_single_value_and_their_number_is_bounded(ask: Any) -> None:
    answer = await ask(vector(*(({"pod": f"cart-{number}" * 100}, str(number)) for number in range(80))))
    assert answer["value"] is None
    assert answer["no_data"] is False
    assert answer["count"] == 80
    assert len(answer["samples"]) == 50
    assert len(json.dumps(answer)) < 30_000


async def test_infinity_still_compares(ask: Any) -> None:
    answer = await ask(vector(({}, "+Inf")))
    assert answer["value"] == sys.float_info.max
    json.dumps(answer, allow_nan=False)


async def test_warnings_of_the_server_are_shown(ask: Any) -> None:
    answer = await ask(vector(({}, "1"), warnings=["store eu-2 did not answer"]))
    assert answer["warnings"] == ["store eu-2 did not answer"]


BAD_DATA = {"status": "error", "errorType": "bad_data", "error": 'invalid parameter "query": 1:4: parse error'}
MANY = {"status": "error", "errorType": "execution", "error": "many-to-many matching not allowed"}


@pytest.mark.parametrize(
    ("body", "status", "kind", "said"),
    [
        (BAD_DATA, 400, InvalidInput, "parse error"),
        (MANY, 422, PermanentError, "many-to-many"),
        ("Unauthorized", 401, PermissionDenied, "prometheus.auth"),
        ("no", 403, PermissionDenied, "prometheus.auth"),
        ("404 page not found", 404, Misconfigured, "is no Prometheus"),
        ("<html>hello</html>", 200, Misconfigured, "is no Prometheus"),
        ("", 302, Misconfigured, "is no Prometheus"),
        ({"status": "error", "errorType": "timeout", "error": "query timed out"}, 503, TransientError, "timed out"),
        ({"status": "success", "data": {"resultType": "matrix", "result": []}}, 200, InvalidInput, "rate()"),
        (vector(({}, "many")), 200, PermanentError, "no numbers"),
        ("1" * (MAX_ANSWER + 1), 200, PermanentError, "aggregate"),
    ],
)
async def test_what_prometheus_refuses_is_an_error_that_says_what_to_do(
    ask: Any, body: Any, status: int, kind: type[Exception], said: str
) -> None:
    with pytest.raises(kind, match=said.replace("(", r"\(").replace(")", r"\)")) as caught:
        await ask(body, status)
    assert type(caught.value) is kind


async def test_a_busy_prometheus_says_when_to_come_back(ask: Any) -> None:
    with pytest.raises(TransientError) as caught:
        await ask("busy", 429, {"Retry-After": "7"})
    assert caught.value.retry_after == timedelta(seconds=7)


async def test_a_prometheus_that_is_not_there_may_come_back(run: Any, unused_tcp_port: int) -> None:
    client = Prometheus(f"http://127.0.0.1:{unused_tcp_port}")
    with pytest.raises(TransientError, match="does not answer"):
        await run(Query, client, query="up")
    await client.close()


async def test_without_an_address_the_setting_is_named(run: Any) -> None:
    with pytest.raises(Misconfigured, match=r"prometheus: \{url"):
        await run(Query, Prometheus(None), query="up")


async def test_query_and_token_reach_a_prometheus_below_a_path(serve: Any, run: Any) -> None:
    seen: list[web.Request] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append(request)
        return web.json_response(vector(({}, "1")))

    client = Prometheus(f"{await serve(handler)}/prometheus/", lambda: SecretStr("t0ken"))
    await run(Query, client, query='up{job="a+b & c"}')
    await client.close()
    assert seen[0].path == "/prometheus/api/v1/query"
    assert seen[0].query["query"] == 'up{job="a+b & c"}'
    assert seen[0].headers["Authorization"] == "Bearer t0ken"


class Rotated:
    """A token that was changed: what is read after a refusal is another one."""

    def __init__(self) -> None:
        self.value = "old"

    def __call__(self) -> SecretStr:
        return SecretStr(self.value)

    def refused(self) -> None:
        self.value = "new"


async def test_a_token_that_is_refused_is_read_anew_and_tried_once_more(serve: Any, run: Any) -> None:
    seen: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append(request.headers["Authorization"])
        good = seen[-1] == "Bearer new"
        return web.json_response(vector(({}, "1"))) if good else web.Response(status=401, text="Unauthorized")

    client = Prometheus(await serve(handler), Rotated())
    assert (await run(Query, client, query="up"))["value"] == 1
    await client.close()
    assert seen == ["Bearer old", "Bearer new"]
