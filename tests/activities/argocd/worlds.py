"""What Argo CD's changes act on: an application."""

import functools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from argocd_double import ArgoCdDouble, argocd
from vendor import vendor_world
from world import Opening, World

from halon.contracts.base import JsonObject

CART: JsonObject = {"application": "cart"}


@asynccontextmanager
async def on_application(action: str, params: JsonObject, *, paused: bool = False) -> AsyncIterator[World]:
    double = ArgoCdDouble()
    if paused:
        del double.app["spec"]["syncPolicy"]["automated"]
    async with double.serving() as url:
        client = argocd(url)
        yield vendor_world(double, action, params, client)
        await client.close()


WORLDS: dict[str, Opening] = {
    "argocd.pause_sync": functools.partial(on_application, "argocd.pause_sync", CART),
    "argocd.resume_sync": functools.partial(on_application, "argocd.resume_sync", {**CART, "prune": True}, paused=True),
    "argocd.roll_back": functools.partial(on_application, "argocd.roll_back", CART, paused=True),
}
