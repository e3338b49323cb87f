"""Evidence is collected, and kept where nobody can delete it."""

import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import layers_trail
import pytest
from aws_stage import Stage
from emulator import Answer, Call
from layers_evidence import copy
from layers_trail import happened
from operations_evidence import EVIDENCE, TRAIL, keeping
from pydantic import ValidationError
from world import KEY, World
from worlds_security import launched

from activities.aws.collect_evidence import CollectEvidence
from activities.aws.preserve_evidence import PreserveEvidence
from halon.clients.aws.api import AwsApi
from halon.errors import Misconfigured, NotFound, PermanentError, PermissionDenied
from halon.kit.env import Env
from halon.store.evidence import EvidenceDirectory

NOBODY: Any = None
BOTH = {**EVIDENCE, **TRAIL}


def world(there: Stage, **params: Any) -> World:
    return there.world("aws.preserve_evidence", {**BOTH, **params}, NOBODY)


PLACE = PreserveEvidence.model_validate(BOTH).place


def kept(there: Stage) -> dict[str, bytes]:
    s3 = there.aws.admin("s3")
    listed = s3.list_objects_v2(Bucket="evidence").get("Contents", [])
    return {one["Key"]: s3.get_object(Bucket="evidence", Key=one["Key"])["Body"].read() for one in listed}


async def test_what_is_under_a_prefix_is_copied_locked_and_written_down() -> None:
    async with keeping() as there:
        here = world(there, keep="30d")
        plan = await here.plan()
        assert [(row.field, row.after) for row in plan.rows] == [
            ("copies", 2),
            ("bytes", 29),
            ("locked", "COMPLIANCE for 30d"),
        ]
        assert plan.undo.reason
        await here.apply(plan)
        told = await here.confirmed(plan)
        assert (told.state, told.observed["copies"], told.observed["bytes"]) == ("settled", 2, 29)
        files = kept(there)
        place = PreserveEvidence.model_validate(here.params).place
        one, two = f"{place}/objects/2026/one.json", f"{place}/objects/2026/ü two.json"
        assert (files[one], files[two]) == (b"2026/one.json", "2026/ü two.json".encode())
        receipt = json.loads(files[f"{place}/receipt.json"])
        assert {each["name"]: each["sha256"] for each in receipt["kept"]} == {
            name: hashlib.sha256(files[name]).hexdigest() for name in (one, two)
        }
        head = there.aws.admin("s3").head_object(Bucket="evidence", Key=one)
        assert head["ObjectLockMode"] == "COMPLIANCE"
        assert head["ObjectLockRetainUntilDate"] - datetime.now(UTC) > timedelta(days=29)
        assert "keeps it already" in (await here.plan()).reason


async def test_facts_of_the_run_are_kept_without_any_bucket() -> None:
    async with keeping() as there:
        fact = await there.env.get(EvidenceDirectory).put(b'{"pods": 3}', "application/json", "pods")
        here = there.world("aws.preserve_evidence", {**EVIDENCE, "facts": [fact.digest], "mode": "GOVERNANCE"}, NOBODY)
        plan = await here.plan()
        assert "BypassGovernanceRetention" in plan.notes[1]
        await here.apply(plan)
        assert (await here.confirmed(plan)).state == "settled"
        assert (
            kept(there)[f"{PreserveEvidence.model_validate(here.params).place}/facts/{fact.digest}"] == b'{"pods": 3}'
        )
        missing = there.world("aws.preserve_evidence", {**EVIDENCE, "folder": "other", "facts": ["0" * 64]}, NOBODY)
        with pytest.raises(NotFound):
            await missing.plan()


async def test_a_bucket_without_object_lock_is_refused() -> None:
    async with keeping(lock=False) as there:
        plan = await world(there).plan()
        assert (plan.kind, "without object lock" in plan.reason) == ("refused", True)


async def test_a_bucket_of_another_account_is_refused() -> None:
    async with keeping() as there:
        for whose in ("owner", "from_owner"):
            with pytest.raises(PermissionDenied):
                await world(there, **{whose: "999999999999"}).plan()


