"""Services, groups, functions and caches tell how large they are, so that a playbook can grow them by a part."""

import layers_ecs
import layers_elasticache
import layers_lambda
import pytest
from aws_stage import stage
from operations_computing import FUNCTION, function, group, service

from halon.errors import NotFound


async def test_a_service_tells_how_many_tasks_it_runs_and_whether_it_is_being_deployed() -> None:
    async with stage("aws.describe_service", layers=layers_ecs.LAYERS) as there:
        service(there.aws)
        seen = await there.read("aws.describe_service", {"cluster": "web", "service": "cart"})
        assert (seen["desired"], seen["running"], seen["task_definition"]) == (2, 0, "cart:3")
        assert (seen["controller"], seen["deploying"]) == ("ECS", False)
        assert seen["reason"] == "2 of 2 tasks run"
        with pytest.raises(NotFound):
            await there.read("aws.describe_service", {"cluster": "web", "service": "none"})


async def test_a_group_tells_its_bounds_and_what_is_suspended() -> None:
    async with stage("aws.describe_group") as there:
        group(there.aws)
        seen = await there.read("aws.describe_group", {"group": "web"})
        assert (seen["min"], seen["max"], seen["desired"], seen["serving"]) == (1, 4, 2, 2)
        assert seen["suspended"] == ["AZRebalance"]


async def test_a_function_tells_what_is_kept_warm_and_zero_where_nothing_is() -> None:
    async with stage("aws.describe_concurrency", layers=layers_lambda.LAYERS) as there:
        function(there.aws)
        which = {"function": FUNCTION, "qualifier": "live"}
        assert await there.read("aws.describe_concurrency", which) == {
            "provisioned": 0,
            "available": 0,
            "ready": True,
            "trouble": "",
        }
        there.aws.admin("lambda").put_provisioned_concurrency_config(
            FunctionName=FUNCTION, Qualifier="live", ProvisionedConcurrentExecutions=3
        )
        assert (await there.read("aws.describe_concurrency", which))["provisioned"] == 3


async def test_a_cache_tells_its_replicas_and_its_nodes() -> None:
    async with stage("aws.describe_cache", layers=layers_elasticache.LAYERS) as there:
        layers_elasticache.cache(there.aws, replicas=[2, 1])
        seen = await there.read("aws.describe_cache", {"group": "sessions"})
        assert (seen["status"], seen["available"]) == ("available", True)
        assert (seen["shards"], seen["replicas"]) == (2, 1)
        assert seen["nodes"] == [
            "sessions-0001-001",
            "sessions-0001-002",
            "sessions-0001-003",
            "sessions-0002-001",
            "sessions-0002-002",
        ]
