"""The incidents of one group in a back-test: as the Incident workflow has it, on the virtual clock."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from halon.contracts.alert import Alert, AlertStatus
from halon.contracts.base import format_duration
from halon.contracts.decision import Decision, Verdict
from halon.contracts.ledger import Holder, StormLimit
from halon.contracts.outcome import Outcome, RunResult
from halon.contracts.past import EarlierIncident, GroupPast
from halon.contracts.plan import Effect
from halon.contracts.playbook import After, Playbook
from halon.contracts.policy import PolicyRule
from halon.contracts.run import MAX_RUN_ALERTS, RunSpec
from halon.core import recurrence
from halon.core.flapping import Conditions, flapping_text
from halon.core.flow import first
from halon.core.ids import incident_id, run_id
from halon.core.ledger import Ledger
from halon.core.membership import Members
from halon.core.runtime import Gate
from halon.core.virtual import Course, VirtualRuntime
from halon.core.virtual_loop import VirtualLoop
from halon.playbook.actions import ActionSchemas
from halon.playbook.backtest_answers import Answers
from halon.playbook.backtest_report import Ending, Tallies
from halon.playbook.backtest_world import BacktestWorld

MAX_FIRED = 1000
"""Times of firing alerts that are kept to count those that `after` asks for, which are never more."""


@dataclass(frozen=True, slots=True)
class Deciders:
    """What people do about each question."""

    verdict: Literal["approve", "deny", "nobody"] = "approve"
    after: timedelta = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all incidents of a back-test share."""

    loop: VirtualLoop
    start: datetime
    ledger: Ledger
    actions: ActionSchemas
    effects: dict[str, Effect]
    answers: Answers
    storm: StormLimit
    rules: tuple[PolicyRule, ...]
    environment: str
    frozen: Callable[[datetime, str, str], Sequence[str]]
    deciders: Deciders
    tallies: Tallies
    errors: list[BaseException] = field(default_factory=list[BaseException])
    """What stopped an incident: a defect, or an answer that fits not."""

    def ended(self, task: "asyncio.Task[None]") -> None:
        """Keep the error of an incident, if it has one."""
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self.errors.append(error)

    def now(self) -> datetime:
        """The virtual time."""
        return self.start + timedelta(seconds=self.loop.time())

    def drain(self) -> None:
        """Tell what the ledger has to say."""
        for event in self.ledger.drain():
            self.tallies.guards_said(self.now(), event)


@dataclass(slots=True)
class _Incident:
    """One incident while it is open."""

    id: str
    opened: datetime
    earlier: EarlierIncident | None = None
    """Itself as it ended before, when it was reopened."""
    members: Members = field(default_factory=Members)
    fired: deque[datetime] = field(default_factory=lambda: deque[datetime](maxlen=MAX_FIRED))
    news: asyncio.Event = field(default_factory=asyncio.Event)
    runtime: "_Runtime | None" = None


