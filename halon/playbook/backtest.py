"""What the playbooks would have done about alerts of the past: every incident on one virtual clock, under one ledger.

The alerts come in at their times and take the way that they take in production: triggers, groups, episodes, `after`,
`once`, reopening, flapping, the guards, the run. Nothing outside is touched: actions answer as the playbooks' own tests
say, or as the caller does, and people decide as they are told to. The same alerts give the same answer every time.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from halon.contracts.alert import Alert, AlertStatus
from halon.contracts.ledger import StormLimit
from halon.contracts.playbook import Playbook
from halon.contracts.policy import PolicyRule
from halon.core.grouping import Triggers
from halon.core.ledger import Ledger
from halon.core.library import library_of
from halon.core.virtual_loop import virtual_loop
from halon.documents import Document
from halon.playbook.actions import ActionSchemas
from halon.playbook.backtest_answers import Answers
from halon.playbook.backtest_incident import Deciders, Group, Surroundings
from halon.playbook.backtest_report import BacktestReport, Tallies

MAX_ALERTS = 1_000_000
MAX_CALLS = 200_000_000
"""Callbacks of one back-test: a run takes some hundreds."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """An alert, and when it came."""

    at: datetime
    alert: Alert


@dataclass(frozen=True, slots=True)
class Installation:
    """What the runs are held to."""

    storm: StormLimit
    rules: tuple[PolicyRule, ...] = ()
    environment: str = ""
    frozen: Callable[[datetime, str, str], Sequence[str]] = lambda _at, _target, _playbook: ()
    """Sentences about the freezes in force at a time, for a target and a playbook."""


def backtest(
    playbooks: Mapping[str, Playbook],
    actions: ActionSchemas,
    arrivals: Iterable[Arrival],
    installation: Installation,
    *,
    deciders: Deciders | None = None,
    answers: Document | None = None,
) -> BacktestReport:
    """Let alerts of the past come in again.

    `answers` says what actions answer, by action or `action@step` as in a test's `given`, or by the name of a playbook
    with such a map of its own; it goes before the playbooks' tests.

    Raises:
        InvalidInput: `answers` are wrong; `problems` says where.
        RuntimeError: an event loop runs in this thread.
    """
    ordered = sorted(arrivals, key=lambda one: one.at)
    tallies, scripts = Tallies(), Answers(playbooks, actions, answers)
    if ordered:
        loop = virtual_loop(MAX_CALLS)
        around = Surroundings(
            loop=loop,
            start=ordered[0].at,
            ledger=Ledger(),
            actions=actions,
            effects={name: one.effect for name, one in actions.items()},
            answers=scripts,
            storm=installation.storm,
            rules=installation.rules,
            environment=installation.environment,
            frozen=installation.frozen,
            deciders=deciders or Deciders(),
            tallies=tallies,
        )
        loop.run(_Past(playbooks, around).play(ordered))
    return tallies.report(len(playbooks))


class _Past:
    """One back-test while it goes on."""

    def __init__(self, playbooks: Mapping[str, Playbook], around: Surroundings) -> None:
        self._triggers = Triggers(playbooks.values())
        self._libraries = {name: library_of(book, playbooks) for name, book in playbooks.items()}
        self._groups: dict[str, Group] = {}
        self._around = around

    async def play(self, arrivals: Sequence[Arrival]) -> None:
        """Let the alerts come in, and wait for the runs that they started."""
        for one in arrivals:
            pause = (one.at - self._around.now()).total_seconds()
            if pause > 0:
                await asyncio.sleep(pause)
            if self._around.errors:
                raise self._around.errors[0]
            self._arrived(one.alert, one.at)
        for group in list(self._groups.values()):
            if group.task is not None:
                await group.task
        await asyncio.sleep(self._around.storm.within.total_seconds())
        if self._around.errors:
            raise self._around.errors[0]
        self._around.ledger.tick(self._around.now())
        self._around.drain()

    def _arrived(self, alert: Alert, at: datetime) -> None:
        firing = alert.status is AlertStatus.FIRING
        self._around.tallies.arrived(at, firing=firing)
        sorted_out = self._triggers.triage([alert], at)
        for found in sorted_out.groups:
            group = self._groups.get(found.id)
            if group is None:
                book = found.playbook
                group = Group(found.id, book, self._libraries[book.metadata.name], self._around)
                self._groups[found.id] = group
            group.take(alert)
        for unmatched in sorted_out.unmatched:
            if firing:
                self._around.tallies.unmatched(unmatched.alert, unmatched.reasons)
