import pytest
from valve import ACTIONS, NOW, Turn, Valves, life, plan_request

from halon.contracts.activity import ReadRequest
from halon.contracts.plan import ActionCall, Effect, Row
from halon.errors import Conflict, InvalidInput, NotFound, PermanentError, PermissionDenied, TransientError


async def test_a_plan_shows_before_and_after_and_how_it_is_taken_back(valves: Valves) -> None:
    plan = await life(valves).plan(plan_request(3))
    assert (plan.kind, plan.action, plan.effect, plan.target) == ("change", "valve.turn", Effect.CHANGE, "valve")
    assert (plan.before, plan.after) == ({"position": 10}, {"position": 3})
    assert plan.rows == (Row(field="position", before=10, after=3),)
    assert plan.undo.call == ActionCall(action="valve.turn", params={"to": 10})
    assert plan.notes == ("checked by the valve",)
    assert valves.writes == []
    assert valves.rehearsed == [3]


async def test_the_same_state_gives_the_same_digest_and_another_one_does_not(valves: Valves) -> None:
    first, second = await life(valves).plan(plan_request(3)), await life(valves).plan(plan_request(3))
    valves.turn(11)
    assert first.digest == second.digest != (await life(valves).plan(plan_request(3))).digest


async def test_what_is_there_already_is_no_change(valves: Valves) -> None:
    plan = await life(valves).plan(plan_request(10))
    assert (plan.kind, plan.reason) == ("nothing", "it is at 10 already")


async def test_a_refusal_of_the_action_is_a_plan_with_its_reason(valves: Valves) -> None:
    plan = await life(valves).plan(plan_request(-1))
    assert (plan.kind, plan.reason) == ("refused", "a valve has no position below 0")


async def test_a_change_that_cannot_be_taken_back_says_why(valves: Valves) -> None:
    plan = await life(valves).plan(plan_request(3, final=True))
    assert (plan.undo.call, plan.undo.reason) == (None, "it was turned for good")


async def test_what_the_api_would_refuse_is_refused_before_anybody_approves_it(valves: Valves) -> None:
    valves.raising["rehearse"] = [PermanentError("an admission policy forbids position 3")]
    plan = await life(valves).plan(plan_request(3))
    assert (plan.kind, plan.reason) == ("refused", "an admission policy forbids position 3")


@pytest.mark.parametrize("error", [PermissionDenied("patch"), NotFound("gone"), TransientError("busy")])
async def test_other_errors_of_a_rehearsal_stay_errors(valves: Valves, error: Exception) -> None:
    valves.raising["rehearse"] = [error]
    with pytest.raises(type(error)):
        await life(valves).plan(plan_request(3))


async def test_a_target_that_changes_while_it_is_planned_is_looked_at_again(valves: Valves) -> None:
    valves.raising["rehearse"] = [Conflict("changed")]
    assert (await life(valves).plan(plan_request(3))).kind == "change"
    assert valves.looks == 2
    valves.raising["rehearse"] = [Conflict("changed")] * 5
    with pytest.raises(TransientError, match="kept changing"):
        await life(valves).plan(plan_request(3))


async def test_a_read_gives_its_output_as_it_travels_with_its_hints(valves: Valves) -> None:
    request = ReadRequest(call=ActionCall(action="valve.look"), incident="i-1", step="look")
    result = await life(valves).read(request)
    assert result.output == {"position": 10, "age": "12m", "since": NOW.isoformat().replace("+00:00", "Z")}
    assert result.hints == {"age": "duration", "since": "timestamp"}


async def test_reads_are_not_planned_and_changes_are_not_just_run(valves: Valves) -> None:
    look = ActionCall(action="valve.look")
    with pytest.raises(InvalidInput, match="changes nothing"):
        await life(valves).plan(plan_request(3).model_copy(update={"call": look}))
    with pytest.raises(InvalidInput, match="planned and applied"):
        await life(valves).read(ReadRequest(call=plan_request(3).call, incident="i-1", step="look"))


def test_a_wrong_parameter_names_its_field() -> None:
    with pytest.raises(InvalidInput, match=r"valve\.turn: to: .*integer") as caught:
        ACTIONS.parse(ActionCall(action="valve.turn", params={"to": "far", "speed": 2}))
    assert len(caught.value.problems) == 2
    assert ACTIONS.parse(ActionCall(action="valve.turn", params={"to": 3})) == Turn(to=3)
