"""Only allowed indices are searched, and a count to which a part of the cluster did not add is none."""

from typing import Any

import pytest
from aiohttp import web

from activities.logs.query import Query
from halon.clients.json_api import Access
from halon.clients.logs import Logs
from halon.errors import InvalidInput, NotFound, PermanentError, PermissionDenied
from halon.settings.services import LogsSettings


def answer(*entries: dict[str, Any], total: int = 2, **more: Any) -> dict[str, Any]:
    hits = [{"_index": "logs-shop-2026.01.02", "_id": "1", "_source": one} for one in entries]
    shards = {"total": 2, "successful": 2, "skipped": 0, "failed": 0}
    found = {"total": {"value": total, "relation": "eq"}, "max_score": None, "hits": hits}
    return {"took": 3, "timed_out": False, "_shards": shards, "hits": found, **more}


@pytest.fixture
def search(serve: Any, run: Any) -> Any:
    async def one(body: Any, status: int = 200, seen: list[Any] | None = None, **params: Any) -> Any:
        async def handler(request: web.Request) -> web.Response:
            if seen is not None:
                seen.append((request.path, await request.json()))
            return web.json_response(body, status=status)

        url = await serve(handler)
        settings = LogsSettings.model_validate({"url": url, "allow": ["logs-*"], "message_field": "log.message"})
        client = Logs(Access("the store of logs", url, "logs"), settings)
        try:
            return await run(Query, client, **{"index": "logs-shop", "query": "level:error", **params})
        finally:
            await client.close()

    return one


async def test_entries_are_counted_and_the_newest_are_given_without_secrets(search: Any) -> None:
    seen: list[Any] = []
    entries = (
        {"@timestamp": "2026-01-02T03:04:05Z", "log": {"message": "refused, token=abcdefgh1234"}},
        {"@timestamp": "2026-01-02T03:04:04Z", "log.message": "flat"},
    )
    found = await search(answer(*entries, total=77), seen=seen, most=2)
    assert (found["value"], found["no_data"], found["cut"]) == (77, False, True)
    assert [one["text"] for one in found["lines"]] == ["refused, token=[redacted]", "flat"]
    ((path, asked),) = seen
    assert path == "/logs-shop/_search"
    assert (asked["size"], asked["track_total_hits"]) == (2, True)
    assert asked["query"]["bool"]["filter"][0]["query_string"]["query"] == "level:error"


@pytest.mark.parametrize("more", [{"timed_out": True}, {"_shards": {"total": 2, "successful": 1, "failed": 1}}])
async def test_a_count_to_which_a_part_did_not_add_is_no_data(search: Any, more: dict[str, Any]) -> None:
    found = await search(answer(total=0, **more))
    assert (found["value"], found["no_data"]) == (None, True)


async def test_other_indices_are_not_asked(search: Any) -> None:
    seen: list[Any] = []
    with pytest.raises(PermissionDenied, match=r"logs\.allow"):
        await search(answer(), seen=seen, index="*")
    assert seen == []


@pytest.mark.parametrize(
    ("status", "kind", "said"),
    [(400, InvalidInput, "Failed to parse"), (404, NotFound, "no such index"), (200, PermanentError, "OpenSearch")],
)
async def test_what_the_cluster_refuses_is_told(search: Any, status: int, kind: type[Exception], said: str) -> None:
    with pytest.raises(kind, match=said):
        await search({"error": {"type": "x", "reason": said}, "status": status}, status)
