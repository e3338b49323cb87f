"""A change of many writes: it is begun once, goes on under its key until nothing is left, and people can stop it."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import ClassVar, Literal

import pytest

from halon.contracts.activity import ApplyRequest, PlanRequest
from halon.contracts.base import JsonObject
from halon.contracts.ledger import Holder, Permit
from halon.contracts.plan import ActionCall, Plan, Row, Settlement
from halon.errors import PermanentError, TransientError
from halon.kit.action import Change, Nothing, NoUndo, Proposal, Refusal, State
from halon.kit.env import Env
from halon.kit.lifecycle import Lifecycle
from halon.kit.permits import Objection
from halon.kit.registry import Registry

NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
PERMIT = Permit(holder=Holder(workflow="w", run="r"), playbook="p")


@dataclass
class Tank:
    """The client: a tank with a tap, from which one bucket at a time can be taken."""

    open: bool = False
    buckets: int = 3
    mark: str = ""
    writes: list[str] = field(default_factory=list)


class Level(State):
    open: bool
    buckets: int
    mark: str


class Empty(Change[Level]):
    """Open the tap and take the buckets away."""

    example: ClassVar[JsonObject] = {}
    serial: str = ""
    """Which tank it must be."""

    def target(self) -> str:
        return "tank"

    def apply_within(self) -> timedelta:
        return timedelta(hours=1)

    async def observe(self, env: Env) -> Level:
        tank = env.get(Tank)
        return Level(open=tank.open, buckets=tank.buckets, mark=tank.mark)

    def plan(self, state: Level, now: datetime) -> Proposal | Nothing | Refusal:
        row = Row(field="buckets", before=state.buckets, after=0)
        return Proposal("Empty it", self.owned(state), {"open": True}, [row], pinned={"serial": "t-1"})

    def owned(self, state: Level) -> JsonObject:
        return {"open": state.open}

    def mark(self, state: Level) -> str:
        return state.mark

    def unfinished(self, state: Level) -> str:
        return f"{state.buckets} buckets" if state.buckets else ""

    async def apply(self, env: Env, after: JsonObject, state: Level, key: str) -> None:
        tank = env.get(Tank)
        if state.mark != key:
            tank.open, tank.mark = True, key
            tank.writes.append("open")
        tank.buckets -= 1
        tank.writes.append("take")
        if tank.buckets:
            raise TransientError(f"{tank.buckets} buckets left", retry_after=timedelta(seconds=5))

    def settled(self, state: Level, after: JsonObject) -> Settlement:
        return Settlement(state="settled")

    def undo(self, before: JsonObject, after: JsonObject) -> NoUndo:
        return NoUndo("water does not flow back")


@dataclass
class Brake:
    """People who object, or do not."""

    status: Literal["held", "refused"] | None = None

    async def objection(self, permit: Permit, plan: Plan) -> Objection | None:
        return Objection(self.status, "changes are paused") if self.status else None


def life(tank: Tank, brake: Brake | None = None) -> Lifecycle:
    return Lifecycle(Registry({"tank.empty": Empty}), Env(tank), brake or Brake())


async def planned(tank: Tank) -> Plan:
    call = ActionCall(action="tank.empty")
    return await life(tank).plan(PlanRequest(call=call, incident="i", step="s", now=NOW))


def request(plan: Plan, key: str = "k") -> ApplyRequest:
    return ApplyRequest(plan=plan, key=key, incident="i", step="s", now=NOW, permit=PERMIT)


async def test_the_plan_carries_its_own_bound_and_what_was_seen_when_it_was_made() -> None:
    plan = await planned(Tank())
    assert plan.apply_within == timedelta(hours=1)
    assert plan.params == {"serial": "t-1"}


async def test_it_goes_on_under_its_key_until_nothing_is_left() -> None:
    tank = Tank()
    plan = await planned(tank)
    for left in (2, 1):
        with pytest.raises(TransientError, match=f"{left} buckets left"):
            await life(tank).apply(request(plan))
    assert (await life(tank).apply(request(plan))).status == "applied"
    assert (await life(tank).apply(request(plan))).status == "already"
    assert tank.writes == ["open", "take", "take", "take"]


async def test_what_was_open_before_is_emptied_all_the_same() -> None:
    tank = Tank(open=True, buckets=1)
    plan = await planned(tank)
    assert plan.before == plan.after
    assert (await life(tank).apply(request(plan))).status == "applied"
    assert tank.writes == ["open", "take"]


async def test_what_somebody_else_has_begun_since_the_plan_is_drift() -> None:
    tank = Tank()
    plan = await planned(tank)
    tank.open = True
    applied = await life(tank).apply(request(plan))
    assert (applied.status, tank.writes) == ("drift", [])
    assert "3 buckets" in applied.reason


async def test_people_who_pause_it_in_the_middle_hold_it_and_it_stays_the_runs_own() -> None:
    tank, brake = Tank(), Brake()
    plan = await planned(tank)
    with pytest.raises(TransientError):
        await life(tank, brake).apply(request(plan))
    brake.status = "held"
    with pytest.raises(TransientError, match="paused; what is left meanwhile: 2 buckets"):
        await life(tank, brake).apply(request(plan))
    brake.status = "refused"
    with pytest.raises(PermanentError, match="paused; what is left of the change: 2 buckets"):
        await life(tank, brake).apply(request(plan))
    assert tank.writes == ["open", "take"]


async def test_people_who_pause_it_before_it_began_find_nothing_written() -> None:
    tank = Tank()
    plan = await planned(tank)
    assert (await life(tank, Brake("held")).apply(request(plan))).status == "held"
    assert tank.writes == []
