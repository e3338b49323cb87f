"""A service that takes Apprise's JSON and can be down, and settings whose channels lead there."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web

from halon.clients.telling import communication_of
from halon.contracts.incident import IncidentInput
from halon.contracts.playbook import Playbook
from halon.settings import Settings
from halon.settings.loading import parse_settings


class Inbox:
    """What arrived, by channel, in order."""

    def __init__(self) -> None:
        self.down: set[str] = set()
        self.refused: list[str] = []
        self.received: list[tuple[str, dict[str, Any]]] = []
        self.address = ""
        self.public: list[dict[str, Any]] = []
        """What was said on the status page."""

    def of(self, channel: str) -> list[dict[str, Any]]:
        return [body for name, body in self.received if name == channel]

    def titles(self, channel: str) -> list[str]:
        return [str(body["title"]) for body in self.of(channel)]

    async def handle(self, request: web.Request) -> web.Response:
        channel = request.path.strip("/")
        if channel.startswith("v1/pages/"):
            return await self._page(request)
        body = json.loads(await request.read())
        if channel in self.down:
            self.refused.append(channel)
            return web.Response(status=503)
        self.received.append((channel, body))
        return web.Response()

    async def _page(self, request: web.Request) -> web.Response:
        if request.method == "GET":
            latest = {"id": "p1", **self.public[-1]} if self.public else {}
            return web.json_response(latest if request.path.endswith("/p1") else [])
        self.public.append(json.loads(await request.read())["incident"])
        return web.json_response({"id": "p1", "shortlink": "https://stspg.io/p1"})


@asynccontextmanager
async def serving() -> AsyncIterator[Inbox]:
    inbox = Inbox()
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", inbox.handle)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    inbox.address = f"127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield inbox
    finally:
        await runner.cleanup()


def settings_with(directory: Path, inbox: Inbox, channels: Sequence[str], text: str) -> Settings:
    """Settings with these channels, all of which lead to the inbox."""
    for name in channels:
        (directory / f"channel-{name}").write_text(f"json://{inbox.address}/{name}")
    named = ", ".join(f"{name}: [{{file: channel-{name}}}]" for name in channels)
    whole = f"notify: {{channels: {{{named}}}}}\n{text.replace('INBOX', inbox.address)}"
    return parse_settings(whole, directory / "halon.yaml")


def given(settings: Settings, playbook: Playbook, effects: Any, **more: Any) -> IncidentInput:
    """What the gateway starts an incident with."""
    return IncidentInput(
        group="dim-0000000000", playbook=playbook, effects=effects, communication=communication_of(settings), **more
    )
