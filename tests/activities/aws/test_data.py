"""Databases: what is refused, what is lost, and what RDS has begun already."""

from datetime import timedelta
from typing import Any

import layers_rds
import pytest
from aws_stage import Stage, stage
from operations_data import cluster, instance, measured, replica
from world import World

from activities.aws.get_replication_lag import GetReplicationLag
from halon.contracts.base import JsonObject
from halon.errors import TransientError

NOBODY: Any = None


def world(there: Stage, action: str, **params: Any) -> World:
    return there.world(f"aws.{action}", params, NOBODY)


async def test_an_instance_goes_to_its_standby_once_though_rds_shows_the_old_zone_for_a_while() -> None:
    async with stage("aws.fail_over_database", layers=layers_rds.LAYERS) as there:
        instance(there.aws)
        here = world(there, "fail_over_database", instance="legacy")
        plan = await here.plan()
        assert (plan.before, plan.after) == ({"zone": "eu-west-1a"}, {"zone": "eu-west-1b"})
        there.aws.losing = 2
        for _ in range(2):
            with pytest.raises(TransientError):
                await here.apply(plan)
        there.aws.state["databases"]["swapped"] = set()  # RDS has not caught up with itself
        assert (await here.apply(plan)).status == "applied"
        assert [line.split()[0] for line in here.writes()] == ["rds:AddTagsToResource", "rds:RebootDBInstance"]
        there.aws.state["databases"]["swapped"] = {"legacy"}
        assert (await here.confirmed(plan)).state == "settled"
        assert plan.undo.reason


@pytest.mark.parametrize(
    ("params", "reason"),
    [
        ({"instance": "single"}, "has no standby"),
        ({"instance": "orders-1"}, "belongs to cluster orders: give `cluster`"),
        ({"cluster": "orders", "to": "orders-9"}, "has no reader orders-9"),
    ],
    ids=["no standby", "member", "no reader"],
)
async def test_a_database_goes_only_where_it_can(params: JsonObject, reason: str) -> None:
    async with stage("aws.fail_over_database", layers=layers_rds.LAYERS) as there:
        cluster(there.aws)
        instance(there.aws, "single", MultiAZ=False)
        plan = await world(there, "fail_over_database", **params).plan()
        assert (plan.kind, reason in plan.reason) == ("refused", True)


async def test_a_cluster_is_snapshotted_with_its_own_kind_and_a_complete_one_is_enough() -> None:
    async with stage("aws.snapshot_database", layers=layers_rds.LAYERS) as there:
        cluster(there.aws)
        here = world(there, "snapshot_database", cluster="orders", snapshot="before")
        plan = await here.plan()
        await here.apply(plan)
        assert (await here.confirmed(plan)).state == "settled"
        assert (await here.plan()).kind == "nothing"


async def test_a_replica_that_is_behind_or_not_measured_is_not_promoted_unless_told() -> None:
    async with stage("aws.promote_replica", layers=layers_rds.LAYERS) as there:
        replica(there.aws)
        measured(there.aws, 900)
        behind = await world(there, "promote_replica", instance="reports").plan()
        assert (behind.kind, "15m behind legacy" in behind.reason) == ("refused", True)
        there.aws.admin("rds").create_db_instance_read_replica(
            DBInstanceIdentifier="silent", SourceDBInstanceIdentifier="legacy"
        )
        silent = await world(there, "promote_replica", instance="silent").plan()
        assert "an unknown time behind" in silent.reason
        assert (await world(there, "promote_replica", instance="silent", even_if_behind=True).plan()).kind == "change"


async def test_no_measurement_is_not_a_lag_of_nothing() -> None:
    async with stage("aws.get_replication_lag", layers=layers_rds.LAYERS) as there:
        cluster(there.aws)
        measured(there.aws, 1500, "orders-1", "AuroraReplicaLag")
        one = await GetReplicationLag(instance="orders-1").run(there.env)
        assert (one.lag, one.no_data) == (timedelta(seconds=1.5), False)
        every = await GetReplicationLag(cluster="orders").run(there.env)
        assert (every.lag, every.no_data) == (None, True)
        assert [each.lag for each in every.replicas] == [timedelta(seconds=1.5), None]