class Group:
    """What is one incident at a time, and what is remembered from one to the next."""

    def __init__(self, name: str, book: Playbook, library: dict[str, Playbook], around: Surroundings) -> None:
        self.name = name
        self.task: asyncio.Task[None] | None = None
        self._book = book.model_copy(update={"tests": ()})
        self._library = library
        self._around = around
        self._open: _Incident | None = None
        self._handled: set[str] = set()
        """Episodes that an incident has taken up."""
        self._conditions = Conditions()
        self._unresolved: dict[str, None] = {}
        """Conditions that fired and have not resolved since."""
        self._acted_on: dict[str, None] = {}
        """Those of them that had fired when the last run that acted ended."""
        self._past = GroupPast()

    @property
    def playbook(self) -> str:
        """Its name."""
        return self._book.metadata.name

    def take(self, alert: Alert) -> None:
        """Take in an alert: into the open incident, as the beginning of one, or as a repeat."""
        now, firing = self._around.now(), alert.status is AlertStatus.FIRING
        if firing:
            self._unresolved[alert.condition] = None
        else:
            self._unresolved.pop(alert.condition, None)
            self._acted_on.pop(alert.condition, None)
        incident = self._open
        if incident is None and (not firing or alert.episode in self._handled):
            if firing:
                self._around.tallies.repeated(self.playbook)
            else:
                self._conditions.hear_resolved(alert, now)
            return
        if incident is None:
            incident = self._begin(alert, now)
        fresh = frozenset(incident.members.new_episodes([alert])) - self._handled
        self._handled |= fresh
        before, was_cleared = incident.members.firings, incident.members.cleared
        news = incident.members.take([alert], fresh)
        if firing and news[0][1] != "new":
            self._around.tallies.repeated(self.playbook)
        incident.fired.extend([now] * (incident.members.firings - before))
        if not firing or incident.members.holds(alert.episode):
            (self._conditions.hear if firing else self._conditions.hear_resolved)(alert, now)
        incident.news.set()
        if incident.runtime is not None and incident.members.cleared != was_cleared:
            incident.runtime.clear(cleared=incident.members.cleared)

    def _begin(self, alert: Alert, now: datetime) -> _Incident:
        trigger = self._book.trigger
        earlier = recurrence.reopens(trigger, self._past, now) if trigger else None
        if earlier is not None and self._held_back(now):
            earlier = None
        incident = _Incident(earlier.incident if earlier else incident_id(self.name, alert), now, earlier)
        self._open = incident
        self._around.tallies.opened(self.playbook, now, incident.id, reopened=earlier is not None)
        self.task = self._around.loop.create_task(self._live(incident))
        self.task.add_done_callback(self._around.ended)
        return incident

    async def _live(self, incident: _Incident) -> None:
        """From opening to closing."""
        result, began = await self._enough(incident), False
        if result is None and (why := self._held_back(self._around.now())):
            result = RunResult(outcome=Outcome.REFUSED, reason=why)
        if result is None:
            result, began = await self._run(incident), True
        else:
            self._around.tallies.suppressed(self.playbook, self._around.now(), incident.id, result)
        self._close(incident, result, began=began)

    def _close(self, incident: _Incident, result: RunResult, *, began: bool) -> None:
        now, earlier = self._around.now(), incident.earlier
        ended = EarlierIncident(
            incident=incident.id,
            outcome=result.outcome.value,
            at=now,
            opened_at=earlier.opened_at if earlier else incident.opened,
            reopened=earlier.reopened + 1 if earlier else 0,
            runs=(earlier.runs if earlier else 0) + began,
        )
        settles = began or result.outcome is not Outcome.REFUSED
        acted = began and not (result.outcome in {Outcome.REFUSED, Outcome.RESOLVED} and not result.applied)
        self._past = GroupPast(
            previous=ended,
            settled=ended if settles else self._past.settled,
            acted=ended if acted else self._past.acted,
        )
        if acted:
            self._acted_on = dict(self._unresolved)
        if not began and result.outcome is Outcome.REFUSED:
            self._handled -= {one.episode for one in incident.members.alerts}
        elif result.outcome is Outcome.RESOLVED:
            self._handled -= {one.episode for one in incident.members.firing}
        self._open = None

    async def _enough(self, incident: _Incident) -> RunResult | None:
        """Wait until as many alerts came as the trigger asks for. A result when they did not."""
        after = self._book.trigger.after if self._book.trigger else None
        if after is None:
            return None
        while recurrence.in_window(after, incident.fired, self._around.now()) < after.count:
            left = recurrence.window_left(after, incident.fired, incident.opened, self._around.now())
            if not left:
                return _too_few(after, incident)
            incident.news.clear()
            await first(incident.news.wait(), asyncio.sleep(left.total_seconds()))
        return None

    def _held_back(self, now: datetime) -> str:
        trigger = self._book.trigger
        if trigger is None:
            return ""
        past = self._past.model_copy(update={"unresolved": tuple(self._acted_on)})
        return recurrence.throttled(trigger, past, now, lambda _: False)

    async def _run(self, incident: _Incident) -> RunResult:
        around, now = self._around, self._around.now()
        ordinal = (incident.earlier.runs if incident.earlier else 0) + 1
        trigger, flapping = self._book.trigger, self._conditions.flapping(now)
        alerts = incident.members.alerts[:MAX_RUN_ALERTS]
        scripts, source = around.answers.of(self._book, alerts[0], now)
        world = BacktestWorld(
            scripts=scripts,
            actions=around.actions,
            ledger=around.ledger,
            installation=(around.storm, around.rules, around.environment),
            frozen=around.frozen,
            ignores=lambda path: around.answers.ignores(self._book, path),
        )
        spec = RunSpec(
            incident=incident.id,
            ordinal=ordinal,
            playbook=self._book,
            library=self._library,
            effects=around.effects,
            alerts=alerts,
            recurrence=recurrence.recurrence(trigger, self._past, incident.opened, incident.id) if trigger else "",
            caution=flapping_text(*flapping[0]) if flapping else "",
        )
        holder = Holder(workflow=run_id(incident.id, ordinal), run=f"{incident.opened.isoformat()}")
        runtime = _Runtime(around.loop, world, around.start, holder, around.deciders)
        incident.runtime = runtime
        if incident.members.cleared:
            runtime.clear(cleared=True)
        result = await runtime.drive(spec)
        incident.runtime = None
        around.drain()
        around.tallies.ended(
            self.playbook,
            around.now(),
            Ending(
                incident=incident.id,
                result=result,
                took=around.now() - now,
                refusals=tuple(world.refusals),
                unanswered=tuple(dict.fromkeys(world.missing)),
                answers=source,
                flapping=bool(flapping),
                told=tuple(runtime.told),
            ),
        )
        return result


class _Runtime(VirtualRuntime):
    """A run among others, whose questions people answer as they are told to."""

    def __init__(
        self, loop: VirtualLoop, world: BacktestWorld, start: datetime, holder: Holder, deciders: Deciders
    ) -> None:
        super().__init__(loop, world, Course(start=start), holder)
        self._deciders = deciders
        self._clock = loop

    async def ask(self, gate: Gate) -> None:
        """Put the question, and decide it after a while."""
        await super().ask(gate)
        if self._deciders.verdict == "nobody":
            return
        verdict = Verdict(self._deciders.verdict)
        for number in range(1 if verdict is Verdict.DENY else gate.approve.quorum):
            self._clock.call_later(self._deciders.after.total_seconds(), self._decide, gate, verdict, number + 1)

    def _decide(self, gate: Gate, verdict: Verdict, number: int) -> None:
        """Somebody decides; what comes after the question was taken down is dropped."""
        self.take(
            Decision(
                verdict=verdict,
                by=f"person-{number}",
                at=self.now(),
                step=gate.step,
                plan=gate.digest,
                via="backtest",
                authenticated="claimed",
            )
        )


def _too_few(after: After, incident: _Incident) -> RunResult:
    came = f"{recurrence.most_in_window(after, tuple(incident.fired))} of the {after.count} alerts came"
    within = format_duration(after.within)
    outcome = Outcome.RESOLVED if incident.members.cleared else Outcome.REFUSED
    return RunResult(outcome=outcome, reason=f"only {came} within {within}")
