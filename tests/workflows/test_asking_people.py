"""A question reaches people where they are: in the thread in Slack with buttons, or with a link of their own."""

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from channels import Inbox, given, serving, settings_with
from lamp import ACTIONS, DIM, GROUP, LOOK, QUEUE, Engine, alert, book, running, time_skipping_server, until

from halon.clients.links import links
from halon.contracts.incident import AlertBatch, IncidentResult
from halon.contracts.outcome import Outcome
from halon.settings import Settings

# Apprise's PGP support imports it, on the Python versions that still have it.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

FIRST = "dim-0000000000-" + alert().episode[:8]
ASKS: dict[str, Any] = {**DIM, "approve": {"from": ["group:light"], "within": "10m"}}
SETTINGS = """
gateway: {public_url: "https://halon.example.com"}
people:
  ana: {channels: [ana-phone], slack: U0ANA}
  ben: {channels: [slack], slack: U0BEN}
groups:
  light: {members: [ana, ben]}
slack: {token: {file: channel-ana-phone}, signing_secret: {file: channel-ana-phone}, channel: C0OPS, url: "SLACK"}
communication: {threads: [slack], gather: 1s, patience: 2s}
"""


class Chat:
    """Slack, as far as Halon sees it."""

    def __init__(self) -> None:
        self.called: list[tuple[str, dict[str, Any]]] = []

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.called.append((request.match_info["method"], body))
        number = f"17000000{len(self.called):02}.000100"
        return web.json_response({"ok": True, "channel": body["channel"], "ts": body.get("ts", number)})

    def of(self, method: str, channel: str = "C0OPS") -> list[dict[str, Any]]:
        return [body for name, body in self.called if (name, body["channel"]) == (method, channel)]


class Asked:
    """What a test acts on."""

    def __init__(self, engine: Engine, inbox: Inbox, chat: Chat, settings: Settings) -> None:
        self.engine, self.inbox, self.chat, self.settings = engine, inbox, chat, settings


@pytest.fixture
async def asked(tmp_path: Path) -> AsyncIterator[Asked]:
    async with AsyncExitStack() as ends:
        inbox, chat = await ends.enter_async_context(serving()), Chat()
        application = web.Application()
        application.router.add_post("/api/{method}", chat.handle)
        server = await ends.enter_async_context(TestServer(application))
        text = SETTINGS.replace("SLACK", str(server.make_url("/api")))
        settings = settings_with(tmp_path, inbox, ["ana-phone"], text)
        engine = await ends.enter_async_context(running(tmp_path, await time_skipping_server(), settings))
        await engine.client.start_workflow(
            "Incident",
            given(settings, book([ASKS, LOOK]), ACTIONS.effects),
            id=GROUP,
            task_queue=QUEUE,
            start_signal="alerts",
            start_signal_args=[AlertBatch(alerts=(alert(),))],
        )
        await engine.waiting(FIRST)
        yield Asked(engine, inbox, chat, settings)


async def test_the_thread_in_slack_shows_how_it_stands_has_buttons_and_is_continued(asked: Asked) -> None:
    chat = asked.chat

    async def buttons() -> list[dict[str, Any]]:
        return [
            one for one in chat.of("chat.postMessage") if any(b["type"] == "actions" for b in one.get("blocks", ()))
        ]

    (question, *_) = await until(buttons)
    assert "Set the lamp to 1" in question["text"]
    await asked.engine.signal(FIRST, "approve", {"by": "ana"})
    handle = asked.engine.client.get_workflow_handle(GROUP, result_type=IncidentResult)
    assert (await handle.result()).outcome is Outcome.REMEDIATED

    async def told() -> list[dict[str, Any]]:
        return [one for one in chat.of("chat.update") if "remediated" in one["text"]]

    (*_, head) = await until(told)
    heads = [one for one in chat.of("chat.postMessage") if "Incident `" in one["text"]]
    assert len(heads) == 1

    async def continued() -> list[dict[str, Any]]:
        replies = [one for one in chat.of("chat.postMessage") if one.get("thread_ts") == head["ts"]]
        return replies if any("Closed as remediated" in one["text"] for one in replies) else []

    replies = await until(continued)
    lines = [line for one in replies for line in one["text"].splitlines() if line.startswith("- ")]
    assert question in replies
    assert len(lines) == len(set(lines))
    assert len([line for line in lines if "Closed as remediated" in line]) == 1


async def test_each_person_gets_a_link_that_is_theirs_alone_or_buttons_in_a_message_of_their_own(asked: Asked) -> None:
    (message,) = await until(lambda: _some(asked.inbox.of("ana-phone")))
    (token,) = re.findall(r"https://halon\.example\.com/d/(\S+)", message["message"])
    status = await asked.engine.waiting(FIRST)
    gate = status.gates[0]
    link = links(asked.settings).read(token, gate.asked_at)
    assert (link.person, link.run, link.step, link.plan) == ("ana", f"{FIRST}-run", "dim", gate.digest)
    assert f"https://halon.example.com/console/incidents/{FIRST}" in message["message"]
    (own,) = await until(lambda: _some(asked.chat.of("chat.postMessage", "U0BEN")))
    assert any(block["type"] == "actions" for block in own["blocks"])
    history = await asked.engine.client.get_workflow_handle(f"{FIRST}-coordination").fetch_history()
    assert token not in history.to_json()
    await asked.engine.signal(FIRST, "deny", {"by": "ben"})


async def _some(found: list[Any]) -> list[Any]:
    return found
