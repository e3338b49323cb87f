"""A request goes to destinations of halon.yaml only, with their credential, and says what came of it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from deployer import Deployer, requester
from pydantic import ValidationError
from vendor import TOKEN, Answered
from world import NOW, World

from activities.http.request import Check, Request, Seen
from halon.clients.http_request import Destination, HttpRequester
from halon.errors import InvalidInput, NotFound, PermanentError, PermissionDenied, TransientError
from halon.kit.action import NoUndo
from halon.kit.env import Env
from halon.settings.services import HttpDestination


@asynccontextmanager
async def repeatable(deployer: Deployer, path: str = "/api/cart/pause", **more: Any) -> AsyncIterator[Any]:
    """One request without a check; gives what sends it."""
    async with deployer.serving() as url:
        request = Request(url=f"{url}{path}", repeatable=True, **more)
        env = Env(requester(url))

        async def send(key: str = "i-1/step") -> None:
            state = await request.observe(env)
            await request.apply(env, {"sent": True}, state, key)

        yield send


async def test_the_destinations_credential_and_one_key_for_each_change_go_along() -> None:
    deployer = Deployer()
    async with repeatable(deployer, body={"reason": "incident"}) as send:
        await send()
        await send()
        assert deployer.headers["Authorization"] == f"Bearer {TOKEN}"
        assert len(deployer.journal) == 1
        await send("i-2/step")
        assert len(frozenset(deployer.keys)) == 2


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, PermissionDenied), (403, PermissionDenied), (404, NotFound), (409, TransientError), (429, TransientError),
     (503, TransientError), (302, PermanentError), (422, PermanentError)],
)  # fmt: skip
async def test_what_the_receiver_refuses_is_told_apart(status: int, kind: type[Exception]) -> None:
    class Refusing(Deployer):
        def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> Answered:
            return Answered({"said": "no"}, status, {"Retry-After": "9", "Location": "/api/other"})

    deployer = Refusing()
    async with repeatable(deployer) as send:
        with pytest.raises(kind, match=rf"/api/cart/pause answers HTTP {status}.*no") as caught:
            await send()
        assert TOKEN not in str(caught.value)
        assert len(deployer.asked) == 1
        if status in {429, 503}:
            assert caught.value.retry_after.total_seconds() == 9  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "path", ["/other", "/apiary/cart", "/api/../other", "/api/%2e%2e/other", "/api/x%2f..%2f..%2fother"]
)
async def test_an_address_beside_the_destination_is_not_asked(path: str) -> None:
    deployer = Deployer()
    async with repeatable(deployer, path) as send:
        with pytest.raises(PermissionDenied, match=r"http\.request"):
            await send()
    assert deployer.asked == []


async def test_a_method_that_the_destination_does_not_allow_is_not_sent() -> None:
    deployer = Deployer()
    async with repeatable(deployer, method="DELETE") as send:
        with pytest.raises(PermissionDenied, match="DELETE"):
            await send()
    assert deployer.asked == []


async def test_metadata_services_are_never_reached_even_when_they_are_a_destination() -> None:
    settings = HttpDestination.model_validate({"url": "http://169.254.169.254/latest/"})
    env = Env(HttpRequester({"bad": Destination(settings)}, ["169.254.0.0/16"]))
    request = Request(url="http://169.254.169.254/latest/api/token", method="PUT", repeatable=True)
    with pytest.raises(PermissionDenied, match="metadata"):
        await request.apply(env, {"sent": True}, await request.observe(env), "key")


async def test_a_host_at_an_address_that_is_not_public_needs_its_network() -> None:
    deployer = Deployer()
    async with deployer.serving() as url:
        named = url.replace("127.0.0.1", "localhost")
        settings = HttpDestination.model_validate({"url": f"{named}/api/"})
        request = Request(url=f"{named}/api/cart/pause", repeatable=True)
        for allow, refused in (([], True), (["127.0.0.0/8"], False)):
            env = Env(HttpRequester({"own": Destination(settings)}, allow))
            if refused:
                with pytest.raises(PermissionDenied, match="not a public address"):
                    await request.apply(env, {"sent": True}, await request.observe(env), "key")
            else:
                await request.apply(env, {"sent": True}, await request.observe(env), "key")
    assert deployer.state == "paused"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "check"),
        ({"repeatable": True, "body": {"deep": [{"password": "hunter2hunter2"}]}}, "secret"),
        ({"repeatable": True, "headers": {"Authorization": "x"}}, "header"),
        ({"repeatable": True, "headers": {"X-Auth": f"Bearer {'x' * 20}"}}, "header"),
        ({"repeatable": True, "url": "https://a.example.com/?token=abcdefgh"}, "secret"),
        ({"repeatable": True, "body": {"text": "x" * 40_000}}, "32768"),
        ({"repeatable": True, "undo_request": {"url": "https://a.example.com/"}}, "needs `check`"),
    ],
)
def test_what_a_playbook_may_not_write_is_refused_with_the_reason(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Request.model_validate({"url": "https://a.example.com/x", **changes})


def test_a_credential_is_not_sent_in_clear() -> None:
    with pytest.raises(ValidationError, match="https"):
        HttpDestination.model_validate({"url": "http://a.example.com/", "credential": {"secret": {"env": "X"}}})


async def test_a_check_may_look_at_the_status_and_what_is_not_there_is_null() -> None:
    deployer = Deployer()
    async with deployer.serving() as url:
        env = Env(requester(url))

        async def seen(path: str, pointer: str | None) -> Any:
            check = Check(url=f"{url}{path}", pointer=pointer, equals=None)
            return (await Request(url=f"{url}/api/x", check=check).observe(env)).value

        assert await seen("/api/cart", None) == 200
        assert await seen("/api/gone", None) == 404
        assert await seen("/api/gone", "/a") is None
        assert await seen("/api/cart", "/pipeline/other") is None
        with pytest.raises(PermanentError, match="object or a list"):
            await seen("/api/cart", "/pipeline")


async def test_without_a_check_it_says_so_and_cannot_be_taken_back() -> None:
    deployer = Deployer()
    async with deployer.serving() as url:
        params = {"url": f"{url}/api/cart/pause", "repeatable": True}
        env = Env(requester(url))
        world = World("http.request", params, env, list, lambda: None, lambda: None, lambda: None, deployer.interfere)
        plan = await world.plan()
        assert "cannot be seen" in plan.notes[0]
        assert plan.undo.call is None
        assert "check" in plan.undo.reason
        assert (await world.apply(plan)).status == "applied"
        assert (await world.confirmed(plan)).state == "settled"


def test_the_authors_reason_why_there_is_no_undo_is_told() -> None:
    request = Request(
        url="https://a.example.com/x", check=Check(url="https://a.example.com/y", equals=200), no_undo="mail was sent"
    )
    undo = request.undo({"value": 404}, {"value": 200})
    assert isinstance(undo, NoUndo)
    assert undo.reason == "mail was sent"
    assert request.plan(Seen(value=200), NOW).__class__.__name__ == "Nothing"


async def test_what_is_no_address_is_refused() -> None:
    env = Env(HttpRequester({}, []))
    request = Request(url="ftp://a.example.com/x", repeatable=True)
    with pytest.raises(InvalidInput):
        await request.apply(env, {"sent": True}, await request.observe(env), "key")