def _stray(there: Stage) -> None:
    there.aws.admin("s3").put_object(Bucket="evidence", Key=f"{PLACE}/x", Body=b"x")


@pytest.mark.parametrize(
    ("params", "before", "reason"),
    [
        ({"from_prefix": "2027/"}, None, "nothing in s3://trail/2027/"),
        ({"max_objects": 1}, None, "2 objects are more than `max_objects`"),
        ({"folder": "a" * 200, "from_prefix": "long"}, "long", "becomes too long"),
        ({}, "stray", "holds something already, such as x"),
    ],
    ids=["nothing", "many", "long", "not empty"],
)
async def test_what_cannot_be_kept_is_refused(params: Any, before: str | None, reason: str) -> None:
    async with keeping() as there:
        if before == "stray":
            _stray(there)
        elif before:
            there.aws.admin("s3").put_object(Bucket="trail", Key="long" + "x" * 1000, Body=b"x")
        plan = await world(there, **params).plan()
        assert (plan.kind, reason in plan.reason) == ("refused", True), plan.reason


async def test_a_manifest_that_was_written_in_advance_leaves_no_evidence_out() -> None:
    async with keeping() as there:
        what = {"objects": "s3://trail/2026/", "facts": [], "mode": "COMPLIANCE", "keep": "90d"}
        forged = {"what": what, "key": "k", "until": "2027-01-01T00:00:00Z", "pieces": []}
        s3 = there.aws.admin("s3")
        s3.put_object(Bucket="evidence", Key=f"{PLACE}/manifest.json", Body=json.dumps(forged).encode())
        plan = await world(there).plan()
        assert (plan.kind, "none of Halon's" in plan.reason) == ("refused", True)


async def test_other_evidence_of_the_incident_goes_beside_it() -> None:
    async with keeping() as there:
        for params in ({}, {"from_prefix": "2025/"}):
            here = world(there, **params)
            plan = await here.plan()
            await here.apply(plan)
            assert (await here.confirmed(plan)).state == "settled"
        assert len([one for one in kept(there) if one.endswith("receipt.json")]) == 2


async def test_what_is_put_over_the_manifest_or_over_a_copy_changes_nothing() -> None:
    async with keeping() as there:
        here = world(there)
        plan = await here.plan()
        await here.apply(plan)
        s3 = there.aws.admin("s3")
        for name in ("manifest.json", "receipt.json", "objects/2026/one.json"):
            s3.put_object(Bucket="evidence", Key=f"{PLACE}/{name}", Body=b"forged")
        s3.delete_object(Bucket="evidence", Key=f"{PLACE}/objects/2026/ü two.json")
        assert (await here.confirmed(plan)).state == "settled"
        assert (await here.apply(plan)).status == "already"


async def test_what_is_changed_or_deleted_before_it_is_copied_is_told_and_the_rest_is_kept() -> None:
    async with keeping() as there:
        here = world(there)
        plan = await here.plan()

        def late(call: Call) -> Answer:
            call.emulator.admin("s3").delete_object(Bucket="trail", Key="2026/one.json")
            call.emulator.admin("s3").put_object(Bucket="trail", Key="2026/ü two.json", Body=b"forged")
            return copy(call)

        there.aws.layers = {**there.aws.layers, ("s3", "CopyObject"): late}
        await here.apply(plan)
        told = await here.confirmed(plan)
        assert (told.state, "changed or deleted before" in told.reason) == ("broken", True)
        receipt = json.loads(kept(there)[f"{PLACE}/receipt.json"])
        assert sorted(one["name"] for one in receipt["lost"]) == ["objects/2026/one.json", "objects/2026/ü two.json"]


