"""What Flux's changes act on: its objects in a cluster."""

import functools
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from custom_objects import kubernetes
from flux_double import OLD, flux
from vendor import vendor_world
from world import Opening, World

from halon.contracts.base import JsonObject

SHOP: JsonObject = {"namespace": "flux-system", "name": "shop"}


@asynccontextmanager
async def on_cluster(action: str, params: JsonObject) -> AsyncIterator[World]:
    double = flux()
    with tempfile.TemporaryDirectory() as directory:
        async with kubernetes(double, Path(directory)) as api:
            yield vendor_world(double, action, params, api)


WORLDS: dict[str, Opening] = {
    "flux.suspend": functools.partial(on_cluster, "flux.suspend", {**SHOP, "kind": "Kustomization"}),
    "flux.resume": functools.partial(on_cluster, "flux.resume", {**SHOP, "kind": "HelmRelease"}),
    "flux.pin_source": functools.partial(on_cluster, "flux.pin_source", {**SHOP, "commit": OLD}),
}
