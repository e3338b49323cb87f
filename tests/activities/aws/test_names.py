"""Names in Route 53: what is refused, what a concurrent change does, and when a change has spread."""

from datetime import UTC, datetime, timedelta
from typing import Any

import layers_route53
import pytest
from aws_stage import Stage, stage
from operations_names import NAME, check, paired, records, weighted, zone
from world import World

from activities.aws._records import plain
from halon.clients.aws.api import AwsApi
from halon.contracts.base import JsonObject
from halon.errors import NotFound, TransientError
from halon.kit.env import Env

NOBODY: Any = None
SHOP: JsonObject = {"name": NAME, "type": "A"}
EVEN: JsonObject = {"weights": {"west": 1, "central": 1}}


def world(there: Stage, action: str, made: JsonObject, **params: Any) -> World:
    return there.world(f"aws.{action}", {**SHOP, **made, **params}, NOBODY)


def red(there: Stage, name: str) -> None:
    checks = there.aws.admin("route53").list_health_checks()["HealthChecks"]
    there.aws.state["red"] = {one["Id"] for one in checks if one["CallerReference"] == name}


async def test_shares_are_shown_and_records_are_changed_by_their_exact_values() -> None:
    async with stage("aws.shift_weight", layers=layers_route53.LAYERS) as there:
        here = world(there, "shift_weight", weighted(there.aws), **EVEN)
        plan = await here.plan()
        assert plan.summary == f"Shift 25% of the traffic of A {NAME}"
        assert [(row.field, row.before, row.after) for row in plan.rows] == [
            ("central", "1 (25%)", "1 (50%)"),
            ("west", "3 (75%)", "1 (50%)"),
        ]
        await here.apply(plan)
        found = there.aws.admin("route53").list_resource_record_sets(HostedZoneId=here.params["zone"])
        kept = {one["SetIdentifier"]: one for one in found["ResourceRecordSets"] if one["Type"] == "A"}
        assert {name: one["Weight"] for name, one in kept.items()} == {"west": 1, "central": 1}
        assert kept["west"]["ResourceRecords"] == [{"Value": "192.0.2.1"}]
        assert "HealthCheckId" in kept["west"]


@pytest.mark.parametrize(
    ("action", "params", "sick"),
    [("shift_weight", EVEN, "central"), ("fail_over_record", {}, "central")],
    ids=["weights", "failover"],
)
async def test_traffic_does_not_go_to_a_side_that_is_red_unless_told(action: str, params: Any, sick: str) -> None:
    async with stage(f"aws.{action}", layers=layers_route53.LAYERS) as there:
        made = weighted(there.aws) if action == "shift_weight" else paired(there.aws)
        red(there, sick)
        plan = await world(there, action, made, **params).plan()
        assert (plan.kind, f"the health check of {sick} is red" in plan.reason) == ("refused", True)
        assert (await world(there, action, made, **params, even_if_unhealthy=True).plan()).kind == "change"


async def test_a_health_check_that_cannot_be_read_is_not_green() -> None:
    async with stage("aws.fail_over_record", layers=layers_route53.LAYERS) as there:
        made = paired(there.aws)
        checks = there.aws.admin("route53").list_health_checks()["HealthChecks"]
        there.aws.state["calculated"] = {one["Id"] for one in checks}
        assert "cannot be read" in (await world(there, "fail_over_record", made).plan()).reason


@pytest.mark.parametrize(
    ("weights", "reason"),
    [
        ({"west": 0}, "moves 75% of the traffic, and `max_shift` is 50%"),
        ({"west": 0, "central": 0}, "with no weight at all"),
        ({"north": 1}, "has no weighted record north; it has central, west"),
    ],
    ids=["too much", "nothing", "unknown"],
)
async def test_a_shift_is_bounded(weights: JsonObject, reason: str) -> None:
    async with stage("aws.shift_weight", layers=layers_route53.LAYERS) as there:
        plan = await world(there, "shift_weight", weighted(there.aws), weights=weights).plan()
        assert (plan.kind, reason in plan.reason) == ("refused", True)


async def test_what_somebody_changes_between_look_and_write_stops_the_whole_batch() -> None:
    async with stage("aws.shift_weight", layers=layers_route53.LAYERS) as there:
        made = weighted(there.aws)
        here = world(there, "shift_weight", made, weights={"west": 2, "central": 2})
        plan = await here.plan()

        def meanwhile(call: Any) -> Any:
            there.aws.layers = dict(layers_route53.LAYERS)
            records(there.aws, str(made["zone"]), {"SetIdentifier": "west", "Weight": 9}, action="UPSERT")
            return call.forward()

        there.aws.layers = {**layers_route53.LAYERS, ("route53", "ChangeTagsForResource"): meanwhile}
        assert (await here.apply(plan)).status == "drift"
        assert [line.split()[0] for line in here.writes()] == ["route53:ChangeTagsForResource"] * 2
        assert "withdrawn" in here.writes()[-1]


async def test_a_change_whose_answer_was_lost_is_given_the_time_that_it_takes_to_spread() -> None:
    async with stage("aws.shift_weight", layers=layers_route53.LAYERS) as there:
        here = world(there, "shift_weight", weighted(there.aws), **EVEN)
        plan = await here.plan()
        there.aws.losing = 2
        for _ in range(2):
            with pytest.raises(TransientError):
                await here.apply(plan)
        again = await here.apply(plan)
        assert (again.status, again.ours) == ("already", True)
        change: Any = here.change
        assert change.settled(await change.observe(there.env), plan.after).state == "waiting"
        later = Env(there.env.get(AwsApi), now=lambda: datetime.now(UTC) + timedelta(minutes=3))
        assert change.settled(await change.observe(later), plan.after).state == "settled"


async def test_a_name_without_a_pair_is_not_failed_over() -> None:
    async with stage("aws.fail_over_record", layers=layers_route53.LAYERS) as there:
        made = zone(there.aws)
        records(
            there.aws, made, {"SetIdentifier": "west", "Failover": "PRIMARY", "HealthCheckId": check(there.aws, "w")}
        )
        assert "no primary and secondary" in (await world(there, "fail_over_record", {"zone": made}).plan()).reason


def test_names_are_compared_as_people_write_them() -> None:
    assert plain(r"\052.Example.com.") == "*.example.com"


async def test_what_the_records_are_like_can_be_looked_at_before_they_are_shifted() -> None:
    async with stage("aws.get_records", layers=layers_route53.LAYERS) as there:
        made = weighted(there.aws)
        red(there, "west")
        assert await there.read("aws.get_records", {**SHOP, **made}) == {
            "count": 2,
            "weights": {"central": 1, "west": 3},
            "primary": "",
            "secondary": "",
            "health": {"central": "green", "west": "red"},
        }
        with pytest.raises(NotFound):
            await there.read("aws.get_records", {**SHOP, **made, "name": "none.example.com"})


async def test_failover_records_say_which_is_primary() -> None:
    async with stage("aws.get_records", layers=layers_route53.LAYERS) as there:
        seen = await there.read("aws.get_records", {**SHOP, **paired(there.aws)})
        assert (seen["primary"], seen["secondary"], seen["weights"]) == ("west", "central", {})
