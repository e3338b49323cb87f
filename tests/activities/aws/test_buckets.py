"""Buckets are closed and opened again without touching what others wrote."""

import json
from typing import Any

import pytest
from aws_stage import Stage, stage
from emulator import ACCOUNT, REGION

from activities.aws._bucket import parsed
from halon.contracts.base import JsonObject
from halon.errors import NotFound, PermanentError, PermissionDenied

OTHER = '{"Sid": "web","Effect":"Allow",  "Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::exports/*"}'
OURS: dict[str, Any] = {"Sid": "Halon0x6b", "Effect": "Deny"}
TEXTS = {
    "alone": f'{{"Version":"2012-10-17",\n "Statement" : {OTHER} , "Id":"a"}}',
    "one in a list": f'{{"Statement":[ {OTHER} ]}}',
    "two": f'{{"Id":"[{{\\"", "Statement":[{OTHER} ,\n{OTHER}\n]}}',
}


@pytest.mark.parametrize("name", TEXTS)
def test_a_statement_goes_in_and_out_of_a_policy_and_leaves_no_trace(name: str) -> None:
    text = TEXTS[name]
    with_ours = parsed(text).with_first(OURS)
    assert OTHER in with_ours
    assert json.loads(with_ours)["Statement"][0] == OURS
    assert parsed(with_ours).without("Halon0x6b", alone=parsed(text).alone) == text


def test_the_first_statement_makes_a_policy_and_the_last_one_takes_it_away() -> None:
    made = parsed("").with_first(OURS)
    assert json.loads(made)["Statement"] == [OURS]
    assert parsed(made).without("Halon0x6b", alone=False) == ""


def test_a_statement_is_taken_out_wherever_others_have_moved_it() -> None:
    ours = json.dumps(OURS)
    text = f'{{"Statement":[{OTHER}, {ours}]}}'
    assert json.loads(parsed(text).without("Halon0x6b", alone=False)) == {"Statement": [json.loads(OTHER)]}


@pytest.mark.parametrize("text", ["[", '{"Version":"2012-10-17"}', '{"Statement": 3}', '{"Statement": [', "{,}", "x"])
def test_what_is_no_policy_is_refused(text: str) -> None:
    with pytest.raises(PermanentError, match="policy"):
        parsed(text)


async def bucket(here: Stage, policy: str = "") -> Any:
    s3 = here.aws.admin("s3")
    s3.create_bucket(Bucket="exports", CreateBucketConfiguration={"LocationConstraint": REGION})
    if policy:
        s3.put_bucket_policy(Bucket="exports", Policy=policy)
    return s3


async def test_a_denied_bucket_spares_halon_itself_and_comes_back_as_it_was() -> None:
    async with stage("aws.deny_bucket_access") as here:
        s3 = await bucket(here, TEXTS["alone"])
        world = here.world("aws.deny_bucket_access", {"bucket": "exports", "spare_services": True}, lambda: None)
        plan = await world.plan()
        await world.apply(plan)
        denied = json.loads(s3.get_bucket_policy(Bucket="exports")["Policy"])["Statement"][0]
        role = next(iter(here.aws.roles)).rpartition("/")[2]
        assert denied["Condition"] == {
            "ArnNotLike": {
                "aws:PrincipalArn": [f"arn:aws:iam::{ACCOUNT}:role/*/{role}", f"arn:aws:iam::{ACCOUNT}:role/{role}"]
            },
            "BoolIfExists": {"aws:PrincipalIsAWSService": "false"},
        }
        assert denied["Resource"] == ["arn:aws:s3:::exports", "arn:aws:s3:::exports/*"]
        await world.apply(await world.plan(plan.undo.call, undoing=plan), key="undo")
        assert s3.get_bucket_policy(Bucket="exports")["Policy"] == TEXTS["alone"]


