"""Work that is stopped, and caches that are scaled: what is refused, what ends by itself, what is under way."""

from typing import Any

import layers_elasticache
import layers_work
import pytest
from aws_stage import Stage, stage
from layers_elasticache import cache
from layers_work import begin
from operations_work import EXECUTION, RUN, STEP
from world import World

from halon.contracts.base import JsonObject
from halon.errors import NotFound, PermanentError

NOBODY: Any = None


def world(there: Stage, action: str, **params: Any) -> World:
    return there.world(f"aws.{action}", params, NOBODY)


async def test_what_ended_by_itself_meanwhile_was_not_stopped() -> None:
    async with stage("aws.stop_execution", layers=layers_work.LAYERS) as there:
        begin(there.aws, EXECUTION, status="RUNNING")
        here = world(there, "stop_execution", execution=EXECUTION)
        plan = await here.plan()
        there.aws.state["work"][EXECUTION]["status"] = "SUCCEEDED"
        told = await here.confirmed(plan)
        assert (told.state, "ended by itself" in told.reason) == ("broken", True)
        assert (await here.plan()).reason == "execution one has ended already: SUCCEEDED"


async def test_what_is_not_there_is_not_found() -> None:
    async with stage("aws.stop_batch_job", layers=layers_work.LAYERS) as there:
        with pytest.raises(NotFound, match="no job gone"):
            await world(there, "stop_batch_job", job="gone").plan()


@pytest.mark.parametrize(
    ("action", "params", "name"),
    [("stop_glue_job", RUN, "jr_1"), ("stop_emr_step", STEP, "s-1000")],
    ids=["glue", "emr"],
)
async def test_a_refusal_inside_an_answer_is_a_refusal(action: str, params: Any, name: str) -> None:
    async with stage(f"aws.{action}", layers=layers_work.LAYERS) as there:
        begin(there.aws, name, status="RUNNING", stuck=True)
        here = world(there, action, **params)
        with pytest.raises(PermanentError, match="did not"):
            await here.apply(await here.plan())


async def test_a_protected_cluster_is_not_terminated() -> None:
    async with stage("aws.terminate_emr_cluster", layers=layers_work.LAYERS) as there:
        begin(there.aws, "j-2AL4", status="RUNNING", protected=True)
        assert "termination protection" in (await world(there, "terminate_emr_cluster", cluster="j-2AL4").plan()).reason


@pytest.mark.parametrize(
    ("params", "more", "reason"),
    [
        ({"replicas": 0}, {}, "fails over by itself, which needs a replica"),
        ({"replicas": 3}, {"replicas": [1, 2]}, "different numbers of replicas"),
        ({"replicas": 3}, {"status": "snapshotting"}, "is snapshotting"),
        ({"node_type": "cache.t4g.micro"}, {}, "only to cache.r7g.xlarge, cache.r7g.large"),
    ],
    ids=["none", "uneven", "busy", "not allowed"],
)
async def test_a_cache_is_scaled_only_to_what_it_can_be(params: JsonObject, more: Any, reason: str) -> None:
    async with stage("aws.scale_cache", layers=layers_elasticache.LAYERS) as there:
        cache(there.aws, **more)
        plan = await world(there, "scale_cache", group="sessions", **params).plan()
        assert (plan.kind, reason in plan.reason) == ("refused", True)


async def test_replicas_that_a_scaler_sets_are_its_own() -> None:
    async with stage("aws.scale_cache", layers=layers_elasticache.LAYERS) as there:
        cache(there.aws)
        there.aws.state["cache scalers"] = [{"MinCapacity": 1, "MaxCapacity": 4}]
        plan = await world(there, "scale_cache", group="sessions", replicas=3).plan()
        assert "Application Auto Scaling sets the replicas" in plan.reason


async def test_a_type_that_is_on_its_way_is_not_asked_for_again() -> None:
    async with stage("aws.scale_cache", layers=layers_elasticache.LAYERS) as there:
        cache(there.aws)
        here = world(there, "scale_cache", group="sessions", node_type="cache.r7g.xlarge")
        plan = await here.plan()
        await here.apply(plan)
        once = here.writes()
        assert (await here.apply(plan)).status == "applied"
        assert here.writes() == once
        assert (await here.confirmed(plan)).state == "settled"
        assert plan.undo.call is not None
        assert plan.undo.call.params == {"group": "sessions", "node_type": "cache.r7g.large"}
