"""What `http.request` acts on: a deployer of one's own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from deployer import Deployer, requester
from vendor import vendor_world
from world import Opening, World


@asynccontextmanager
async def request() -> AsyncIterator[World]:
    deployer = Deployer()
    async with deployer.serving() as url:
        params = {
            "url": f"{url}/api/cart/pause",
            "body": {"reason": "incident"},
            "check": {"url": f"{url}/api/cart", "pointer": "/pipeline/state", "equals": "paused"},
            "undo_request": {"url": f"{url}/api/cart/resume"},
        }
        yield vendor_world(deployer, "http.request", params, requester(url))


WORLDS: dict[str, Opening] = {"http.request": request}
