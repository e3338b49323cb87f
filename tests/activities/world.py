"""What a change acts on in the tests that every change must pass: a real API, or an emulator of one, and its troubles.

A family says in `tests/activities/<family>/worlds.py` what its changes act on: `WORLDS`, by the action's name.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

import worker
from halon.contracts.activity import ApplyRequest, ConfirmRequest, PlanRequest
from halon.contracts.base import JsonObject
from halon.contracts.plan import ActionCall, Applied, Plan, Settlement
from halon.errors import TransientError
from halon.kit.action import Change
from halon.kit.env import Env
from halon.kit.lifecycle import Lifecycle

REGISTRY = worker.registry()
NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
KEY = "i-1/step"
PATIENCE = 60
"""Seconds; a machine that does much else needs some."""


@dataclass(frozen=True)
class World:
    """One change, and what it acts on, with credentials that have the declared permissions and no others."""

    action: str
    params: JsonObject
    env: Env
    writes: Callable[[], list[str]]
    """The calls that changed something since the world was opened, in order: what was done to what. A call that is made
    twice is there twice."""
    lose_reply: Callable[[], None]
    """The next call that changes something is carried out, and its answer is lost."""
    throttle: Callable[[], None]
    """From now on every call is refused because there are too many."""
    deny: Callable[[], None]
    """From now on every call that would change something, and a rehearsal of one, is refused for want of a right."""
    drift: Callable[[], Awaitable[None]]
    """Somebody else changes what the plan is about: to something that is neither as before nor as planned."""

    @property
    def lifecycle(self) -> Lifecycle:
        return Lifecycle(REGISTRY, self.env)

    @property
    def change(self) -> Change:  # type: ignore[type-arg]  # any state
        found = REGISTRY.parse(ActionCall(action=self.action, params=self.params))
        assert isinstance(found, Change)
        return found

    async def plan(self, call: ActionCall | None = None, undoing: Plan | None = None) -> Plan:
        call = call or ActionCall(action=self.action, params=self.params)
        request = PlanRequest(call=call, incident="i-1", step="step", now=NOW, undoing=undoing)
        return await self.lifecycle.plan(request)

    async def apply(self, plan: Plan, key: str = KEY) -> Applied:
        return await self.lifecycle.apply(ApplyRequest(plan=plan, key=key, incident="i-1", step="step", now=NOW))

    async def applied(self, plan: Plan, key: str = KEY) -> Applied:
        """Apply as the engine does: again, as long as it is told that trying again may help."""
        async with asyncio.timeout(PATIENCE):
            while True:
                try:
                    return await self.apply(plan, key)
                except TransientError:
                    await asyncio.sleep(0.02)

    async def confirmed(self, plan: Plan) -> Settlement:
        request = ConfirmRequest(plan=plan, incident="i-1", step="step", poll=timedelta(seconds=1))
        async with asyncio.timeout(PATIENCE):
            while (settlement := await self.lifecycle.confirm(request)).state == "waiting":  # noqa: ASYNC110  # the server's part
                await asyncio.sleep(0.02)
        return settlement


Opening: TypeAlias = Callable[[], AbstractAsyncContextManager[World]]
