"""A real HTTP server on loopback, and a way to run a read action as the driver does."""

import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from halon.contracts.activity import ReadRequest
from halon.contracts.base import Json
from halon.contracts.plan import ActionCall
from halon.kit.action import Action
from halon.kit.env import Env
from halon.kit.lifecycle import Lifecycle
from halon.kit.registry import Registry

sys.path.insert(0, str(Path(__file__).parent))
# Doubles stand beside the tests of their family, under names of their own.
sys.path.extend(str(family) for family in sorted(Path(__file__).parent.iterdir()) if family.is_dir())

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@pytest.fixture
async def serve() -> AsyncIterator[Callable[[Handler], Awaitable[str]]]:
    """Serve every request with a handler; gives the address."""
    async with AsyncExitStack() as ends:

        async def start(handler: Handler) -> str:
            application = web.Application()
            application.router.add_route("*", "/{path:.*}", handler)
            runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
            await runner.setup()
            ends.push_async_callback(runner.cleanup)
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            return f"http://127.0.0.1:{runner.addresses[0][1]}"

        yield start


@pytest.fixture
def run() -> Callable[..., Awaitable[Json]]:
    """Run a read action with a client; gives what a playbook sees."""

    async def read(action: type[Action], client: object, **params: Any) -> Json:
        call = ActionCall(action="family.action", params=params)
        lifecycle = Lifecycle(Registry({"family.action": action}), Env(client))
        return (await lifecycle.read(ReadRequest(call=call, incident="i-1", step="look"))).output

    return read
