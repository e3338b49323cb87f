"""Counting what is not sent again, and when the counts are due. Bounded; does no I/O.

A workflow takes at most 10,000 signals in its life. So how often an alert came again reaches its incident in reports:
the first soon, then each after twice the time of the one before.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta

from halon.contracts.alert import AlertStatus
from halon.contracts.incident import MAX_COUNTS
from halon.core.membership import OTHERS

FIRST_REPORT = timedelta(seconds=5)
"""How long repeats are counted until the first report of them."""
LONGEST_REPORT = timedelta(minutes=10)
"""The interval of reports doubles up to here: 144 signals a day from each gateway to an incident that stays open."""
MAX_COUNTED = 20_000
"""Alerts whose repeats are counted apart at the same time, over all accounts: some 3 MB. Further ones go together."""


@dataclass(frozen=True, slots=True)
class Report:
    """What is told at once of one account: at most `MAX_COUNTS` alerts of each kind."""

    account: str
    firing: dict[str, int]
    """How often alerts came again that fire, by episode."""
    resolved: dict[str, int]
    """How often alerts came again that had resolved, by episode."""

    @property
    def times(self) -> int:
        """How often anything came again."""
        return sum(self.firing.values()) + sum(self.resolved.values())


@dataclass(slots=True)
class _Account:
    interval: float
    longest: float
    due: float
    counts: dict[tuple[str, AlertStatus], int] = field(default_factory=dict[tuple[str, AlertStatus], int])


class Repeats:
    """Counts by account, such as an incident's group, and by alert."""

    def __init__(self, tick: Callable[[], float] = time.monotonic) -> None:
        self._tick = tick
        self._accounts: dict[str, _Account] = {}
        self._counted = 0

    def count(
        self, account: str, episode: str, status: AlertStatus, times: int = 1, longest: timedelta = LONGEST_REPORT
    ) -> None:
        """Count a repeat. `longest` bounds the interval of the reports of an account that is new."""
        now = self._tick()
        one = self._accounts.get(account)
        if one is None:
            first = min(FIRST_REPORT, longest).total_seconds()
            one = self._accounts[account] = _Account(first, longest.total_seconds(), now + first)
        elif not one.counts:
            one.due = max(one.due, now + FIRST_REPORT.total_seconds())
        key = (episode, status)
        if key not in one.counts and self._counted >= MAX_COUNTED:
            key = (OTHERS, status)
        if key in one.counts:
            one.counts[key] += times
        else:
            one.counts[key] = times
            self._counted += 1

    def due(self) -> list[str]:
        """Give the accounts of which a report is due, and forget those that have been quiet for long."""
        now = self._tick()
        quiet = [name for name, one in self._accounts.items() if not one.counts and now >= one.due + one.interval]
        for name in quiet:
            del self._accounts[name]
        return [name for name, one in self._accounts.items() if one.counts and now >= one.due]

    def all(self) -> list[str]:
        """Give every account that has counts."""
        return [name for name, one in self._accounts.items() if one.counts]

    def take(self, account: str) -> Iterator[Report]:
        """Take out what was counted. The next report is due after twice the time of this one."""
        one = self._accounts.get(account)
        if one is None:
            return
        counts, one.counts = one.counts, {}
        self._counted -= len(counts)
        one.interval = min(one.interval * 2, one.longest)
        one.due = self._tick() + one.interval
        rows = list(counts.items())
        for start in range(0, len(rows), MAX_COUNTS):
            part = rows[start : start + MAX_COUNTS]
            yield Report(
                account,
                {episode: times for (episode, status), times in part if status is AlertStatus.FIRING},
                {episode: times for (episode, status), times in part if status is AlertStatus.RESOLVED},
            )

    def put_back(self, report: Report) -> None:
        """Count again what could not be told."""
        for counts, status in ((report.firing, AlertStatus.FIRING), (report.resolved, AlertStatus.RESOLVED)):
            for episode, times in counts.items():
                self.count(report.account, episode, status, times)

    def close(self, account: str) -> None:
        """Forget when reports of an account are due: its incident has closed, and another one begins anew."""
        if account in self._accounts and not self._accounts[account].counts:
            del self._accounts[account]
