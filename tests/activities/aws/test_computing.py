"""Functions, services and groups: what is refused, who else sets a number, and what a run is told."""

from typing import Any

import layers_ecs
import layers_lambda
import pytest
from aws_stage import Stage, stage
from operations_computing import ALIAS, FUNCTION, function, group, register, service
from world import World

from halon.contracts.base import JsonObject

NOBODY: Any = None


def world(there: Stage, action: str, **params: Any) -> World:
    return there.world(f"aws.{action}", params, NOBODY)


async def test_a_scaler_is_not_fought_unless_it_sleeps() -> None:
    async with stage("aws.set_desired_count", layers=layers_ecs.LAYERS) as there:
        service(there.aws)
        which: dict[str, Any] = {
            "ServiceNamespace": "ecs",
            "ResourceId": "service/web/cart",
            "ScalableDimension": "ecs:service:DesiredCount",
        }
        scaling = there.aws.admin("application-autoscaling")
        scaling.register_scalable_target(**which, MinCapacity=2, MaxCapacity=8)
        here = world(there, "set_desired_count", cluster="web", service="cart", count=4)
        plan = await here.plan()
        assert plan.kind == "refused"
        assert "Application Auto Scaling sets the count of ECS service web/cart (2 to 8)" in plan.reason
        asleep = dict.fromkeys(
            ("DynamicScalingInSuspended", "DynamicScalingOutSuspended", "ScheduledScalingSuspended"), True
        )
        scaling.register_scalable_target(**which, MinCapacity=2, MaxCapacity=8, SuspendedState=asleep)
        assert (await here.plan()).kind == "change"


async def test_a_rollback_passes_over_revisions_that_are_no_different_and_names_the_images() -> None:
    async with stage("aws.roll_back_service", layers=layers_ecs.LAYERS) as there:
        service(there.aws)
        plan = await world(there, "roll_back_service", cluster="web", service="cart").plan()
        assert plan.summary == "Roll back ECS service web/cart from cart:3 to cart:1"
        assert (plan.rows[1].before, plan.rows[1].after) == ("cart:2", "cart:1")
        assert plan.notes == (
            "its deployment circuit breaker is on, with rollback",
            "passed over, as no different from what runs: cart:2",
        )


async def test_a_deployment_that_fails_is_told_with_the_words_of_ecs() -> None:
    async with stage("aws.roll_back_service", layers=layers_ecs.LAYERS) as there:
        service(there.aws)
        here = world(there, "roll_back_service", cluster="web", service="cart")
        plan = await here.plan()
        await here.apply(plan)
        there.aws.state["deployments"]["cart"]["failed"] = "tasks failed to start"
        told = await here.confirmed(plan)
        assert (told.state, told.reason) == ("broken", "the deployment failed: tasks failed to start")


async def test_a_rollback_to_what_is_no_longer_active_is_refused() -> None:
    async with stage("aws.roll_back_service", layers=layers_ecs.LAYERS) as there:
        service(there.aws)
        old = register(there.aws, "cart:0")
        there.aws.admin("ecs").deregister_task_definition(taskDefinition=old)
        here = world(there, "roll_back_service", cluster="web", service="cart", to_task_definition="cart:4")
        assert "cart:4 is no longer active" in (await here.plan()).reason


async def test_what_aws_could_not_provision_is_told_with_its_reason() -> None:
    async with stage("aws.set_provisioned_concurrency", layers=layers_lambda.LAYERS) as there:
        function(there.aws)
        here = world(there, "set_provisioned_concurrency", function=FUNCTION, qualifier="live", concurrency=5)
        plan = await here.plan()
        assert any("cost money" in note for note in plan.notes)
        await here.apply(plan)
        config = there.aws.state["provisioned"][FUNCTION, "live"]
        config |= {"status": "FAILED", "reason": "the function's image cannot be pulled"}
        told = await here.confirmed(plan)
        assert (told.state, "cannot be pulled" in told.reason) == ("broken", True)


