"""Who is in a group at a moment: the members that halon.yaml names, and whoever its schedule says is on call.

An answer of a schedule counts for a minute, then it is asked again. When it does not answer then, nobody counts as on
call: an answer that is older is never taken instead.
"""

import asyncio
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import TracebackType
from typing import Self

from halon.clients.credentials import Credentials
from halon.clients.schedules import Mention, Schedule, schedule_of
from halon.clients.web import Web
from halon.contracts.people import GROUP
from halon.core.directory import Directory
from halon.errors import HalonError, NotFound
from halon.settings import Settings

FRESH = timedelta(minutes=1)
"""How old an answer of a schedule may be, and how far from the moment that is asked about."""
_MAX_LABELS = 5


@dataclass(frozen=True, slots=True)
class Shift:
    """Who is in a group at a moment."""

    members: tuple[str, ...]
    """Ids of people, sorted."""
    on_call: tuple[str, ...] = ()
    """Those among them whom the schedule names."""
    unknown: tuple[str, ...] = ()
    """Whom the schedule names, and who is not under `people`."""


class OnCall:
    """The groups of an installation."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._web = Web()
        credentials = Credentials(settings.credentials)
        self._named = directory_of(settings)
        schedules = (
            (name, schedule_of(name, group, self._web, credentials)) for name, group in settings.groups.items()
        )
        self._schedules = {name: _Fresh(one, clock) for name, one in schedules if one is not None}

    async def members(self, group: str, at: datetime) -> tuple[str, ...]:
        """Give the ids of the people in a group at a moment, sorted.

        Raises:
            NotFound: there is no such group.
            TransientError: its schedule does not answer now.
            PermanentError: its schedule refuses, or says something else.
        """
        return (await self.shift(group, at)).members

    async def shift(self, group: str, at: datetime) -> Shift:
        """Give who is in a group at a moment, and whom its schedule names beside.

        Raises:
            NotFound: there is no such group.
            TransientError: its schedule does not answer now.
            PermanentError: its schedule refuses, or says something else.
        """
        static = self._named.members(GROUP + group)
        if static is None:
            raise NotFound(f"there is no group {group}: halon.yaml names them under `groups`")
        schedule = self._schedules.get(group)
        if schedule is None:
            return Shift(static)
        on_call: set[str] = set()
        unknown: list[str] = []
        for mention in await schedule.on_call(at):
            found = self._whom(mention)
            on_call |= found
            if not found:
                unknown.append(mention.label)
        return Shift(tuple(sorted({*static, *on_call})), tuple(sorted(on_call)), tuple(unknown))

    async def directory(
        self, at: datetime, groups: Collection[str] | None = None
    ) -> tuple[Directory, Mapping[str, str]]:
        """Give the people as they are at a moment, and what is missing: a group, and why.

        `groups` are those whose schedules are asked, without it all. One whose schedule is not asked, or gives no
        answer, has the members that halon.yaml names.
        """
        asked = [name for name in self._schedules if groups is None or name in groups]
        shifts = await asyncio.gather(*(self._tried(name, at) for name in asked))
        members = dict(self._named.groups)
        missing: dict[str, str] = {}
        for name, shift in zip(asked, shifts, strict=True):
            if isinstance(shift, HalonError):
                missing[name] = str(shift)
                continue
            members[name] = shift.members
            if gap := gap_of(shift):
                missing[name] = gap
        return replace(self._named, groups=members), missing

    async def close(self) -> None:
        """Close the connections."""
        await self._web.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _tried(self, group: str, at: datetime) -> Shift | HalonError:
        try:
            return await self.shift(group, at)
        except HalonError as error:
            return error

    def _whom(self, mention: Mention) -> set[str]:
        for way in mention.ways:
            found = {person for name in way if (person := self._named.who(name)) is not None}
            if found:
                return found
        return set()


def directory_of(settings: Settings) -> Directory:
    """Give the people as `halon.yaml` alone names them.

    A proof puts somebody only into groups that have no schedule: who is on call is for the schedule to say.
    """
    oidc = settings.auth.oidc
    vouched = frozenset[str]() if oidc is None else frozenset(oidc.groups.values() or settings.groups)
    scheduled = frozenset(name for name, group in settings.groups.items() if group.schedule)
    groups = {name: group.members for name, group in settings.groups.items()}
    return Directory(settings.people, groups, settings.roles, vouched - scheduled)


def gap_of(shift: Shift) -> str:
    """Say what is missing in the answer of a group's schedule, in words for people; empty when nothing is."""
    if shift.unknown:
        more = len(shift.unknown) - _MAX_LABELS
        names = ", ".join(shift.unknown[:_MAX_LABELS]) + (f" and {more} more" if more > 0 else "")
        return f"its schedule names {names}, who is not under `people`"
    return "" if shift.on_call else "its schedule names nobody at this time"


class _Fresh:
    """A schedule whose answers count for a minute. Asked many times at once, it is asked once."""

    def __init__(self, schedule: Schedule, clock: Callable[[], float]) -> None:
        self._schedule = schedule
        self._clock = clock
        self._lock = asyncio.Lock()
        self._last: tuple[float, datetime, tuple[Mention, ...]] | None = None

    async def on_call(self, at: datetime) -> tuple[Mention, ...]:
        async with self._lock:
            if self._last is not None:
                then, about, known = self._last
                if self._clock() - then < FRESH.total_seconds() and abs(at - about) < FRESH:
                    return known
            self._last = None
            asked = self._clock()
            found = await self._schedule.on_call(at)
            self._last = (asked, at, found)
            return found
