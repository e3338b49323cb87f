"""Who did what is looked up in CloudTrail, and an instance is looked at."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import layers_trail
import pytest
from aws_stage import Stage, stage
from layers_trail import happened
from pydantic import ValidationError
from worlds_security import launched

from activities.aws.lookup_events import Events, LookupEvents
from halon.clients.aws.api import AwsApi
from halon.errors import InvalidInput, NotFound, PermissionDenied, TransientError
from halon.kit.env import Env

NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
KEY = {"attribute": "AccessKeyId", "value": "AKIAIOSFODNN7EXAMPLE"}


def ago(minutes: float) -> datetime:
    return NOW - timedelta(minutes=minutes)


async def ask(there: Stage, **params: Any) -> Events:
    env = Env(there.env.get(AwsApi), now=lambda: NOW)
    return await LookupEvents.model_validate({**KEY, **params}).run(env)


async def test_events_of_a_key_are_told_and_counted_and_those_of_others_are_not() -> None:
    async with stage("aws.lookup_events", layers=layers_trail.LAYERS) as there:
        happened(there.aws, ago(70), "CreateUser")
        happened(there.aws, ago(30), "CreateAccessKey", record={"errorCode": "AccessDenied"})
        happened(there.aws, ago(20), "ListUsers", ReadOnly="true", ip="198.51.100.1")
        happened(there.aws, ago(10), "CreateAccessKey")
        happened(there.aws, ago(5), "CreateAccessKey", key="AKIAOTHER0000000000")
        found = await ask(there)
        assert (found.total, found.complete, found.failed, found.no_data) == (3, True, 1, False)
        assert found.counts == {"CreateAccessKey": 2, "ListUsers": 1}
        assert [one.name for one in found.events] == ["CreateAccessKey", "ListUsers", "CreateAccessKey"]
        assert (found.first, found.last) == (ago(30), ago(10))
        assert found.addresses == ("192.0.2.7", "198.51.100.1")
        assert found.users == ("ada",)
        newest, oldest = found.events[0], found.events[-1]
        assert (newest.ip, newest.region, newest.resources) == ("192.0.2.7", "eu-west-1", ("ada",))
        assert oldest.error == "AccessDenied"
        assert (await ask(there, changes_only=True)).counts == {"CreateAccessKey": 2}
        assert (await ask(there, until="2026-01-02T02:00:00+00:00", since="30m")).counts == {"CreateUser": 1}


async def test_nothing_is_no_data() -> None:
    async with stage("aws.lookup_events", layers=layers_trail.LAYERS) as there:
        found = await ask(there)
        assert (found.no_data, found.total, found.first, found.complete) == (True, 0, None, True)


async def test_pages_are_read_at_two_a_second_and_as_many_as_are_wanted() -> None:
    async with stage("aws.lookup_events", layers=layers_trail.LAYERS) as there:
        for number in range(160):
            happened(there.aws, ago(1 + number / 10), f"Event{number}")
        begun = time.monotonic()
        found = await ask(there, pages=3)
        assert time.monotonic() - begun > 0.9
        assert (found.total, len(found.events), len(found.counts), found.complete) == (150, 100, 50, False)
        assert found.events[0].name == "Event0"


async def test_a_refusal_of_a_later_page_is_waited_out_and_many_are_told() -> None:
    async with stage("aws.lookup_events", layers=layers_trail.LAYERS) as there:
        for number in range(60):
            happened(there.aws, ago(1 + number / 10), "CreateUser")
        there.aws.state["refusing"] = 1
        assert (await ask(there)).total == 60
        there.aws.throttling = True
        with pytest.raises(TransientError, match="Rate exceeded"):
            await ask(there)


async def test_a_record_that_cannot_be_read_hides_no_event() -> None:
    async with stage("aws.lookup_events", layers=layers_trail.LAYERS) as there:
        happened(there.aws, ago(3), "ConsoleLogin", CloudTrailEvent="{cut")
        happened(there.aws, ago(2), "ConsoleLogin", CloudTrailEvent="[]", Username="")
        found = await ask(there)
        assert [(one.name, one.ip) for one in found.events] == [("ConsoleLogin", ""), ("ConsoleLogin", "")]


async def test_a_missing_right_and_a_time_that_is_gone_are_told() -> None:
    async with stage("aws.lookup_events", layers=layers_trail.LAYERS) as there:
        with pytest.raises(InvalidInput, match="keeps 90 days"):
            await ask(there, until="2025-09-01T00:00:00Z")
        there.aws.denied.add("cloudtrail:LookupEvents")
        with pytest.raises(PermissionDenied, match="cloudtrail:LookupEvents"):
            await ask(there)


@pytest.mark.parametrize(
    "params",
    [{"until": "yesterday"}, {"until": "2026-13-01T00:00:00Z"}, {"since": "91d"}, {"since": "0s"}, {"pages": 21}],
    ids=["words", "month", "too far", "nothing", "pages"],
)
def test_what_is_no_time_range_is_refused(params: Any) -> None:
    with pytest.raises(ValidationError):
        LookupEvents.model_validate({**KEY, **params})


async def test_an_instance_is_looked_at() -> None:
    async with stage("aws.describe_instance") as there:
        ec2 = there.aws.admin("ec2")
        name, vpc = launched(ec2)
        ec2.create_tags(Resources=[name], Tags=[{"Key": "Name", "Value": "web-1"}, {"Key": "token", "Value": "s3cr3t"}])
        seen = await there.read("aws.describe_instance", {"instance": name})
        assert (seen["name"], seen["state"], seen["type"], seen["vpc"]) == ("web-1", "running", "t3.micro", vpc)
        assert seen["tags"] == {"Name": "web-1", "token": "[redacted]"}
        (volume,) = seen["volumes"]
        assert volume["id"].startswith("vol-")
        (group,) = seen["security_groups"]
        assert group.startswith("sg-")
        assert (len(seen["interfaces"]), seen["keepers"], seen["spot"]) == (1, [], False)
        ec2.terminate_instances(InstanceIds=[name])
        assert (await there.read("aws.describe_instance", {"instance": name}))["state"] == "terminated"


async def test_an_instance_that_is_not_there_is_not_found() -> None:
    async with stage("aws.describe_instance") as there:
        with pytest.raises(NotFound):
            await there.read("aws.describe_instance", {"instance": "i-0123456789abcdef0"})
