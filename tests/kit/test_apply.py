import asyncio
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from valve import Valves, apply_request, confirm_request, life, plan_request

from halon.errors import Conflict, InvalidInput, TransientError


async def test_the_same_key_twice_changes_the_world_once(valves: Valves) -> None:
    plan = await life(valves).plan(plan_request(3))
    first, second = [await life(valves).apply(apply_request(plan)) for _ in range(2)]
    assert (first.status, first.ours) == ("applied", True)
    assert (second.status, second.ours) == ("already", True)
    assert "earlier attempt" in second.reason
    assert valves.writes == [3]
    assert valves.mark == "i-1/turn"


async def test_a_write_whose_answer_was_lost_is_found_by_its_mark(valves: Valves) -> None:
    plan = await life(valves).plan(plan_request(3))
    valves.raising["reply"] = [TransientError("the connection broke")]
    with pytest.raises(TransientError):
        await life(valves).apply(apply_request(plan))
    assert (await life(valves).apply(apply_request(plan))).status == "already"
    assert valves.writes == [3]


async def test_a_target_that_changed_since_the_plan_is_left_alone_and_planned_anew(valves: Valves) -> None:
    plan = await life(valves).plan(plan_request(3))
    valves.turn(7)
    applied = await life(valves).apply(apply_request(plan))
    assert applied.status == "drift"
    assert applied.drift is not None
    assert (applied.drift.before, applied.drift.after) == ({"position": 7}, {"position": 3})
    assert "position is 7, expected 10" in applied.reason
    assert valves.writes == []


async def test_what_somebody_else_did_meanwhile_is_not_ours(valves: Valves) -> None:
    plan = await life(valves).plan(plan_request(3))
    valves.turn(3)
    applied = await life(valves).apply(apply_request(plan))
    assert (applied.status, applied.ours) == ("already", False)
    assert valves.writes == []


async def test_what_was_changed_again_after_us_is_ours_to_answer_for_and_not_overwritten(valves: Valves) -> None:
    plan = await life(valves).plan(plan_request(3))
    await life(valves).apply(apply_request(plan))
    valves.turn(5)
    applied = await life(valves).apply(apply_request(plan))
    assert (applied.status, applied.ours) == ("already", True)
    assert "changed by somebody else since: position is 5, expected 3" in applied.reason
    assert (valves.position, valves.writes) == (5, [3])


async def test_a_write_that_was_overtaken_looks_again(valves: Valves) -> None:
    plan = await life(valves).plan(plan_request(3))
    valves.meddling = [10, 10]  # something else of the target changed, the owned part did not
    assert (await life(valves).apply(apply_request(plan))).status == "applied"
    valves.turn(10)
    valves.mark = ""
    valves.raising["apply"] = [Conflict("changed")] * 5
    with pytest.raises(TransientError, match="5 writes in a row"):
        await life(valves).apply(apply_request(plan))


async def test_drift_between_looking_and_writing_is_drift(valves: Valves) -> None:
    plan = await life(valves).plan(plan_request(3))
    valves.meddling = [7]
    assert (await life(valves).apply(apply_request(plan))).status == "drift"
    assert valves.writes == []


async def test_only_a_change_is_applied_and_only_with_a_key(valves: Valves) -> None:
    with pytest.raises(InvalidInput, match="'nothing'"):
        await life(valves).apply(apply_request(await life(valves).plan(plan_request(10))))
    with pytest.raises(InvalidInput, match="key"):
        await life(valves).apply(apply_request(await life(valves).plan(plan_request(3)), key=""))


FAULTS: dict[str, Callable[[Valves], None]] = {
    "lost reply": lambda valves: valves.raising.setdefault("reply", []).append(TransientError("lost")),
    "unavailable": lambda valves: valves.raising.setdefault("apply", []).append(TransientError("busy")),
    "conflict": lambda valves: valves.raising.setdefault("apply", []).append(Conflict("changed")),
    "no look": lambda valves: valves.raising.setdefault("observe", []).append(TransientError("busy")),
    "overtaken": lambda valves: valves.meddling.append(10),
}


@given(st.lists(st.sampled_from(sorted(FAULTS)), max_size=8))
def test_whatever_goes_wrong_the_world_changes_at_most_once(faults: list[str]) -> None:
    async def trying() -> Valves:
        valves = Valves()
        plan = await life(valves).plan(plan_request(3))
        for fault in faults:
            FAULTS[fault](valves)
        for _ in range(20):
            try:
                await life(valves).apply(apply_request(plan))
            except TransientError:
                continue
        return valves

    valves = asyncio.run(trying())
    assert valves.writes == [3]
    assert valves.position == 3


async def test_undo_puts_back_what_was_there(valves: Valves) -> None:
    plan = await life(valves).plan(plan_request(3))
    await life(valves).apply(apply_request(plan))
    assert plan.undo.call is not None
    back = await life(valves).plan(plan_request(10, undoing=plan))
    assert (back.before, back.after) == (plan.after, plan.before)
    assert (await life(valves).apply(apply_request(back, key="i-1/turn/undo"))).status == "applied"
    assert valves.position == 10
    again = await life(valves).plan(plan_request(10, undoing=plan))
    assert (again.kind, "put back already" in again.reason) == ("nothing", True)


async def test_undo_of_what_never_took_effect_does_nothing(valves: Valves) -> None:
    plan = await life(valves).plan(plan_request(3))
    assert (await life(valves).plan(plan_request(10, undoing=plan))).kind == "nothing"


async def test_undo_leaves_alone_what_somebody_else_changed_since(valves: Valves) -> None:
    plan = await life(valves).plan(plan_request(3))
    await life(valves).apply(apply_request(plan))
    valves.turn(5)
    back = await life(valves).plan(plan_request(10, undoing=plan))
    assert back.kind == "refused"
    assert "position is 5, expected 3" in back.reason


async def test_confirming_tells_done_from_not_yet_and_never(valves: Valves) -> None:
    plan = await life(valves).plan(plan_request(3))
    await life(valves).apply(apply_request(plan))
    assert (await life(valves).confirm(confirm_request(plan))).state == "settled"
    valves.reached = 8
    assert (await life(valves).confirm(confirm_request(plan))).reason == "it is at 8"
    valves.broken = True
    assert (await life(valves).confirm(confirm_request(plan))).state == "broken"
