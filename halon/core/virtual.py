"""The interpreter on a virtual clock: hours pass in milliseconds, and the same script gives the same run every time.

`halon test` and the conformance suite run playbooks here. The world is handed in as a `World`, which answers what
actions would; the `Course` says what comes from outside and when: decisions, the alert's resolution, a cancellation.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Generic, Protocol, TypeVar

from halon.contracts.audit import AuditKind
from halon.contracts.base import format_duration
from halon.contracts.decision import Decision, Verdict
from halon.contracts.ledger import Admission, AdmissionRequest, Holder, Release
from halon.contracts.outcome import RunResult
from halon.contracts.people import Electorate, ElectorateRequest
from halon.contracts.plan import ActionCall, Applied, Plan, ReadResult, Settlement
from halon.contracts.run import RunSpec
from halon.contracts.steps import Approve
from halon.core.approval import addressed
from halon.core.interpreter import interpret
from halon.core.runtime import APPLY_WITHIN, READ_WITHIN, UNSENT, ActionFailed, Event, Gate
from halon.core.virtual_loop import Stuck, VirtualLoop, virtual_loop

START = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
"""When virtual runs begin, unless they say otherwise: a Monday at nine."""
THE_ONE = Holder(workflow="virtual", run="virtual")
"""A run that has the clock for itself."""
_BETWEEN_DECISIONS = timedelta(milliseconds=1)
"""Between two decisions of one instant, so that each has been counted before the next one comes."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """What the world answers, and how long it takes."""

    value: T | ActionFailed
    takes: timedelta = timedelta()


class World(Protocol):
    """What actions would answer. Each call is made once; retries lie below it."""

    def read(self, call: ActionCall, step: str) -> Answer[ReadResult]:
        """Answer a read."""
        ...

    def plan(self, call: ActionCall, step: str, undoing: Plan | None) -> Answer[Plan]:
        """Plan a change, or the undo of `undoing`."""
        ...

    def apply(self, plan: Plan, step: str, key: str) -> Answer[Applied]:
        """Make a change."""
        ...

    def confirm(self, plan: Plan, step: str) -> Answer[Settlement]:
        """Say whether a change is there. One that is still `waiting` stays so until the time is up."""
        ...

    def admit(self, request: AdmissionRequest, now: datetime) -> Answer[Admission]:
        """Answer for the guards."""
        ...

    def release(self, report: Release, now: datetime) -> None:
        """Take back what the guards granted."""
        ...

    def clearance(self, plan: Plan, step: str) -> Answer[None]:
        """Say how long changes stay paused."""
        ...

    def electorate(self, request: ElectorateRequest) -> Answer[Electorate]:
        """Say who may decide."""
        ...


@dataclass(frozen=True, slots=True)
class Reply:
    """A decision that a person gives some time after the question was put."""

    step: str
    """The gate's path, or the last name of it."""
    verdict: Verdict
    by: str
    after: timedelta = timedelta()
    comment: str = ""
    plan: str = ""
    """Digest that it is made on; empty for the plan that is shown."""
    break_glass: bool = False


@dataclass(frozen=True, slots=True)
class Course:
    """What happens from outside. Times count from the beginning of the run."""

    start: datetime = START
    replies: Sequence[Reply] = ()
    """Each is given once, in this order, to the first question of its step that is open long enough."""
    arrivals: Sequence[tuple[timedelta, Decision]] = ()
    """Decisions that come at a time of their own, whatever is asked then, as signals do."""
    resolves_after: timedelta | None = None
    cancels: Sequence[timedelta] = ()


@dataclass(frozen=True, slots=True)
class Told:
    """An event with its time."""

    at: datetime
    event: Event


@dataclass(frozen=True, slots=True)
class VirtualRun:
    """How a run on the virtual clock went."""

    result: RunResult | None
    """None when it never came to an end."""
    stuck: str
    """Why it did not, otherwise empty."""
    told: tuple[Told, ...]
    took: timedelta
    unused: tuple[Reply, ...]
    """Replies that nobody asked for."""
    left_over: tuple[str, ...] = ()
    """Tasks that outlived the run, and what asyncio complained about: defects of the interpreter."""


