"""The smallest target that can be changed: a valve that several people turn, with faults on request."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from halon.contracts.activity import ApplyRequest, ConfirmRequest, PlanRequest
from halon.contracts.base import Duration, JsonObject
from halon.contracts.plan import ActionCall, Plan, Row, Settlement
from halon.errors import Conflict
from halon.kit.action import Change, Nothing, NoUndo, Output, Proposal, Read, Refusal, State
from halon.kit.env import Env
from halon.kit.lifecycle import Lifecycle
from halon.kit.registry import Registry

NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)


@dataclass
class Valves:
    """The client: a valve's position behind optimistic concurrency."""

    position: int = 10
    mark: str = ""
    version: int = 1
    reached: int | None = None
    """Where the valve really is; by default where it was set to."""
    broken: bool = False
    writes: list[int] = field(default_factory=list)
    rehearsed: list[int] = field(default_factory=list)
    looks: int = 0
    raising: dict[str, list[Exception]] = field(default_factory=dict)
    """What the next calls of `observe`, `rehearse`, `apply` (before writing) and `reply` (after it) raise."""
    meddling: list[int] = field(default_factory=list)
    """Positions that somebody else sets between looking and writing."""

    def turn(self, position: int) -> None:
        """Somebody else turns it."""
        self.position, self.version = position, self.version + 1

    def trip(self, where: str) -> None:
        if waiting := self.raising.get(where):
            raise waiting.pop(0)

    def write(self, position: int, key: str, seen: int) -> None:
        self.trip("apply")
        if self.meddling:
            self.turn(self.meddling.pop(0))
        if seen != self.version:
            raise Conflict("the valve was turned meanwhile")
        self.turn(position)
        self.mark = key
        self.writes.append(position)
        self.trip("reply")


class Position(State):
    position: int
    mark: str
    version: int
    reached: int
    broken: bool


class Turn(Change[Position]):
    """Turn the valve."""

    example: ClassVar[JsonObject] = {"to": 3}
    to: int
    """Position, 0 is closed."""
    final: bool = False
    """It cannot be turned back."""

    def target(self) -> str:
        return "valve"

    async def observe(self, env: Env) -> Position:
        valves = env.get(Valves)
        valves.looks += 1
        valves.trip("observe")
        reached = valves.position if valves.reached is None else valves.reached
        return Position(
            position=valves.position, mark=valves.mark, version=valves.version, reached=reached, broken=valves.broken
        )

    def plan(self, state: Position, now: datetime) -> Proposal | Nothing | Refusal:
        if self.to < 0:
            return Refusal("a valve has no position below 0")
        if state.position == self.to:
            return Nothing(f"it is at {self.to} already")
        row = Row(field="position", before=state.position, after=self.to)
        return Proposal(f"Turn the valve to {self.to}", {"position": state.position}, {"position": self.to}, [row])

    async def rehearse(self, env: Env, after: JsonObject, state: Position) -> Sequence[str]:
        valves = env.get(Valves)
        valves.rehearsed.append(self.to)
        valves.trip("rehearse")
        return ("checked by the valve",)

    def owned(self, state: Position) -> JsonObject:
        return {"position": state.position}

    def mark(self, state: Position) -> str:
        return state.mark

    async def apply(self, env: Env, after: JsonObject, state: Position, key: str) -> None:
        env.get(Valves).write(self.to, key, state.version)

    def settled(self, state: Position, after: JsonObject) -> Settlement:
        if state.broken:
            return Settlement(state="broken", reason="the valve is stuck")
        if state.reached != after["position"]:
            return Settlement(state="waiting", reason=f"it is at {state.reached}")
        return Settlement(state="settled")

    def undo(self, before: JsonObject, after: JsonObject) -> "Turn | NoUndo":
        return NoUndo("it was turned for good") if self.final else Turn.model_validate({"to": before["position"]})


class Seen(Output):
    position: int
    age: Duration
    since: datetime


class Look(Read[Seen]):
    """Look at the valve."""

    example: ClassVar[JsonObject] = {}

    def target(self) -> str:
        return "valve"

    async def run(self, env: Env) -> Seen:
        valves = env.get(Valves)
        valves.looks += 1
        valves.trip("observe")
        return Seen(position=valves.position, age=timedelta(minutes=12), since=NOW)


ACTIONS = Registry({"valve.turn": Turn, "valve.look": Look})


def call(to: int, **more: Any) -> ActionCall:
    return ActionCall(action="valve.turn", params={"to": to, **more})


def plan_request(to: int, undoing: Plan | None = None, **more: Any) -> PlanRequest:
    return PlanRequest(call=call(to, **more), incident="i-1", step="turn", now=NOW, undoing=undoing)


def apply_request(plan: Plan, key: str = "i-1/turn") -> ApplyRequest:
    return ApplyRequest(plan=plan, key=key, incident="i-1", step="turn", now=NOW)


def confirm_request(plan: Plan, poll: timedelta = timedelta(seconds=2)) -> ConfirmRequest:
    return ConfirmRequest(plan=plan, incident="i-1", step="turn", poll=poll)


def life(valves: Valves) -> Lifecycle:
    return Lifecycle(ACTIONS, Env(valves))
