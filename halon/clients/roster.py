"""The people as they are now, for those who must answer at once, such as whether somebody has a right."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import structlog

from halon.clients.oncall import OnCall, directory_of
from halon.core.directory import Directory
from halon.settings import Settings

AGAIN = timedelta(seconds=30)
"""How often schedules are asked. What they say is at most this and a minute old."""
log = structlog.get_logger(__name__)


class Roster:
    """Who is who and in which group now. Where a schedule does not answer, only those whom `halon.yaml` names."""

    def __init__(self, settings: Settings) -> None:
        self._directory = directory_of(settings)
        self._missing: frozenset[str] = frozenset()

    def __call__(self) -> Directory:
        """Give the people."""
        return self._directory

    async def renew(self, on_call: OnCall, at: datetime) -> None:
        """Ask the schedules. What one does not say is logged when it begins."""
        self._directory, missing = await on_call.directory(at)
        for group in sorted(missing.keys() - self._missing):
            log.warning("oncall.incomplete", group=group, reason=missing[group])
        self._missing = frozenset(missing)


@asynccontextmanager
async def roster_of(settings: Settings, clock: Callable[[], datetime]) -> AsyncGenerator[Roster]:
    """Give a roster that is kept up to date meanwhile; without schedules there is nothing to keep."""
    roster = Roster(settings)
    if not any(group.schedule for group in settings.groups.values()):
        yield roster
        return
    async with OnCall(settings) as on_call:
        keeping = asyncio.create_task(_keep(roster, on_call, clock))
        try:
            yield roster
        finally:
            keeping.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await keeping


async def _keep(roster: Roster, on_call: OnCall, clock: Callable[[], datetime]) -> None:
    while True:
        await roster.renew(on_call, clock())
        await asyncio.sleep(AGAIN.total_seconds())