def run_virtually(spec: RunSpec, world: World, course: Course | None = None) -> VirtualRun:
    """Run `spec` in `world` to its end.

    Raises:
        RuntimeError: an event loop runs in this thread already.
    """
    loop = virtual_loop()
    runtime = VirtualRuntime(loop, world, course or Course())
    result: RunResult | None = None
    stuck = ""
    try:
        result = loop.run(runtime.drive(spec))
    except Stuck as error:
        stuck = str(error)
    return VirtualRun(
        result=result,
        stuck=stuck,
        told=tuple(runtime.told),
        took=timedelta(seconds=loop.time()),
        unused=tuple(runtime.unused),
        left_over=(*loop.left_over, *loop.complaints),
    )


@dataclass(slots=True)
class _Place:
    """An open question."""

    gate: Gate
    waiting: deque[Decision] = field(default_factory=deque[Decision])
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    people: asyncio.Task[None] | None = None


class VirtualRuntime:
    """`halon.core.runtime.Runtime` on a virtual clock."""

    def __init__(self, loop: VirtualLoop, world: World, course: Course, holder: Holder = THE_ONE) -> None:
        self._loop = loop
        self._holder = holder
        self._world = world
        self._course = course
        self._places: dict[str, _Place] = {}
        self._cleared = asyncio.Event()
        self.unused: list[Reply] = list(course.replies)
        self.told: list[Told] = []

    async def drive(self, spec: RunSpec) -> RunResult:
        """Interpret `spec` while the course takes place."""
        course, later = self._course, self._loop.call_later
        run = self._loop.create_task(interpret(spec, self))
        if course.resolves_after is not None:
            later(course.resolves_after.total_seconds(), self._cleared.set)
        for after, decision in course.arrivals:
            later(after.total_seconds(), self.take, decision)
        for after in course.cancels:
            later(after.total_seconds(), run.cancel)
        result: RunResult = await run
        return result

    def now(self) -> datetime:
        """The virtual time."""
        return self._course.start + timedelta(seconds=self._loop.time())

    def patched(self, change: str) -> bool:  # noqa: ARG002  # no run here has begun before
        """Always the new way."""
        return True

    async def sleep(self, duration: timedelta, why: str) -> None:  # noqa: ARG002  # the protocol's; nothing shows it here
        """Let the clock go on."""
        if duration > timedelta():
            await asyncio.sleep(duration.total_seconds())

    async def deadline(self, duration: timedelta, why: str) -> None:
        """A sleep like any other: there is nothing to write down first."""
        await self.sleep(duration, why)

    @property
    def holder(self) -> Holder:
        """Who the run is to the guards."""
        return self._holder

    async def admit(self, request: AdmissionRequest) -> Admission:
        """Ask the world."""
        return await self._carry(self._world.admit(request, self.now()), READ_WITHIN)

    async def clearance(self, plan: Plan, step: str, within: timedelta) -> None:
        """Wait as long as the world is paused."""
        await self._carry(self._world.clearance(plan, step), within)

    async def release(self, report: Release) -> None:
        """Tell the world."""
        self._world.release(report, self.now())

    async def read(self, call: ActionCall, step: str, within: timedelta | None) -> ReadResult:
        """Ask the world."""
        return await self._carry(self._world.read(call, step), within or READ_WITHIN)

    async def plan(self, call: ActionCall, step: str, undoing: Plan | None) -> Plan:
        """Ask the world."""
        return await self._carry(self._world.plan(call, step, undoing), READ_WITHIN)

    async def apply(self, plan: Plan, step: str, key: str, *, undoing: bool = False) -> Applied:  # noqa: ARG002  # nothing is frozen here
        """Change the world. As with any runtime, a failure after sending leaves the effect unknown."""
        try:
            return await self._carry(self._world.apply(plan, step, key), plan.apply_within or APPLY_WITHIN)
        except ActionFailed as failure:
            raise ActionFailed(
                failure.reason, kind=failure.kind, unknown_effect=failure.kind not in UNSENT
            ) from failure

    async def confirm(self, plan: Plan, step: str, within: timedelta) -> Settlement:
        """Ask the world; what is not there yet is not there until the time is up."""
        answer = self._world.confirm(plan, step)
        if isinstance(answer.value, Settlement) and (answer.value.state == "waiting" or answer.takes > within):
            await self.sleep(within, "confirm")
            reason = (
                answer.value.reason if answer.value.state == "waiting" else f"takes {format_duration(answer.takes)}"
            )
            return Settlement(state="waiting", reason=reason)
        return await self._carry(answer, within)

    async def electorate(self, request: ElectorateRequest) -> Electorate:
        """Ask the world."""
        return await self._carry(self._world.electorate(request), READ_WITHIN)

    async def widen(self, gate: Gate) -> None:
        """Put the question to more people."""
        self._places[gate.step].gate = gate

    def foresee(self, step: str, approve: Approve, plans: Sequence[Plan]) -> None:
        """Nobody asks what a dry run on the virtual clock would ask."""

    async def ask(self, gate: Gate) -> None:
        """Open the question, and let people think about it."""
        place = _Place(gate)
        self._places[gate.step] = place
        place.people = self._loop.create_task(self._reply(place))

    async def decision(self, gate: Gate) -> Decision:
        """The next decision about `gate`."""
        place = self._places[gate.step]
        while not place.waiting:
            place.arrived.clear()
            await place.arrived.wait()
        return place.waiting.popleft()

    async def answered(self, gate: Gate) -> None:
        """Close the question."""
        place = self._places.pop(gate.step)
        if place.people is not None:
            place.people.cancel()
        for late in place.waiting:
            message = f"The decision of {late.by} came when {gate.step} was decided already"
            self.emit(Event(AuditKind.DECISION_REFUSED, message, step=gate.step, actor=late.by))

    async def resolved(self) -> None:
        """Wait for the alert's end."""
        await self._cleared.wait()

    def emit(self, event: Event) -> None:
        """Keep the event with its time."""
        self.told.append(Told(self.now(), event))

    async def _carry(self, answer: Answer[T], bound: timedelta) -> T:
        if answer.takes > bound:
            await self.sleep(bound, "answer")
            raise ActionFailed(f"no answer within {format_duration(bound)}", kind="timeout")
        await self.sleep(answer.takes, "answer")
        if isinstance(answer.value, ActionFailed):
            raise answer.value
        return answer.value

    async def _reply(self, place: _Place) -> None:
        """Give the replies to this question that nobody has used yet, each in its time."""
        mine = [one for one in self.unused if one.step in {place.gate.step, place.gate.step.rpartition(".")[2]}]
        asked = self.now()
        for reply in mine:
            await self.sleep(max(asked + reply.after - self.now(), _BETWEEN_DECISIONS), "reply")
            self.unused.remove(reply)
            place.waiting.append(_decision(reply, place.gate, self.now()))
            place.arrived.set()

    def clear(self, *, cleared: bool) -> None:
        """Let the run know whether its alerts have cleared, apart from what its course says."""
        if cleared:
            self._cleared.set()
        else:
            self._cleared.clear()

    def take(self, decision: Decision) -> None:
        """Take in a decision that came by itself."""
        gate, problem = addressed([one.gate for one in self._places.values()], decision.step, decision.plan)
        if gate is None:
            message = f"The decision of {decision.by} does not count: {problem}"
            self.emit(Event(AuditKind.DECISION_REFUSED, message, step=decision.step, actor=decision.by))
            return
        self._places[gate.step].waiting.append(decision.model_copy(update={"at": self.now()}))
        self._places[gate.step].arrived.set()


def _decision(reply: Reply, gate: Gate, at: datetime) -> Decision:
    return Decision(
        verdict=reply.verdict,
        by=reply.by,
        at=at,
        comment=reply.comment,
        plan=reply.plan,
        step=gate.step,
        via="test",
        authenticated="claimed",
        break_glass=reply.break_glass,
    )
