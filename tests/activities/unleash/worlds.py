"""What Unleash's changes act on: a flag."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from toggle_double import ToggleDouble, unleash
from vendor import vendor_world
from world import Opening, World

PARAMS = {"environment": "production", "flag": "new-cart", "on": False}


@asynccontextmanager
async def set_flag() -> AsyncIterator[World]:
    double = ToggleDouble()
    async with double.serving() as url:
        client = unleash(url)
        yield vendor_world(double, "unleash.set_flag", PARAMS, client)
        await client.close()


WORLDS: dict[str, Opening] = {"unleash.set_flag": set_flag}
