"""What a product's refusal means is the same for all of them, and a credential goes where it belongs only."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from pydantic import SecretStr

from halon.clients.json_api import Access, Call, JsonApi, check_allowed, segment
from halon.errors import (
    Conflict,
    HalonError,
    InvalidInput,
    Misconfigured,
    NotFound,
    PermanentError,
    PermissionDenied,
    TransientError,
)

CALL = Call("GET", "/thing", "the right to look")


class Token:
    """A token that is changed when somebody hears that it was refused."""

    def __init__(self) -> None:
        self.texts = ["planted-old-token", "planted-new-token"]

    def __call__(self) -> SecretStr:
        return SecretStr(self.texts[0])

    def refused(self) -> None:
        self.texts = self.texts[1:] or self.texts


@asynccontextmanager
async def api(answer: web.Response | None = None, **more: Any) -> AsyncIterator[tuple[JsonApi, list[web.Request]]]:
    """An API that always answers so, by default with what the second token opens."""
    seen: list[web.Request] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append(request)
        if answer is not None:
            return web.Response(body=answer.body, status=answer.status, headers=answer.headers)
        ok = request.headers.get("Authorization") == "Bearer planted-new-token"
        return web.json_response({"ok": True} if ok else {"message": "who are you"}, status=200 if ok else 401)

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", handler)
    async with TestServer(application) as server:
        access = Access("Thing", str(server.make_url("/")), "thing", Token())
        one = JsonApi(replace(access, **more), timedelta(seconds=5))
        yield one, seen
        await one.close()


async def test_a_token_that_was_changed_is_read_anew_once() -> None:
    async with api() as (one, seen):
        assert await one.object(CALL) == {"ok": True}
        assert len(seen) == 2


@pytest.mark.parametrize(
    ("status", "headers", "kind"),
    [
        (400, {}, InvalidInput), (401, {}, PermissionDenied), (403, {}, PermissionDenied), (404, {}, NotFound),
        (409, {}, Conflict), (412, {}, Conflict), (422, {}, InvalidInput), (418, {}, PermanentError),
        (429, {"Retry-After": "7"}, TransientError), (503, {}, TransientError), (302, {}, PermanentError),
        (403, {"Retry-After": "7"}, TransientError), (403, {"X-RateLimit-Remaining": "0"}, TransientError),
    ],
)  # fmt: skip
async def test_a_refusal_is_one_sentence_of_the_right_kind(
    status: int, headers: dict[str, str], kind: type[HalonError]
) -> None:
    said = {"message": "no\nway, token=abcdefgh12345"}
    async with api(web.json_response(said, status=status, headers=headers)) as (one, _):
        with pytest.raises(kind) as caught:
            await one.object(CALL)
    text = str(caught.value)
    assert text.startswith(f"Thing answers HTTP {status} (no way")
    assert "abcdefgh12345" not in text
    assert "planted" not in text
    if isinstance(caught.value, PermissionDenied):
        assert "`thing` of halon.yaml needs the right to look" in text
    if headers.get("Retry-After"):
        assert isinstance(caught.value, TransientError)
        assert caught.value.retry_after == timedelta(seconds=7)


@pytest.mark.parametrize(
    ("body", "said"), [(b"<html>", "no JSON:"), (b"[1]", "no JSON object"), (b"x" * 2_000_000, "more than")]
)
async def test_what_is_no_answer_of_the_product_says_so(body: bytes, said: str) -> None:
    async with api(web.Response(body=body)) as (one, _):
        with pytest.raises(PermanentError, match=said):
            await one.object(CALL)


async def test_words_in_plain_text_are_told_too_and_nothing_at_all_is_an_empty_answer() -> None:
    async with api(web.Response(text="parse error at line 1", status=400)) as (one, _):
        with pytest.raises(InvalidInput, match="parse error at line 1"):
            await one.object(CALL)
    async with api(web.Response(status=204)) as (one, _):
        assert await one.object(CALL) == {}


async def test_a_user_makes_it_basic_authentication_and_other_headers_go_along() -> None:
    async with api(web.json_response({}), user="halon", headers={"X-Tenant": "shop"}) as (one, seen):
        await one.object(CALL)
        assert seen[0].headers["Authorization"] == "Basic aGFsb246cGxhbnRlZC1vbGQtdG9rZW4="
        assert seen[0].headers["X-Tenant"] == "shop"


async def test_a_token_is_not_sent_in_clear() -> None:
    one = JsonApi(Access("Thing", "http://thing.example.com", "thing", Token()))
    with pytest.raises(Misconfigured, match="https"):
        await one.object(CALL)
    await one.close()


async def test_a_secret_that_comes_back_is_masked_and_what_is_wrong_in_detail_is_told() -> None:
    said = {"message": "invalid: planted-old-token", "errors": ["'key' planted-in-the-body is unknown"]}
    call = Call("POST", "/thing", "the right", body={"key": "planted-in-the-body"}, hidden="planted-in-the-body")
    async with api(web.json_response(said, status=400)) as (one, _):
        with pytest.raises(InvalidInput) as caught:
            await one.object(call)
    assert str(caught.value) == "Thing answers HTTP 400 (invalid: [redacted]; 'key' [redacted] is unknown)"
    assert "planted" not in repr(call).replace(repr(call.body), "")


async def test_a_secret_in_the_body_is_not_sent_in_clear() -> None:
    one = JsonApi(Access("Thing", "http://thing.example.com", "thing"))
    with pytest.raises(Misconfigured, match="https"):
        await one.object(Call("POST", "/thing", "the right", body={"key": "planted"}, hidden="planted"))
    await one.close()


def test_names_stay_one_segment_and_only_what_is_allowed_is_touched() -> None:
    assert segment("a/../b") == "a%2F..%2Fb"
    with pytest.raises(InvalidInput):
        segment("..")
    check_allowed(("shop/*",), "shop/production", "thing.allow")
    with pytest.raises(PermissionDenied, match=r"thing\.allow"):
        check_allowed(("shop/*",), "other/production", "thing.allow")