async def test_what_others_add_to_the_policy_meanwhile_stays_when_it_is_undone() -> None:
    async with stage("aws.deny_bucket_access") as here:
        s3 = await bucket(here)
        world = here.world("aws.deny_bucket_access", {"bucket": "exports"}, lambda: None)
        plan = await world.plan()
        await world.apply(plan)
        text = s3.get_bucket_policy(Bucket="exports")["Policy"]
        whole = json.loads(text)
        whole["Statement"].append(json.loads(OTHER))
        s3.put_bucket_policy(Bucket="exports", Policy=json.dumps(whole))
        await world.apply(await world.plan(plan.undo.call, undoing=plan), key="undo")
        assert json.loads(s3.get_bucket_policy(Bucket="exports")["Policy"])["Statement"] == [json.loads(OTHER)]


@pytest.mark.parametrize("params", [{"bucket": "exports"}, {}], ids=["bucket", "account"])
async def test_public_access_is_blocked_and_goes_back_to_what_it_was(params: JsonObject) -> None:
    async with stage("aws.block_public_access") as here:
        s3 = await bucket(here)
        whole, who = here.aws.admin("s3control"), {"AccountId": ACCOUNT}
        if not params:
            whole.put_public_access_block(**who, PublicAccessBlockConfiguration={"IgnorePublicAcls": True})
        world = here.world("aws.block_public_access", params, lambda: None)
        plan = await world.plan()
        assert plan.before == {"blocked": ["IgnorePublicAcls"] if not params else None}
        await world.apply(plan)
        assert (await world.confirmed(plan)).state == "settled"
        now = s3.get_public_access_block(Bucket="exports") if params else whole.get_public_access_block(**who)
        assert list(now["PublicAccessBlockConfiguration"].values()) == [True] * 4
        back = await world.plan(plan.undo.call, undoing=plan)
        assert back.after == plan.before
        await world.apply(back, key="undo")
        assert (await world.confirmed(back)).state == "settled"


@pytest.mark.parametrize("params", [{"bucket": "exports"}, {}], ids=["bucket", "account"])
async def test_what_somebody_else_has_blocked_meanwhile_is_not_the_runs_to_open_again(params: JsonObject) -> None:
    async with stage("aws.block_public_access") as here:
        s3 = await bucket(here)
        world = here.world("aws.block_public_access", params, lambda: None)
        plan = await world.plan()
        everything = dict.fromkeys(
            ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True
        )
        if params:
            s3.put_public_access_block(Bucket="exports", PublicAccessBlockConfiguration=everything)
        else:
            whole = here.aws.admin("s3control")
            whole.put_public_access_block(AccountId=ACCOUNT, PublicAccessBlockConfiguration=everything)
        applied = await world.apply(plan)
        assert (applied.status, applied.ours, world.writes()) == ("already", False, [])


async def test_a_mark_without_its_change_is_no_change() -> None:
    async with stage("aws.block_public_access") as here:
        await bucket(here)
        world = here.world("aws.block_public_access", {"bucket": "exports"}, lambda: None)
        plan = await world.plan()
        here.aws.denied.add("s3:PutBucketPublicAccessBlock")
        with pytest.raises(PermissionDenied):
            await world.apply(plan)
        assert len(world.writes()) == 1  # the mark
        here.aws.denied.clear()
        assert (await world.apply(plan)).status == "applied"
        assert len(world.writes()) == 2


async def test_a_bucket_is_looked_at() -> None:
    async with stage("aws.get_bucket") as here:
        s3 = await bucket(here, TEXTS["two"])
        s3.put_bucket_versioning(Bucket="exports", VersioningConfiguration={"Status": "Enabled"})
        s3.put_bucket_tagging(Bucket="exports", Tagging={"TagSet": [{"Key": "team", "Value": "shop"}]})
        s3.put_bucket_acl(Bucket="exports", ACL="public-read")
        seen = await here.read("aws.get_bucket", {"bucket": "exports"})
        assert seen == {
            "name": "exports",
            "region": REGION,
            "blocked": [],
            "public_by_policy": True,
            "public_by_acl": True,
            "statements": 2,
            "versioning": "Enabled",
            "object_lock": False,
            "encrypted_with": "",
            "logs_to": "",
            "tags": {"team": "shop"},
        }
        with pytest.raises(NotFound):
            await here.read("aws.get_bucket", {"bucket": "none-of-that"})
