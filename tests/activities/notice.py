"""What a notice tells in the tests that every notice to another system must pass: a double of it, and its troubles.

A family says in `tests/activities/<family>/notices.py` what its notices act on: `NOTICES`, by the action's name.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from vendor import Vendor
from world import REGISTRY

from halon.contracts.activity import ReadRequest
from halon.contracts.base import Json, JsonObject
from halon.contracts.plan import ActionCall
from halon.kit.env import Env
from halon.kit.lifecycle import Lifecycle


class Closing(Protocol):
    """A client of a product."""

    async def close(self) -> None: ...


@dataclass(frozen=True)
class Telling:
    """One notice, and the system that it goes to."""

    action: str
    params: JsonObject
    env: Env
    vendor: Vendor

    async def run(self, **more: Any) -> Json:
        call = ActionCall(action=self.action, params={**self.params, **more})
        lifecycle = Lifecycle(REGISTRY, self.env)
        return (await lifecycle.read(ReadRequest(call=call, incident="i-1", step="tell"))).output


Opening: TypeAlias = Callable[[], AbstractAsyncContextManager[Telling]]


@asynccontextmanager
async def telling(
    vendor: Vendor, client: Callable[[str], Closing], action: str, params: JsonObject
) -> AsyncIterator[Telling]:
    """Open a double, and what reaches it."""
    async with vendor.serving() as url:
        made = client(url)
        try:
            yield Telling(action, params, Env(made), vendor)
        finally:
            await made.close()
