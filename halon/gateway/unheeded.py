"""Alerts that come to no incident: each is recorded at once when it is new, and counted when it comes again."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import uuid4

import structlog
from cachetools import TTLCache

from halon.contracts.alert import Alert
from halon.contracts.past import Sighting
from halon.core.flapping import sighting
from halon.errors import TransientError
from halon.gateway.records import Note, repeats_records
from halon.gateway.repeats import Repeats, Report
from halon.store.audit import MAX_APPEND
from halon.store.store import Store

MAX_RECORDED = 20_000
"""Records that are remembered as written: some 6 MB. What is forgotten is looked for in the store once more."""
RECORDED_FOR = timedelta(minutes=10)
"""How long. A record is one a day, so after midnight it is written again within this time."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class End:
    """That an alert resolved when no incident of its group was open."""

    group: str
    alert: Alert
    episode: str
    repeated: bool
    """Whether that was heard before."""


class Unheeded:
    """Writes to the chain of the day for one gateway."""

    def __init__(self, store: Store, clock: Callable[[], datetime], tick: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._written: TTLCache[str, bool] = TTLCache(MAX_RECORDED, RECORDED_FOR.total_seconds(), timer=tick)
        self._ended: TTLCache[tuple[str, str], bool] = TTLCache(MAX_RECORDED, RECORDED_FOR.total_seconds(), timer=tick)
        self._repeats = Repeats(tick)
        self._closed = Repeats(tick)
        self._name = uuid4().hex[:12]
        self._sequence = 0

    async def record(self, notes: Sequence[Note], ends: Sequence[End] = ()) -> None:
        """Make each note durable, unless it is already, and let the conditions of `ends` have ended.

        Raises:
            TransientError: the store does not answer.
        """
        new = {note.writer: note for note in notes if note.writer not in self._written}
        now = self._clock()
        records = [note.record(now) for note in new.values()]
        fresh: set[str] = set()
        for start in range(0, len(records), MAX_APPEND):
            written = await self._store.audit.append(records[start : start + MAX_APPEND], first_wins=True)
            fresh.update(record.writer for record in written)
        await self._end(ends, now)
        for note in notes:
            self._written[note.writer] = True
            if note.writer in fresh:
                fresh.remove(note.writer)
            else:
                self._repeats.count(note.account, note.about, note.status)

    async def _end(self, ends: Sequence[End], now: datetime) -> None:
        new = [one for one in ends if not one.repeated or (one.group, one.episode) not in self._ended]
        seen: dict[str, list[Sighting]] = {}
        for one in new:
            seen.setdefault(one.group, []).append(sighting(one.alert, now))
        if seen:
            await self._store.groups.resolved(seen)
        for one in new:
            self._ended[one.group, one.episode] = True

    def closed(self, report: Report) -> None:
        """Take counts that reached no incident, because theirs has closed."""
        self._closed.put_back(report)

    async def report(self, *, everything: bool = False) -> None:
        """Write what was counted and is due. What cannot be written is counted on."""
        for repeats, what in (
            (self._repeats, "that came to no incident"),
            (self._closed, "whose incident has closed"),
        ):
            for account in repeats.all() if everything else repeats.due():
                for report in repeats.take(account):
                    await self._write(repeats, report, what)

    async def _write(self, repeats: Repeats, report: Report, what: str) -> None:
        self._sequence += 1
        records = repeats_records(report, what, self._name, self._sequence, self._clock())
        try:
            await self._store.audit.append(records)
        except TransientError as error:
            repeats.put_back(report)
            log.warning("repeats.unrecorded", account=report.account, times=report.times, reason=str(error))
