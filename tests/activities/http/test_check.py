import asyncio
import gzip
import socket
from typing import Any

import pytest
from aiohttp import web

from activities.http.check import Check
from halon.clients.http_check import HttpChecker
from halon.clients.pinned import MAX_BODY
from halon.errors import InvalidInput, PermissionDenied

LOOPBACK = HttpChecker(["127.0.0.0/8"])


async def well(_: web.Request) -> web.Response:
    return web.Response(text="all is well")


async def test_an_address_that_answers_is_ok(serve: Any, run: Any) -> None:
    answer = await run(Check, LOOPBACK, url=await serve(well), contains="is well")
    assert answer["ok"] is True
    assert answer["status"] == 200
    assert answer["found"] is True
    assert answer["latency"].endswith("s")
    assert answer["reason"] == ""


async def test_a_missing_text_or_another_status_is_not_ok(serve: Any, run: Any) -> None:
    async def broken(request: web.Request) -> web.Response:
        return web.Response(status=503, text="down") if request.path == "/down" else web.Response(text="up")

    url = await serve(broken)
    missing = await run(Check, LOOPBACK, url=url, contains="well")
    assert (missing["ok"], missing["status"], missing["found"]) == (False, 200, False)
    down = await run(Check, LOOPBACK, url=f"{url}/down")
    assert (down["ok"], down["reason"]) == (False, "the status is 503")
    expected = await run(Check, LOOPBACK, url=f"{url}/down", expect=[503])
    assert expected["ok"] is True


async def test_no_answer_is_a_result_with_its_reason(run: Any, unused_tcp_port: int) -> None:
    answer = await run(Check, LOOPBACK, url=f"http://127.0.0.1:{unused_tcp_port}")
    assert (answer["ok"], answer["status"], answer["latency"]) == (False, None, None)
    assert str(unused_tcp_port) in answer["reason"]


async def test_a_slow_answer_is_given_up(serve: Any, run: Any) -> None:
    async def slow(_: web.Request) -> web.Response:
        await asyncio.Event().wait()
        return web.Response()

    answer = await run(Check, LOOPBACK, url=await serve(slow), timeout="100ms")
    assert answer["reason"] == "no answer within 0.1 s"


async def test_a_redirect_is_a_status_and_is_not_followed(serve: Any, run: Any) -> None:
    seen: list[str] = []

    async def elsewhere(request: web.Request) -> web.Response:
        seen.append(request.path)
        return web.Response(status=302, headers={"Location": "/other"})

    answer = await run(Check, LOOPBACK, url=f"{await serve(elsewhere)}/one")
    assert answer["status"] == 302
    assert seen == ["/one"]


async def test_of_a_large_body_only_the_beginning_is_read(serve: Any, run: Any) -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x" * MAX_BODY)

    answer = await run(Check, LOOPBACK, url=await serve(endless), contains="y")
    assert (answer["status"], answer["found"]) == (200, False)


async def test_a_packed_body_is_not_unpacked(serve: Any, run: Any) -> None:
    async def packed(_: web.Request) -> web.Response:
        return web.Response(body=gzip.compress(b"needle" * 10_000_000, 9), headers={"Content-Encoding": "gzip"})

    answer = await run(Check, LOOPBACK, url=await serve(packed), contains="needle")
    assert answer["found"] is False


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:1/",
        "http://localhost:1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://[fd00:ec2::254]/",
        "http://[::ffff:127.0.0.1]/",
        "http://2130706433/",
        "http://evil.example.net/",
    ],
)
async def test_what_is_not_allowed_is_refused(run: Any, url: str) -> None:
    with pytest.raises(PermissionDenied, match=r"http\.check"):
        await run(Check, HttpChecker(["localhost", "*.example.com"]), url=url)


@pytest.mark.parametrize(
    "url", ["ftp://shop.example.com", "shop.example.com", "http://", "http://ana:s3cret@shop.example.com", "http://[1"]
)
async def test_a_url_that_is_none_or_holds_a_password_is_refused_without_repeating_it(run: Any, url: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        await run(Check, HttpChecker(["*"]), url=url)
    assert "s3cret" not in str(caught.value)


async def test_a_name_is_resolved_once_so_that_a_second_answer_changes_nothing(
    serve: Any, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    async def names(host: str, port: int, **_: Any) -> list[Any]:
        asked.append(host)
        address = "127.0.0.1" if len(asked) == 1 else "127.0.0.2"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    async def host(request: web.Request) -> web.Response:
        return web.Response(text=f"{request.headers['Host']} at {request.transport.get_extra_info('sockname')[0]}")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", names)
    port = (await serve(host)).rpartition(":")[2]
    checker = HttpChecker(["shop.example.com", "127.0.0.1"])
    answer = await run(Check, checker, url=f"http://shop.example.com:{port}/", contains="shop.example.com")
    assert answer["ok"] is True
    assert asked == ["shop.example.com"]
    with pytest.raises(PermissionDenied, match="resolves to nothing that is allowed"):
        await run(Check, checker, url=f"http://shop.example.com:{port}/")


async def test_a_name_that_does_not_exist_is_no_answer(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def names(*_: Any, **__: Any) -> list[Any]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", names)
    answer = await run(Check, HttpChecker(["shop.example.com"]), url="http://shop.example.com/")
    assert "not known" in answer["reason"]
