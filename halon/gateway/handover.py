"""Handing alerts to incidents in a storm: one signal at a time for each, and none for what Temporal has already.

While a signal to an incident is on its way, further alerts of it wait and go together with the next one. A request is
answered when its own alerts are durable. An alert that Temporal accepted lately is not sent again but counted, and the
counts reach the incident from time to time. Everything is bounded; what finds no room is to be sent again later.
"""

import asyncio
import contextlib
import contextvars
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import NamedTuple

import structlog
from cachetools import LRUCache, TTLCache

from halon.contracts.alert import Alert, AlertStatus
from halon.contracts.incident import MAX_BATCH
from halon.contracts.playbook import After
from halon.core.grouping import AlertGroup
from halon.errors import PermanentError, TransientError
from halon.gateway.dispatch import Dispatcher
from halon.gateway.repeats import LONGEST_REPORT, Repeats, Report

MAX_KNOWN = 20_000
"""Alerts that are remembered as accepted: some 9 MB. What is forgotten is sent once more, which changes nothing."""
KNOWN_FOR = timedelta(minutes=5)
"""How long an alert is remembered. After that a repeat reaches Temporal again, whatever became of its incident."""
KNOWN_OPEN_FOR = timedelta(minutes=15)
"""The same from when its incident was last found open, by a report of repeats. Longer than any interval of reports, so
that an incident which is open for days is not sent its alerts again and again: it takes a bounded number of signals."""
MAX_WAITING = 5000
"""Alerts that wait for a signal, over all incidents, when a further one is refused."""
MAX_WAITING_GROUP = 500
"""Alerts that wait for the signals of one incident when a further one is refused: others must find room."""
FOLLOW_UPS = 40
"""Signals a second to incidents that had one lately, over all of them. A new incident does not wait for these."""
LONGEST_TURN = timedelta(seconds=2)
"""How long alerts wait at most for their turn."""
MAX_COUNTING = 1000
"""Groups with `after` whose firings are counted."""
KNOWN_CLOSED_FOR = timedelta(minutes=2)
"""The same from when no incident was found open. One that was refused gives its alerts back: they are to come again."""
_REPORTS_WITHIN = 4
"""Reports within the time of `after`: an incident that waits for a number of alerts must hear of them in time."""
_REPORT_PAUSE = timedelta(milliseconds=50)
"""Between two reports, so that the counts of a storm are no storm themselves."""
_LAST_REPORTS = timedelta(seconds=5)
"""How long the counts may take when the gateway stops."""
_BUSY = timedelta(seconds=2)
_LATELY = timedelta(seconds=10)
_MAX_LATELY = 10_000

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Parcel:
    """Alerts of one incident from one request, with their episodes, which cost a hash each."""

    group: AlertGroup
    episodes: tuple[str, ...]

    @classmethod
    def of(cls, group: AlertGroup) -> "Parcel":
        """Make a parcel of a group."""
        return cls(group, tuple(alert.episode for alert in group.alerts))


@dataclass(frozen=True, slots=True)
class Handed:
    """What became of one alert."""

    taken: bool
    """Whether an incident has it."""
    repeated: bool
    """Whether it was told before, so that it was not sent."""


class _Known(NamedTuple):
    """An alert as Temporal last accepted it."""

    status: AlertStatus
    taken: bool
    until: float
    """When it is sent again all the same."""


_Outcome = bool | TransientError | PermanentError


@dataclass(slots=True, eq=False)
class _Item:
    """An alert that waits for a signal, or is in one."""

    alert: Alert
    episode: str
    done: "asyncio.Future[_Outcome]"
    context: contextvars.Context
    """Of the request that brought it, with its trace."""
    waiters: int = 0
    """Requests that wait for it. What nobody waits for any more is not sent: its senders come back."""


@dataclass(slots=True)
class _Line:
    """What waits for one incident."""

    group: AlertGroup
    waiting: deque[_Item] = field(default_factory=deque[_Item])
    sending: list[_Item] = field(default_factory=list[_Item])
    latest: dict[str, _Item] = field(default_factory=dict[str, _Item])
    """The last item of each episode."""
    task: "asyncio.Task[None] | None" = None