async def test_a_reservation_leaves_the_other_functions_what_aws_keeps_for_them() -> None:
    async with stage("aws.set_reserved_concurrency", layers=layers_lambda.LAYERS) as there:
        function(there.aws)
        here = world(there, "set_reserved_concurrency", function=FUNCTION, concurrency=950)
        plan = await here.plan()
        assert (plan.kind, "900 can be reserved" in plan.reason) == ("refused", True)


async def test_an_alias_that_is_moved_between_look_and_write_is_looked_at_again() -> None:
    async with stage("aws.shift_alias", layers=layers_lambda.LAYERS) as there:
        function(there.aws)
        here = world(there, "shift_alias", function=FUNCTION, alias="live")
        plan = await here.plan()
        assert plan.after == {"version": "1", "also": "", "weight": 0}

        def meanwhile(call: Any) -> Any:
            layers = there.aws.layers
            there.aws.layers = {**layers, ("lambda", "TagResource"): type(call).forward}
            there.aws.admin("lambda").update_alias(
                **ALIAS, FunctionVersion="2", RoutingConfig={"AdditionalVersionWeights": {"1": 0.3}}
            )
            return call.forward()

        there.aws.layers = {**there.aws.layers, ("lambda", "TagResource"): meanwhile}
        applied = await here.apply(plan)
        assert (applied.status, applied.drift is not None) == ("drift", True)
        assert "withdrawn" in here.writes()[-1]


async def test_an_alias_with_shares_gets_the_same_shares_back() -> None:
    async with stage("aws.shift_alias", layers=layers_lambda.LAYERS) as there:
        function(there.aws)
        shares = {"AdditionalVersionWeights": {"1": 0.25}}
        there.aws.admin("lambda").update_alias(**ALIAS, FunctionVersion="2", RoutingConfig=shares)
        here = world(there, "shift_alias", function=FUNCTION, alias="live", to_version="1")
        plan = await here.plan()
        await here.apply(plan)
        back = await here.plan(plan.undo.call, undoing=plan)
        await here.apply(back, key="undo")
        found = there.aws.admin("lambda").get_alias(**ALIAS)
        assert (found["FunctionVersion"], found["RoutingConfig"]) == ("2", shares)


@pytest.mark.parametrize(
    ("params", "reason"),
    [
        ({"desired": 9}, "keeps to 1 to 4 instances: give `min` or `max` too"),
        ({"min": 5}, "5 to 4 is no range"),
    ],
    ids=["beyond the bounds", "no range"],
)
async def test_a_group_keeps_to_its_bounds(params: JsonObject, reason: str) -> None:
    async with stage("aws.set_capacity") as there:
        group(there.aws)
        plan = await world(there, "set_capacity", group="web", **params).plan()
        assert (plan.kind, reason in plan.reason) == ("refused", True)


async def test_a_scaling_policy_that_takes_over_is_no_failure() -> None:
    async with stage("aws.set_capacity") as there:
        group(there.aws)
        ours = there.aws.admin("autoscaling")
        ours.put_scaling_policy(
            AutoScalingGroupName="web", PolicyName="out", ScalingAdjustment=1, AdjustmentType="ChangeInCapacity"
        )
        here = world(there, "set_capacity", group="web", desired=3, max=6)
        plan = await here.plan()
        await here.apply(plan)
        ours.set_desired_capacity(AutoScalingGroupName="web", DesiredCapacity=5)
        told = await here.confirmed(plan)
        assert (told.state, "a scaling policy has taken over" in told.reason) == ("settled", True)


async def test_one_step_does_not_suspend_and_resume() -> None:
    async with stage("aws.suspend_processes") as there:
        group(there.aws)
        here = world(there, "suspend_processes", group="web", processes=["Launch"], resume=["AZRebalance"])
        assert "make it two steps" in (await here.plan()).reason
