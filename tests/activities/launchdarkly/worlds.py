"""What LaunchDarkly's changes act on: a flag."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from flag_double import FlagDouble, launchdarkly
from vendor import vendor_world
from world import Opening, World

PARAMS = {"project": "shop", "environment": "production", "flag": "new-cart", "on": False}


@asynccontextmanager
async def set_flag() -> AsyncIterator[World]:
    double = FlagDouble()
    async with double.serving() as url:
        client = launchdarkly(url)
        yield vendor_world(double, "launchdarkly.set_flag", PARAMS, client)
        await client.close()


WORLDS: dict[str, Opening] = {"launchdarkly.set_flag": set_flag}
