"""The activities, as a real Temporal server runs them; its clock skips what is only waiting."""

import asyncio
import sysconfig
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest
from temporalio import workflow
from temporalio.client import Client, WorkflowFailureError
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.exceptions import ActivityError, ApplicationError
from temporalio.testing import ActivityEnvironment, WorkflowEnvironment
from temporalio.worker import UnsandboxedWorkflowRunner, Worker
from valve import ACTIONS, Look, Seen, Valves, apply_request, confirm_request, plan_request

from halon.contracts.activity import ReadRequest
from halon.contracts.base import JsonObject
from halon.contracts.plan import ActionCall, Applied, Plan, ReadResult, Settlement
from halon.errors import (
    InvalidInput,
    Misconfigured,
    NotFound,
    PermanentError,
    PermissionDenied,
    TransientError,
)
from halon.kit.action import Read
from halon.kit.driver import action_activities
from halon.kit.env import Env
from halon.kit.registry import Registry

QUEUE = "valve"
LOOK = ReadRequest(call=ActionCall(action="valve.look"), incident="i-1", step="look")


@workflow.defn
class OneActivity:
    """Runs one activity and says how long it took."""

    @workflow.run
    async def run(self, asked: Sequence[Any]) -> Sequence[Any]:
        name, request, within = asked
        began = workflow.now()
        answer = await workflow.execute_activity(
            name,
            request,
            schedule_to_close_timeout=timedelta(seconds=within),
            start_to_close_timeout=timedelta(seconds=60),
        )
        return [answer, (workflow.now() - began).total_seconds()]


@dataclass
class Rig:
    client: Client
    valves: Valves

    async def run(self, activity: str, request: Any, within: float = 600) -> tuple[Any, float]:
        """Run an activity; give its answer and the seconds that passed for the server."""
        asked = [activity, request.model_dump(mode="json"), within]
        answer, took = await self.client.execute_workflow(OneActivity.run, asked, id=activity, task_queue=QUEUE)
        return answer, took

    async def failure(self, activity: str, request: Any, within: float = 600) -> tuple[ApplicationError, ActivityError]:
        """Run an activity that fails; give the last attempt's error and Temporal's own."""
        with pytest.raises(WorkflowFailureError) as caught:
            await self.run(activity, request, within)
        activity_error = caught.value.cause
        assert isinstance(activity_error, ActivityError)
        cause = activity_error.cause
        while cause is not None and not isinstance(cause, ApplicationError):
            cause = cause.__cause__
        assert isinstance(cause, ApplicationError)
        return cause, activity_error


@pytest.fixture
async def rig(valves: Valves) -> AsyncIterator[Rig]:
    binary = str(Path(sysconfig.get_path("scripts")) / "temporal-test-server")
    async with AsyncExitStack() as ends:
        server = await ends.enter_async_context(
            await WorkflowEnvironment.start_time_skipping(
                test_server_existing_path=binary, data_converter=pydantic_data_converter
            )
        )
        worker = Worker(
            server.client,
            task_queue=QUEUE,
            workflows=[OneActivity],
            activities=action_activities(ACTIONS, Env(valves)),
            workflow_runner=UnsandboxedWorkflowRunner(),
        )
        await ends.enter_async_context(worker)
        yield Rig(server.client, valves)


async def test_a_change_lives_from_plan_to_undo_in_its_own_activities(rig: Rig) -> None:
    plan = Plan.model_validate((await rig.run("valve.turn.plan", plan_request(3)))[0])
    assert rig.valves.writes == []
    for status in ("applied", "already"):
        answer, _ = await rig.run("valve.turn.apply", apply_request(plan))
        assert Applied.model_validate(answer).status == status
    settled, _ = await rig.run("valve.turn.confirm", confirm_request(plan))
    assert Settlement.model_validate(settled).state == "settled"
    undo = plan_request(10, undoing=plan)
    back = Plan.model_validate((await rig.run("valve.turn.plan", undo))[0])
    await rig.run("valve.turn.apply", apply_request(back, key="undo"))
    assert rig.valves.writes == [3, 10]
    seen, _ = await rig.run("valve.look", LOOK)
    assert ReadResult.model_validate(seen).output["position"] == 10


