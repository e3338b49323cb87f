"""A double of somebody else's API on loopback: what it was told to change, and its troubles."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer
from pydantic import SecretStr
from world import World

from halon.contracts.base import JsonObject
from halon.kit.env import Env

TOKEN = "planted-vendor-token"


@dataclass
class Answered:
    """What a double answers."""

    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


class Vendor:
    """Answers as `answer` says. A call is a write when it is no GET and `answer` does not say that it only reads."""

    reads: frozenset[str] = frozenset()
    """Paths that are asked with POST and change nothing."""
    denied = Answered({"message": "Forbidden"}, 403)
    throttled = Answered({"message": "Too many requests"}, 429, {"Retry-After": "7"})

    def __init__(self) -> None:
        self.journal: list[str] = []
        self.asked: list[str] = []
        self.headers: dict[str, str] = {}
        """Of the last request."""
        self.losing = False
        self.denying = False
        self.throttling = False
        self.strange: web.Response | None = None
        """What is answered instead, as by a proxy in between."""
        self.url = ""

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> Answered:
        """What the product would answer; it does what it is told."""
        raise NotImplementedError

    async def handle(self, request: web.Request) -> web.Response:
        """Answer one request, with today's troubles."""
        self.headers = dict(request.headers)
        self.asked.append(f"{request.method} {request.path_qs}")
        writes = request.method != "GET" and request.path not in self.reads
        if self.strange is not None:
            return web.Response(
                body=self.strange.body, status=self.strange.status, content_type=self.strange.content_type
            )
        if self.throttling:
            return _response(self.throttled)
        if self.denying and writes:
            return _response(self.denied)
        raw = await request.read()
        try:
            said = json.loads(raw) if raw else None
        except ValueError:
            said = raw.decode()
        given = self.answer(request.method, request.path, dict(request.query), said)
        if writes and given.status < 300:
            if not given.headers.get("X-Repeated"):
                self.journal.append(f"{request.method} {request.path} {json.dumps(said, sort_keys=True)}")
            if self.losing:
                self.losing = False
                return web.Response(status=502)
        return _response(given)

    async def interfere(self) -> None:
        """What somebody else does meanwhile: to something that is neither as before nor as planned."""
        raise NotImplementedError

    def lose(self) -> None:
        """The next write is carried out, and its answer lost."""
        self.losing = True

    def deny(self) -> None:
        """From now on nothing may be written."""
        self.denying = True

    def throttle(self) -> None:
        """From now on everything is too much."""
        self.throttling = True

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        """Serve; gives the address."""
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self.handle)
        async with TestServer(application) as server:
            self.url = str(server.make_url("")).rstrip("/")
            yield self.url


class Secret:
    """A token as clients take it."""

    def __init__(self, text: str = TOKEN) -> None:
        self.text = text
        self.refusals = 0

    def __call__(self) -> SecretStr:
        return SecretStr(self.text)

    def refused(self) -> None:
        self.refusals += 1


def vendor_world(vendor: Vendor, action: str, params: JsonObject, *clients: object) -> World:
    """The world of an action on a double."""
    return World(
        action=action,
        params=params,
        env=Env(*clients),
        writes=lambda: list(vendor.journal),
        lose_reply=vendor.lose,
        throttle=vendor.throttle,
        deny=vendor.deny,
        drift=vendor.interfere,
    )


def _response(given: Answered) -> web.Response:
    if given.body is None:
        return web.Response(status=given.status, headers=given.headers)
    return web.json_response(given.body, status=given.status, headers=given.headers)
