"""Playbooks of the catalogue against AWS, from the alert to the end: real processes, real calls, their own rights only.

Their times are shortened, so that hours pass in seconds; whatever else stands in them is as it is shipped.
"""

import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import layers_lambda
import layers_trail
import pytest
from aws_stage import ANYWHERE
from channels import Inbox, serving
from cloud_stage import alert, changed, ended, rights, serve, shortened
from emulator import ACCOUNT, REGION, Answer, Call, Emulator, Layer, emulated
from engine import Engine
from operations_computing import FUNCTION, function
from worlds_security import launched

from halon.contracts.audit import AuditKind
from halon.demo.cluster import DemoCluster
from halon.settings.loading import load_settings


@asynccontextmanager
async def running(root: Path, inbox: Inbox, aws: Emulator, *names: str) -> AsyncIterator[Engine]:
    """An engine with these playbooks, an account, and channels that lead to the inbox."""
    async with DemoCluster() as cluster:
        one = Engine(root, cluster.kubeconfig, shortened(root / "playbooks", *names))
        given = json.loads(one.config.read_text())
        account = {"role": aws.role(rights(*names)), "region": REGION, "endpoint": aws.url, "account_id": ACCOUNT}
        given["aws"] = {"accounts": {"prod": account}}
        channels = ("security", "executives", "legal", "team-platform")
        for channel in channels:
            (root / channel).write_text(f"json://{inbox.address}/{channel}")
        given["notify"] = {"channels": {channel: [{"file": channel}] for channel in channels}}
        one.config.write_text(json.dumps(given))
        one.settings = load_settings(one.config)
        try:
            await serve(one)
            yield one
        finally:
            await one.stop()


def measured(value: Callable[[Call, str], float]) -> Layer:
    """CloudWatch, which knows one series of one value; moto has neither percentiles nor metric math."""

    def answer(call: Call) -> Answer:
        at = int(datetime.now(UTC).timestamp()) - 60
        found = {"Id": "wanted", "Label": "x", "Timestamps": [at], "StatusCode": "Complete"}
        return call.answer({"MetricDataResults": [{**found, "Values": [value(call, call.body.decode())]}]})

    return answer


@pytest.fixture(autouse=True)
def _nobody_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ANYWHERE.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
async def inbox() -> AsyncIterator[Inbox]:
    async with serving() as one:
        yield one


@pytest.fixture
def aws() -> Iterator[Emulator]:
    with emulated({**layers_lambda.LAYERS, **layers_trail.LAYERS}) as one:
        yield one


@pytest.mark.timeout(600)
async def test_a_function_that_starts_cold_is_kept_warm_and_its_instances_are_given_back(
    tmp_path: Path, inbox: Inbox, aws: Emulator
) -> None:
    function(aws)

    def value(call: Call, asked: str) -> float:
        if "UrlRequestLatency" in asked:
            return 240.0 if call.emulator.state.get("provisioned") else 2400.0
        return 9.0 if "ConcurrentExecutions" in asked else 12.0

    aws.layers = {**aws.layers, ("cloudwatch", "GetMetricData"): measured(value)}
    aws.journal.clear()
    async with running(tmp_path, inbox, aws, "cold-starts") as engine:
        row, told = await ended(engine, alert("LambdaColdStarts", function=FUNCTION, alias="live"))
    assert row.outcome == "remediated", row.reason
    assert changed(aws) == [
        "lambda:PutProvisionedConcurrencyConfig",
        "lambda:DeleteProvisionedConcurrencyConfig",
    ], "kept warm once, and given back"
    assert '"ProvisionedConcurrentExecutions": 10' in next(line for line in aws.journal if "PutProv" in line)
    order = [one.kind for one in told]
    assert order.index(AuditKind.VERIFIED) < order.index(AuditKind.LEASE_EXPIRED) < order.index(AuditKind.UNDONE)
    assert aws.state["provisioned"] == {}


@pytest.mark.timeout(600)
async def test_a_bulk_transfer_is_stopped_with_its_evidence_kept_first_and_legal_told(
    tmp_path: Path, inbox: Inbox, aws: Emulator
) -> None:
    s3, iam, ec2 = aws.admin("s3"), aws.admin("iam"), aws.admin("ec2")
    s3.create_bucket(Bucket="shop-exports", CreateBucketConfiguration={"LocationConstraint": REGION})
    iam.create_user(UserName="deployer")
    key = iam.create_access_key(UserName="deployer")["AccessKey"]["AccessKeyId"]
    instance, _ = launched(ec2)
    layers_trail.happened(aws, datetime.now(UTC), "GetBucketAcl", key=key)
    flow = [90_000_000.0, 0.0]
    aws.layers = {
        **aws.layers,
        ("cloudwatch", "GetMetricData"): measured(lambda _call, _asked: flow.pop(0) if len(flow) > 1 else flow[0]),
    }
    aws.journal.clear()
    async with running(tmp_path, inbox, aws, "bucket-exfiltration") as engine:
        sent = alert(
            "Exfiltration:S3/AnomalousBehavior",
            {"summary": "much is read"},
            bucket_name="shop-exports",
            access_key_id=key,
            user_name="deployer",
            instance_id=instance,
        )
        row, told = await ended(engine, sent)
    assert row.outcome == "remediated", row.reason
    looked = [str(one.data.get("action")) for one in told if one.kind is AuditKind.READ]
    first_change = next(one.sequence for one in told if one.kind is AuditKind.ATTEMPTED)
    trail = [one for one in told if one.kind is AuditKind.READ and one.data.get("action") == "aws.collect_evidence"]
    assert len(trail) == 2
    assert all(one.sequence < first_change for one in trail), looked
    made = changed(aws)
    assert made[0] == "ec2:CreateSnapshots", "the volumes are kept before anything is touched"
    order = [made.index(one) for one in ("iam:UpdateAccessKey", "iam:PutUserPolicy", "s3:PutBucketPolicy")]
    assert order == sorted(order)
    assert made.index("s3:PutBucketPolicy") < made.index("ec2:ModifyNetworkInterfaceAttribute")
    (there,) = iam.list_access_keys(UserName="deployer")["AccessKeyMetadata"]
    assert there["Status"] == "Inactive", "the key stays out"
    assert iam.list_user_policies(UserName="deployer")["PolicyNames"] == [], "the denial was a lease"
    assert "s3:DeleteBucketPolicy" in made, "and so was the bucket's"
    (held,) = ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"]
    groups = [each["GroupName"] for one in held["NetworkInterfaces"] for each in one["Groups"]]
    assert groups == ["halon-quarantine"]
    assert inbox.titles("security"), "security on call was called"
    assert inbox.titles("executives") == ["Data may be leaving shop-exports"]
    deadline, reminder = inbox.titles("legal")
    assert "the authority must hear of it until" in deadline
    assert reminder.startswith("Reminder")
