"""People decide by buttons in Slack: a real gateway and engine, and a stand-in for Slack over HTTP."""

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer
from console_stage import telemetry_of_tests
from decision_stage import SETTINGS, Fired, Stage, served
from lamp import until
from pydantic import SecretStr

from halon.clients.slack import Posted, Slack
from halon.clients.slack_blocks import SlackMessage, question_message
from halon.contracts.audit import AuditKind
from halon.contracts.outcome import Outcome
from halon.errors import InvalidInput, NotFound, PermanentError, PermissionDenied, TransientError
from halon.gateway.slack import add_slack

pytestmark = pytest.mark.asyncio(loop_scope="module")
SECRET = "planted-signing-secret"
TOKEN = "xoxb-planted-bot-token"


@dataclass
class FakeSlack:
    """Slack, as far as Halon sees it."""

    url: str = ""
    called: list[tuple[str, dict[str, Any], str]] = field(default_factory=list)
    responses: list[dict[str, Any]] = field(default_factory=list)
    answer: dict[str, Any] = field(default_factory=lambda: {"ok": True, "channel": "C0OPS", "ts": "1700000000.000100"})
    status: int = 200

    async def api(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.called.append((request.match_info["method"], body, request.headers["Authorization"]))
        return web.json_response(self.answer, status=self.status, headers={"Retry-After": "30"})

    async def hook(self, request: web.Request) -> web.Response:
        self.responses.append(await request.json())
        return web.Response(text="ok")

    async def told(self) -> dict[str, Any]:
        """The next answer to a button."""
        await until(lambda: _ready(self.responses))
        return self.responses.pop(0)


async def _ready(what: list[Any]) -> bool:
    return bool(what)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def slack() -> AsyncIterator[FakeSlack]:
    double = FakeSlack()
    application = web.Application()
    application.router.add_post("/api/{method}", double.api)
    application.router.add_post("/hooks/{path:.*}", double.hook)
    async with TestServer(application) as server:
        double.url = str(server.make_url("")).rstrip("/")
        yield double


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(slack: FakeSlack, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    directory = tmp_path_factory.mktemp("slack")
    (directory / "secret").write_text(SECRET)
    (directory / "token").write_text(TOKEN)
    text = f"""{SETTINGS}
slack:
  token: {{file: token}}
  signing_secret: {{file: secret}}
  channel: C0OPS
  url: {slack.url}/api
  hooks: {slack.url}/hooks
"""
    async with served(directory, telemetry_of_tests(), text, add=(add_slack,)) as one:
        yield one


def interaction(stage: Stage, fired: Fired, user: str = "U0ANA", **changed: Any) -> dict[str, Any]:
    """What Slack sends when somebody presses a button of the question's message."""
    settings = stage.settings.slack
    assert settings is not None
    value = {"run": fired.run, "step": fired.gate.step, "plan": fired.gate.digest} | changed.pop("value", {})
    action = {
        "type": "button",
        "action_id": "halon.approve",
        "block_id": "b",
        "value": json.dumps(value),
        "action_ts": "1",
    }
    return {
        "type": "block_actions",
        "user": {"id": user, "username": "x", "team_id": "T0"},
        "api_app_id": "A0",
        "trigger_id": f"{time.monotonic_ns()}",
        "message": {"ts": "1700000000.000100", "blocks": []},
        "state": {"values": {"halon.comment": {"halon.comment": {"type": "plain_text_input", "value": "go <on>"}}}},
        "response_url": f"{settings.hooks}/actions/T0/1/abc",
        "actions": [action | changed.pop("action", {})],
        **changed,
    }


async def press(
    stage: Stage, payload: dict[str, Any] | str, *, secret: str = SECRET, at: float | None = None, **headers: str
) -> httpx.Response:
    body = urlencode({"payload": payload if isinstance(payload, str) else json.dumps(payload)})
    when = str(int(time.time() if at is None else at))
    signed = hmac.new(secret.encode(), f"v0:{when}:{body}".encode(), hashlib.sha256).hexdigest()
    sent = {
        "Content-Type": "application/x-www-form-urlencoded",
        "X-Slack-Request-Timestamp": when,
        "X-Slack-Signature": f"v0={signed}",
    }
    return await stage.http.post("/v1/slack/interactions", content=body, headers=sent | headers)


async def approved_by(stage: Stage, fired: Fired) -> tuple[str, ...]:
    return (await stage.engine.waiting(fired.incident)).gates[0].approved_by


async def test_a_button_approves_and_the_message_says_who_did(stage: Stage, slack: FakeSlack) -> None:
    fired = await stage.fire()
    began = time.monotonic()
    answer = await press(stage, interaction(stage, fired))
    assert (answer.status_code, answer.text) == (200, "")
    assert time.monotonic() - began < 3
    told = await slack.told()
    assert told["replace_original"] is True
    assert "<@U0ANA> approved: go &lt;on&gt;" in json.dumps(told["blocks"][-1], ensure_ascii=False)
    assert "actions" not in [one["type"] for one in told["blocks"]]
    assert (await fired.handle.result()).outcome is Outcome.REMEDIATED
    taken = next(one for one in await stage.records(fired.incident) if one.kind is AuditKind.DECISION_TAKEN)
    assert (taken.actor, taken.data["authenticated"], taken.data["comment"]) == ("ana", "slack", "go <on>")


async def test_a_button_denies(stage: Stage, slack: FakeSlack) -> None:
    fired = await stage.fire()
    await press(stage, interaction(stage, fired, action={"action_id": "halon.deny"}))
    assert "<@U0ANA> denied" in json.dumps((await slack.told())["blocks"])
    assert (await fired.handle.result()).outcome is Outcome.DENIED


async def test_a_question_that_waits_for_more_people_keeps_its_buttons(stage: Stage, slack: FakeSlack) -> None:
    fired = await stage.fire({"quorum": 2})
    await press(stage, interaction(stage, fired))
    told = await slack.told()
    assert told["blocks"][-1]["type"] == "actions"
    assert "1 of 2 approvals* (ana)" in json.dumps(told)
    await press(stage, interaction(stage, fired))
    assert "You have approved this already" in (await slack.told())["text"]
    await press(stage, interaction(stage, fired, "U0BEN"))
    assert "<@U0BEN> approved" in json.dumps(await slack.told())
    assert (await fired.handle.result()).outcome is Outcome.REMEDIATED


async def test_a_request_that_is_not_slacks_decides_nothing(stage: Stage) -> None:
    fired = await stage.fire()
    payload = interaction(stage, fired)
    now = time.time()
    refused = [
        await press(stage, payload, secret="another"),
        await press(stage, payload, at=now - 310),
        await press(stage, payload, at=now + 310),
        await press(stage, payload, **{"X-Slack-Signature": "v0=" + "0" * 64}),
        await press(stage, payload, **{"X-Slack-Signature": ""}),
        await press(stage, payload, at=now, **{"X-Slack-Request-Timestamp": str(int(now) + 1)}),
        await stage.http.post("/v1/slack/interactions", json=payload),
    ]
    assert {one.status_code for one in refused} == {401}
    assert await approved_by(stage, fired) == ()


async def test_a_request_that_is_sent_again_counts_once(stage: Stage, slack: FakeSlack) -> None:
    fired = await stage.fire({"quorum": 2})
    payload, now = interaction(stage, fired), time.time()
    assert (await press(stage, payload, at=now)).status_code == 200
    await slack.told()
    again = await press(stage, payload, at=now)
    assert (again.status_code, "was sent before" in again.text) == (409, True)
    assert await approved_by(stage, fired) == ("ana",)


async def test_who_is_not_in_halon_yaml_is_told_alone_and_audited(stage: Stage, slack: FakeSlack) -> None:
    fired = await stage.fire()
    await press(stage, interaction(stage, fired, "U0STRANGER"))
    told = await slack.told()
    assert (told["response_type"], told["replace_original"]) == ("ephemeral", False)
    assert "U0STRANGER" in told["text"]
    denied = next(one for one in await stage.records(fired.incident) if one.kind is AuditKind.ACCESS_DENIED)
    assert denied.actor == "slack:U0STRANGER"
    await press(stage, interaction(stage, fired, "U0EVE"))
    assert "eve is not among those who are asked" in (await slack.told())["text"]
    assert await approved_by(stage, fired) == ()


@pytest.mark.parametrize(
    ("value", "finding"),
    [
        ({"plan": "0" * 64}, "The plan has changed"),
        ({"step": "elsewhere"}, "Nothing waits any more"),
        ({"run": "dim-0000000000-00000000-run"}, "Nothing waits any more"),
        ({"plan": "short"}, "does not|changed"),
        ({"more": 1}, "none of Halon's"),
    ],
)
async def test_a_button_of_something_else_decides_nothing(
    stage: Stage, slack: FakeSlack, value: dict[str, Any], finding: str
) -> None:
    fired = await stage.fire()
    await press(stage, interaction(stage, fired, value=value))
    told = await slack.told()
    assert told["response_type"] == "ephemeral"
    assert any(one in told["text"] for one in finding.split("|")), told
    assert await approved_by(stage, fired) == ()


async def test_an_answer_goes_to_slack_only(stage: Stage, slack: FakeSlack) -> None:
    fired = await stage.fire({"quorum": 2})
    elsewhere = interaction(stage, fired, response_url=f"{slack.url}/elsewhere")
    assert (await press(stage, elsewhere)).status_code == 200

    async def counted() -> bool:
        return await approved_by(stage, fired) == ("ana",)

    await until(counted)
    assert slack.responses == []


@pytest.mark.parametrize("payload", ["", "{", "[]", '{"type": "block_actions", "user": {"id": "x"}}', '{"user": 1}'])
async def test_what_is_no_interaction_is_refused(stage: Stage, payload: str) -> None:
    assert (await press(stage, payload)).status_code == 422


async def test_what_decides_nothing_is_acknowledged(stage: Stage, slack: FakeSlack) -> None:
    fired = await stage.fire()
    assert (await press(stage, interaction(stage, fired, type="view_closed"))).status_code == 200
    assert (await press(stage, interaction(stage, fired, action={"action_id": "other"}))).status_code == 200
    too_large = await press(stage, interaction(stage, fired, message={"text": "x" * 600_000}))
    assert too_large.status_code == 413
    assert slack.responses == []
    assert await approved_by(stage, fired) == ()


async def test_messages_are_posted_once_continued_and_replaced(stage: Stage, slack: FakeSlack) -> None:
    fired = await stage.fire()
    assert stage.settings.slack is not None
    client = Slack(stage.settings.slack, lambda: SecretStr(TOKEN))

    async def recorded() -> bool:
        return AuditKind.APPROVAL_ASKED in await stage.engine.told(fired.incident)

    await until(recorded)
    row = await stage.engine.store.incidents.get(fired.incident)
    slack.called.clear()
    try:
        question = question_message(row, fired.gate, fired.run)
        posted = await client.post(question, key="asked")
        assert posted == Posted("C0OPS", "1700000000.000100")
        await asyncio.gather(client.post(question, key="asked"), client.post(question, key="other"))
        await client.post(SlackMessage("more"), key="more", thread=posted.ts)
        await client.update(posted, SlackMessage("done"))
        await client.whisper(SlackMessage("you alone"), channel="C0OPS", user="U0ANA")
    finally:
        await client.close()
    methods = [method for method, _, _ in slack.called]
    assert methods == [*["chat.postMessage"] * 4, "chat.update", "chat.postEphemeral"]
    assert {token for _, _, token in slack.called} == {f"Bearer {TOKEN}"}
    names = [body.get("client_msg_id") for _, body, _ in slack.called[:4]]
    assert len(set(names)) == 3
    assert slack.called[3][1]["thread_ts"] == posted.ts
    assert slack.called[4][1]["ts"] == posted.ts


@pytest.mark.parametrize(
    ("status", "answer", "kind", "finding"),
    [
        (429, {"ok": False, "error": "ratelimited"}, TransientError, "HTTP 429"),
        (503, {}, TransientError, "HTTP 503"),
        (200, {"ok": False, "error": "ratelimited"}, TransientError, "ratelimited"),
        (200, {"ok": False, "error": "invalid_auth"}, PermissionDenied, "look at `slack.token`"),
        (200, {"ok": False, "error": "not_in_channel"}, NotFound, "invite the app"),
        (200, {"ok": False, "error": "invalid_blocks"}, PermanentError, "invalid_blocks"),
        (200, {"ok": False, "error": f"<b>{TOKEN}"}, PermanentError, "unknown error"),
        (200, {"hello": "world"}, PermanentError, "is not Slack"),
    ],
)
async def test_what_slack_refuses_is_told(
    stage: Stage, slack: FakeSlack, status: int, answer: dict[str, Any], kind: type[Exception], finding: str
) -> None:
    assert stage.settings.slack is not None
    client = Slack(stage.settings.slack, lambda: SecretStr(TOKEN))
    before = slack.answer
    slack.status, slack.answer = status, answer
    try:
        with pytest.raises(kind, match=finding) as caught:
            await client.post(SlackMessage("hello"), key="x")
        with pytest.raises(InvalidInput, match=r"slack\.hooks"):
            await client.respond("https://hooks.slack.com.evil.example/x", SlackMessage("x"), replace=False)
    finally:
        slack.status, slack.answer = 200, before
        await client.close()
    assert TOKEN not in str(caught.value)
    if isinstance(caught.value, TransientError):
        assert caught.value.retry_after is not None
        assert caught.value.retry_after.total_seconds() == 30