async def test_a_write_that_fails_in_passing_is_tried_again_and_done_once(rig: Rig) -> None:
    plan = Plan.model_validate((await rig.run("valve.turn.plan", plan_request(3)))[0])
    rig.valves.raising["reply"] = [TransientError("busy", retry_after=timedelta(minutes=2))]
    answer, took = await rig.run("valve.turn.apply", apply_request(plan))
    assert Applied.model_validate(answer).status == "already"
    assert rig.valves.writes == [3]
    assert 120 <= took < 180


async def test_the_server_waits_for_an_effect_with_growing_pauses(rig: Rig) -> None:
    plan = Plan.model_validate((await rig.run("valve.turn.plan", plan_request(3)))[0])
    looks = rig.valves.looks
    failure, _ = await rig.failure("valve.turn.confirm", confirm_request(plan), within=100)
    assert (failure.type, failure.message) == ("waiting", "it is at 10")
    # At 2, 6, 14, 30, 50, 70 and 90 s: doubling, and then every ten times the first pause.
    assert rig.valves.looks - looks == 8


async def test_a_defect_and_a_wrong_parameter_are_not_tried_again(rig: Rig) -> None:
    rig.valves.raising["observe"] = [ZeroDivisionError("x"), AssertionError("a second attempt")]
    failure, _ = await rig.failure("valve.look", LOOK)
    assert (failure.type, failure.non_retryable) == ("failed", True)
    assert "defect (ZeroDivisionError)" in failure.message
    failure, _ = await rig.failure("valve.turn.plan", plan_request(3, speed=4))
    assert failure.type == "invalid_input"
    assert "speed" in failure.message


@pytest.mark.parametrize(
    ("error", "kind", "retried"),
    [
        (TransientError("busy"), "unavailable", True),
        (TimeoutError(), "unavailable", True),
        (NotFound("gone"), "not_found", False),
        (PermissionDenied("no"), "permission_denied", False),
        (InvalidInput("wrong"), "invalid_input", False),
        (Misconfigured("unset"), "misconfigured", False),
        (PermanentError("never"), "failed", False),
        (ValueError("defect with s3cret"), "failed", False),
    ],
)
async def test_every_error_has_its_machine_word(valves: Valves, error: Exception, kind: str, retried: bool) -> None:  # noqa: FBT001  # a table
    valves.raising["observe"] = [error]
    [read] = action_activities(Registry({"valve.look": Look}), Env(valves))
    with pytest.raises(ApplicationError) as caught:
        await ActivityEnvironment().run(read, LOOK)
    assert caught.value.type == kind
    assert caught.value.non_retryable is not retried
    assert "s3cret" not in str(caught.value)


class Hanging(Read[Seen]):
    """Never answers."""

    example: ClassVar[JsonObject] = {}

    async def run(self, env: Env) -> Seen:
        await asyncio.Event().wait()
        raise AssertionError


async def test_a_call_that_hangs_is_given_up() -> None:
    registry = Registry({"valve.look": Hanging})
    [read] = action_activities(registry, Env(), max_call=timedelta(milliseconds=20))
    with pytest.raises(ApplicationError, match="did not answer in time") as caught:
        await ActivityEnvironment().run(read, LOOK)
    assert caught.value.type == "unavailable"


async def test_a_request_for_another_action_is_refused(valves: Valves) -> None:
    [read] = action_activities(Registry({"valve.look": Look}), Env(valves))
    wrong = LOOK.model_copy(update={"call": ActionCall(action="valve.turn")})
    with pytest.raises(ApplicationError, match=r"for valve\.turn, but came to valve\.look"):
        await ActivityEnvironment().run(read, wrong)


async def test_a_worker_without_the_client_says_so() -> None:
    [read] = action_activities(Registry({"valve.look": Look}), Env())
    with pytest.raises(ApplicationError, match="no Valves") as caught:
        await ActivityEnvironment().run(read, LOOK)
    assert caught.value.type == "misconfigured"