async def test_of_a_bucket_with_versions_the_version_is_copied_that_was_there() -> None:
    async with keeping() as there:
        s3 = there.aws.admin("s3")
        s3.put_bucket_versioning(Bucket="trail", VersioningConfiguration={"Status": "Enabled"})
        s3.put_object(Bucket="trail", Key="2026/one.json", Body=b"as it was")
        here = world(there)
        plan = await here.plan()

        def late(call: Call) -> Answer:
            s3.delete_object(Bucket="trail", Key="2026/one.json")
            return copy(call)

        there.aws.layers = {**there.aws.layers, ("s3", "CopyObject"): late}
        await here.apply(plan)
        assert (await here.confirmed(plan)).state == "settled"
        assert kept(there)[f"{PLACE}/objects/2026/one.json"] == b"as it was"


async def test_a_denial_in_the_middle_keeps_the_rest_and_is_finished_later() -> None:
    async with keeping() as there:
        here = world(there)
        plan = await here.plan()

        def denied(call: Call) -> Answer:
            return call.error("AccessDenied", "Access Denied", 403) if "one" in call.path else copy(call)

        layers = there.aws.layers
        there.aws.layers = {**layers, ("s3", "CopyObject"): denied}
        with pytest.raises(PermissionDenied):
            await here.apply(plan)
        assert sorted(kept(there)) == [f"{PLACE}/manifest.json", f"{PLACE}/objects/2026/ü two.json"]
        there.aws.layers = layers
        again = await here.plan()
        assert again.before == again.after == plan.after
        once = here.writes()
        await here.apply(again, key="i-1/later")
        assert len(here.writes()) == len(once) + 2
        assert (await here.confirmed(again)).state == "settled"


async def test_what_is_not_locked_although_it_was_asked_for_is_an_error() -> None:
    def unlocked(call: Call) -> Answer:
        for name in ("MODE", "RETAIN_UNTIL_DATE"):
            call.environ.pop(f"HTTP_X_AMZ_OBJECT_LOCK_{name}")
        return copy(call)

    async with keeping() as there:
        here = world(there)
        plan = await here.plan()
        there.aws.layers = {**there.aws.layers, ("s3", "CopyObject"): unlocked}
        with pytest.raises(PermanentError, match="has not locked it"):
            await here.apply(plan, KEY)


@pytest.mark.parametrize(
    "params",
    [{}, {"from_bucket": "evidence"}, {"facts": ["x"]}, {"from_bucket": "trail", "keep": "1h"}, {"from_prefix": "a"}],
    ids=["nothing", "itself", "no digest", "short", "prefix alone"],
)
def test_what_is_no_evidence_is_no_call(params: Any) -> None:
    with pytest.raises(ValidationError):
        PreserveEvidence.model_validate({**EVIDENCE, **params})


async def test_events_and_states_are_collected_with_secrets_masked() -> None:
    async with keeping("aws.collect_evidence") as there:
        there.aws.layers = layers_trail.LAYERS
        now = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
        answer = {"responseElements": {"credentials": {"sessionToken": "FwoGZXIvYXdzEXAMPLE"}}}
        happened(there.aws, now - timedelta(minutes=9), "AssumeRole", record=answer)
        instance, _ = launched(there.aws.admin("ec2"))
        env = Env(there.env.get(AwsApi), there.env.get(EvidenceDirectory), now=lambda: now)
        asked = {"attribute": "AccessKeyId", "value": "AKIAIOSFODNN7EXAMPLE", "bucket": "trail", "instance": instance}
        found = await CollectEvidence.model_validate(asked).run(env)
        assert (found.events, found.complete) == (1, True)
        assert found.described == (f"instance {instance}", "bucket trail")
        assert [one.partition(":")[0] for one in found.missing] == ["bucket trail"] * len(found.missing)
        data = await there.env.get(EvidenceDirectory).get(found.digest)
        assert b"AssumeRole" in data
        assert b"FwoGZX" not in data
        assert json.loads(data)["states"][f"instance {instance}"]["InstanceId"] == instance
        again = await CollectEvidence.model_validate(asked).run(env)
        assert again.digest == found.digest


async def test_collecting_needs_an_evidence_store() -> None:
    with pytest.raises(Misconfigured):
        await CollectEvidence(attribute="Username", value="ada").run(Env())
