"""What flagd's changes act on: a FeatureFlag in a cluster."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from custom_objects import kubernetes
from documents_double import Documents, documents
from flagd_double import FLAG, flagd
from vendor import vendor_world
from world import Opening, World


@asynccontextmanager
async def set_flag() -> AsyncIterator[World]:
    double = flagd()
    with tempfile.TemporaryDirectory() as directory:
        async with kubernetes(double, Path(directory)) as api:
            yield vendor_world(double, "flagd.set_flag", {**FLAG, "state": "DISABLED", "variant": "off"}, api)


@asynccontextmanager
async def set_http_flag() -> AsyncIterator[World]:
    double = Documents()
    async with double.serving() as url:
        client = documents(url)
        params = {"document": "shop", "flag": "new-cart", "state": "DISABLED", "variant": "off"}
        yield vendor_world(double, "flagd.set_http_flag", params, client)
        await client.close()


WORLDS: dict[str, Opening] = {"flagd.set_flag": set_flag, "flagd.set_http_flag": set_http_flag}
