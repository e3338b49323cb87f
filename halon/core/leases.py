"""Leases: changes that are given back after a while, whatever the run does meanwhile."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

from halon.contracts.audit import AuditKind
from halon.contracts.base import format_duration
from halon.core.flow import stopped, uninterrupted
from halon.core.frame import Done
from halon.core.runtime import Event, Runtime


class Leases:
    """The leases of one run, each a timer that ends in an undo."""

    def __init__(self, runtime: Runtime, take_back: Callable[[Done], Awaitable[str]]) -> None:
        self._runtime = runtime
        self._take_back = take_back
        self._timers: list[asyncio.Future[None]] = []
        self.failures: list[tuple[Done, str]] = []
        """Changes whose lease ran out and that could not be given back, with the reason."""

    def grant(self, done: Done, duration: timedelta) -> None:
        """Start the lease of a change that has just been confirmed."""
        message = f"Leased for {format_duration(duration)}: {done.plan.summary}"
        self._runtime.emit(
            Event(AuditKind.LEASED, message, step=done.step, data={"expires": format_duration(duration)})
        )
        self._timers.append(asyncio.ensure_future(self._run_out(done, duration)))

    async def expired(self) -> None:
        """Wait until every lease has run out and its change has been given back."""
        for timer in self._timers:
            await asyncio.shield(timer)

    async def stop(self) -> None:
        """Stop the timers; an undo that has begun is carried to its end first."""
        for timer in self._timers:
            await stopped(timer)

    async def _run_out(self, done: Done, duration: timedelta) -> None:
        await self._runtime.sleep(duration, f"lease of {done.step}")
        if done.taken_back:
            return
        self._runtime.emit(Event(AuditKind.LEASE_EXPIRED, f"The lease ran out: {done.plan.summary}", step=done.step))
        await uninterrupted(self._give_back(done))

    async def _give_back(self, done: Done) -> None:
        problem = await self._take_back(done)
        if problem:
            self.failures.append((done, problem))
