"""Lines of logs are counted exactly, given bounded, and without what looks like a secret."""

from typing import Any

import pytest
from aiohttp import web

from activities.loki.query import Query
from halon.clients.json_api import Access
from halon.clients.loki import Loki
from halon.errors import InvalidInput, PermanentError

STREAMS = {
    "resultType": "streams",
    "result": [
        {
            "stream": {"app": "cart", "pod": "a"},
            "values": [["1767322803000000000", "third"], ["1767322801000000000", "first"]],
        },
        {"stream": {"app": "cart", "pod": "b"}, "values": [["1767322802000000000", "second password=hunter2hunter2"]]},
    ],
}  # fmt: skip


@pytest.fixture
def ask(serve: Any, run: Any) -> Any:
    """Ask a Loki that gives this for a range, and that for an instant."""

    async def one(ranged: Any, instant: Any, seen: list[web.Request] | None = None, **params: Any) -> Any:
        async def handler(request: web.Request) -> web.Response:
            if seen is not None:
                seen.append(request)
            data = ranged if request.path.endswith("/query_range") else instant
            if isinstance(data, str):
                return web.Response(text=data, status=400)
            return web.json_response({"status": "success", "data": data})

        client = Loki(Access("Loki", await serve(handler), "loki", headers={"X-Scope-OrgID": "shop"}))
        try:
            return await run(Query, client, query='{app="cart"}', **params)
        finally:
            await client.close()

    return one


def vector(*values: str) -> dict[str, Any]:
    return {"resultType": "vector", "result": [{"metric": {}, "value": [1767322800, one]} for one in values]}


async def test_lines_come_newest_first_with_their_exact_count_and_without_secrets(ask: Any) -> None:
    seen: list[web.Request] = []
    answer = await ask(STREAMS, vector("1234"), seen, over="30m", most=3)
    assert [one["text"] for one in answer["lines"]] == ["third", "second password=[redacted]", "first"]
    assert answer["lines"][0]["labels"] == {"app": "cart", "pod": "a"}
    assert answer["lines"][0]["at"] == "2026-01-02T03:00:03Z"
    assert (answer["value"], answer["cut"], answer["no_data"]) == (1234, True, False)
    assert seen[0].headers["X-Scope-OrgID"] == "shop"
    assert seen[0].query["limit"] == "3"
    assert int(seen[0].query["end"]) - int(seen[0].query["start"]) == pytest.approx(1800e9)
    assert seen[1].query["query"] == 'sum(count_over_time({app="cart"} [30m]))'


async def test_no_lines_are_none_and_not_no_data(ask: Any) -> None:
    answer = await ask({"resultType": "streams", "result": []}, vector())
    assert (answer["value"], answer["no_data"], answer["lines"]) == (0, False, [])


@pytest.mark.parametrize(
    ("values", "value", "no_data"),
    [(("2.5",), 2.5, False), (("1", "2"), None, False), ((), None, True), (("NaN",), None, True)],
)  # fmt: skip
async def test_a_metric_query_gives_a_value(ask: Any, values: tuple[str, ...], value: Any, no_data: Any) -> None:
    answer = await ask({"resultType": "matrix", "result": []}, vector(*values))
    assert (answer["value"], answer["no_data"]) == (value, no_data)


async def test_a_query_that_is_not_understood_says_why(ask: Any) -> None:
    with pytest.raises(InvalidInput, match="parse error at line 1"):
        await ask("parse error at line 1, col 3: syntax error", {})


@pytest.mark.parametrize(
    "data", [{"resultType": "streams", "result": [{"values": [["x", "y"]]}]}, {"resultType": "streams", "result": [3]}]
)
async def test_what_is_no_answer_is_no_evidence(ask: Any, data: Any) -> None:
    with pytest.raises(PermanentError):
        await ask(data, vector("1"))