class Handover:
    """Stands between the requests and the dispatcher, for one gateway."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        timeout: timedelta,
        closed: Callable[[Report], None],
        tick: Callable[[], float] = time.monotonic,
    ) -> None:
        """`closed` gets counts of which no incident is open any more."""
        self._dispatcher = dispatcher
        self._timeout = timeout
        self._closed = closed
        self._tick = tick
        self._repeats = Repeats(tick)
        self._lines: dict[str, _Line] = {}
        self._waiting = 0
        self._known: TTLCache[tuple[str, str], _Known] = TTLCache(MAX_KNOWN, KNOWN_OPEN_FOR.total_seconds(), timer=tick)
        self._lately: TTLCache[str, bool] = TTLCache(_MAX_LATELY, _LATELY.total_seconds(), timer=tick)
        self._next_turn = tick()
        self._firings: LRUCache[str, deque[float]] = LRUCache(MAX_COUNTING)

    async def hand_over(self, parcel: Parcel) -> list[Handed]:
        """Give what became of each alert, once all are durable. Repeats are not counted yet: see `count`.

        Raises:
            TransientError: they may not be durable; the sender has to send them again.
            PermanentError: sending them again cannot help.
        """
        group, episodes = parcel.group, parcel.episodes
        if any(self._told_as(group, *one) is None for one in zip(group.alerts, episodes, strict=True)):
            self._refuse_when_full(group)
        told = [self._enter(group, *one) for one in zip(group.alerts, episodes, strict=True)]
        items = [item for item, _ in told if isinstance(item, _Item)]
        if items:
            await self._outcomes(items)
        return [Handed(_taken(item), repeated) for item, repeated in told]

    def count(self, parcel: Parcel, handed: Sequence[Handed]) -> None:
        """Count the repeats. Called when the whole request has succeeded: one that has not comes again."""
        after = _after(parcel.group)
        longest = min(LONGEST_REPORT, after.within / _REPORTS_WITHIN) if after else LONGEST_REPORT
        for alert, episode, one in zip(parcel.group.alerts, parcel.episodes, handed, strict=True):
            if one.taken and one.repeated:
                self._repeats.count(parcel.group.id, episode, alert.status, longest=longest)

    async def report(self) -> None:
        """Tell incidents how often their alerts came again, one after the other, as far as it is time."""
        for account in self._repeats.due():
            await self._tell(account)
            await asyncio.sleep(_REPORT_PAUSE.total_seconds())

    async def close(self) -> None:
        """Tell all that was counted, as far as Temporal takes it within a few seconds. The rest is handed on."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LAST_REPORTS.total_seconds()):
                await asyncio.gather(*map(self._tell, self._repeats.all()))
        for account in self._repeats.all():
            for left in self._repeats.take(account):
                self._closed(left)

    async def _tell(self, account: str) -> None:
        reports = deque(self._repeats.take(account))
        try:
            while reports:
                await self._told(reports[0])
                reports.popleft()
        finally:
            for report in reports:  # only when it is cut off: told twice is better than not told
                self._repeats.put_back(report)

    def _told_as(self, group: AlertGroup, alert: Alert, episode: str) -> _Item | bool | None:
        """Give the item that carries the same alert, or whether an incident has it; None when it is to be sent."""
        if alert.status is AlertStatus.FIRING and self._too_few(group):
            return None
        line = self._lines.get(group.id)
        item = line.latest.get(episode) if line else None
        if item is not None:
            return item if item.alert.status is alert.status else None
        known = self._known.get((group.id, episode))
        if known is None or known.status is not alert.status or known.until <= self._tick():
            return None
        return known.taken

    def _enter(self, group: AlertGroup, alert: Alert, episode: str) -> tuple[_Item | bool, bool]:
        """Give what an alert waits for, or whether an incident has it; and whether it is a repeat."""
        told = self._told_as(group, alert, episode)
        if told is not None:
            if isinstance(told, _Item):
                told.waiters += 1
            return told, True
        line = self._lines.get(group.id)
        if line is None:
            line = self._lines[group.id] = _Line(group)
            line.task = asyncio.create_task(self._send(line))
        done: asyncio.Future[_Outcome] = asyncio.get_running_loop().create_future()
        item = _Item(alert, episode, done, contextvars.copy_context(), waiters=1)
        line.waiting.append(item)
        line.latest[episode] = item
        self._waiting += 1
        return item, False

    def _too_few(self, group: AlertGroup) -> bool:
        """Whether the incident may still wait for alerts, so that a repeat is news to it."""
        after = _after(group)
        if after is None:
            return False
        times = self._firings.get(group.id)
        return not times or len(times) < after.count or times[0] < self._tick() - after.within.total_seconds()

    def _refuse_when_full(self, group: AlertGroup) -> None:
        line = self._lines.get(group.id)
        if self._waiting >= MAX_WAITING:
            raise TransientError("too many alerts wait for Temporal", retry_after=_BUSY)
        if line is not None and len(line.waiting) >= MAX_WAITING_GROUP:
            raise TransientError("too many alerts of one incident wait for Temporal", retry_after=_BUSY)

    async def _outcomes(self, items: Sequence[_Item]) -> None:
        """Wait until all alerts are durable. The items stay as they are when this request goes away."""
        try:
            _, late = await asyncio.wait({item.done for item in items}, timeout=self._timeout.total_seconds())
        finally:
            for item in items:
                item.waiters -= 1
        if late:
            raise TransientError("Temporal did not accept the alerts in time", retry_after=_BUSY)
        failures = [outcome for item in items if isinstance(outcome := item.done.result(), Exception)]
        if failures:
            # When one may still succeed, the sender has to come back, whatever else went wrong.
            worst = min(failures, key=lambda error: not isinstance(error, TransientError))
            if isinstance(worst, TransientError):
                raise TransientError(str(worst), retry_after=worst.retry_after) from worst
            raise PermanentError(str(worst)) from worst

    async def _send(self, line: _Line) -> None:
        """Send what waits for an incident, a signal at a time, until nothing does."""
        try:
            while line.waiting:
                if len(line.waiting) < MAX_BATCH:  # a full signal gains nothing by waiting
                    await self._turn(line.group.id)
                if not self._load(line):
                    break
                outcome = await self._dispatched(line)
                for item in line.sending:
                    self._settle(line, item, outcome)
                line.sending = []
        finally:
            del self._lines[line.group.id]
            self._waiting -= len(line.waiting)
            for item in [*line.sending, *line.waiting]:  # only after a defect, or when the gateway is cut off
                item.done.set_result(TransientError("the gateway did not hand the alerts over", retry_after=_BUSY))

    async def _turn(self, group: str) -> None:
        """Wait until an incident that had a signal lately may have the next. The more of them there are, the longer.

        Every signal makes the incident's workflow run, wherever its alerts go together with others.
        """
        if group in self._lately:
            now = self._tick()
            turn = min(max(now, self._next_turn), now + LONGEST_TURN.total_seconds())
            self._next_turn = turn + 1 / FOLLOW_UPS
            await asyncio.sleep(turn - now)
        self._lately[group] = True

    def _load(self, line: _Line) -> bool:
        while line.waiting and len(line.sending) < MAX_BATCH:
            item = line.waiting.popleft()
            self._waiting -= 1
            if item.waiters:
                line.sending.append(item)
            else:
                self._settle(line, item, TransientError("nobody waited for it any more"))
        return bool(line.sending)

    async def _dispatched(self, line: _Line) -> _Outcome:
        group = AlertGroup(line.group.id, line.group.playbook, tuple(item.alert for item in line.sending))
        try:
            return await asyncio.create_task(self._dispatcher.dispatch(group), context=line.sending[0].context)
        except (TransientError, PermanentError) as error:
            return error

    def _settle(self, line: _Line, item: _Item, outcome: _Outcome) -> None:
        if line.latest.get(item.episode) is item:
            del line.latest[item.episode]
        key = (line.group.id, item.episode)
        if isinstance(outcome, bool):
            self._known[key] = _Known(item.alert.status, outcome, self._tick() + KNOWN_FOR.total_seconds())
            after = _after(line.group)
            if after is not None and item.alert.status is AlertStatus.FIRING:
                times = self._firings.get(line.group.id) or deque[float](maxlen=after.count)
                times.append(self._tick())
                self._firings[line.group.id] = times
        else:
            self._known.pop(key, None)
        item.done.set_result(outcome)

    async def _told(self, report: Report) -> None:
        try:
            is_open = await self._dispatcher.tell_repeats(report)
        except TransientError as error:
            self._repeats.put_back(report)
            log.warning("repeats.untold", group=report.account, times=report.times, reason=str(error))
            return
        except PermanentError as error:
            log.warning("repeats.refused", group=report.account, times=report.times, reason=str(error))
            is_open = False
        if is_open:
            self._remember(report, KNOWN_OPEN_FOR)
            return
        self._closed(report)
        self._repeats.close(report.account)
        # The next repeats may have to make up the number that the trigger asks for.
        counting = self._firings.pop(report.account, None) is not None
        self._remember(report, timedelta() if counting else KNOWN_CLOSED_FOR)

    def _remember(self, report: Report, time_: timedelta) -> None:
        """Say how long from now on the alerts of a report are remembered."""
        until = self._tick() + time_.total_seconds()
        for counts, status in ((report.firing, AlertStatus.FIRING), (report.resolved, AlertStatus.RESOLVED)):
            for episode in counts:
                known = self._known.get((report.account, episode))
                if known is not None and known.status is status:
                    self._known[report.account, episode] = _Known(status, known.taken, until)


def _after(group: AlertGroup) -> After | None:
    return group.playbook.trigger.after if group.playbook.trigger else None


def _taken(told: _Item | bool) -> bool:  # noqa: FBT001  # one of the two things that an alert may have come to
    return told if isinstance(told, bool) else told.done.result() is True
