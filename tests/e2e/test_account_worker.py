"""An account with a worker of its own: it alone holds the account's credentials; without it a run is refused."""

import asyncio
import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from aws_stage import ANYWHERE
from cloud_stage import alert, changed, ended, rights, serve, shortened
from emulator import ACCOUNT, REGION, Emulator, emulated
from engine import Engine
from target_site import halon, own_worker

from halon.contracts.audit import AuditKind
from halon.settings.loading import load_settings

PLAYBOOK = "guardduty-bucket-policy"
COMMAND = "`halon worker --for account:prod`"


@pytest.fixture
def aws() -> Iterator[Emulator]:
    with emulated() as one:
        yield one


@pytest.mark.timeout(400)
async def test_an_account_is_reached_by_its_own_worker_alone_and_without_it_a_run_is_refused(
    tmp_path: Path, aws: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in ANYWHERE.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):  # nobody but the account's worker is given them
        monkeypatch.delenv(name)
    s3 = aws.admin("s3")
    s3.create_bucket(Bucket="exports", CreateBucketConfiguration={"LocationConstraint": REGION})
    engine = Engine(tmp_path, tmp_path / "nowhere", shortened(tmp_path / "playbooks", PLAYBOOK))
    given = json.loads(engine.config.read_text())
    given["aws"] = {"accounts": {"prod": {"worker": True, "account_id": ACCOUNT, "region": REGION}}}
    engine.config.write_text(json.dumps(given))
    engine.settings = load_settings(engine.config)
    given["aws"]["accounts"]["prod"] |= {"role": aws.role(rights(PLAYBOOK)), "endpoint": aws.url}
    there = tmp_path / "prod.yaml"
    there.write_text(json.dumps(given))
    opened = {"finding_id": "f-1", "bucket_name": "exports"}
    own = None
    try:
        await serve(engine)
        row, _ = await ended(engine, alert("Policy:S3/BucketAnonymousAccessGranted", **opened))
        assert row.outcome == "refused", row
        assert f"no worker for account {ACCOUNT}" in row.reason, "a finding calls an account by its number"
        assert COMMAND in row.reason
        assert changed(aws) == []
        shown, asked = await asyncio.gather(
            halon(engine, "workers", "--json"), halon(engine, "preflight", "aws", "--json")
        )
        assert shown[0] == 1
        assert {one["target"]: bool(one["pollers"]) for one in shown[1]["workers"]} == {
            "central": True,
            "account:prod": False,
        }
        assert asked[0] == 1
        assert [(one["setting"], one["state"]) for one in asked[1]["workers"]] == [
            ("aws.accounts.prod.worker", "missing")
        ]

        credentials = {name: ANYWHERE[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
        own = await own_worker(engine, "account:prod", there, credentials)
        row, told = await ended(engine, alert("Policy:S3/BucketAnonymousAccessGranted", **opened))
        assert row.outcome == "remediated", row
        assert changed(aws).count("s3:PutBucketPublicAccessBlock") == 1
        assert all(s3.get_public_access_block(Bucket="exports")["PublicAccessBlockConfiguration"].values())
        (attempted,) = (one for one in told if one.kind is AuditKind.ATTEMPTED)
        assert attempted.data["worker"] == "account:prod"
    finally:
        if own is not None:
            own.send_signal(signal.SIGTERM)
            await own.wait()
        await engine.stop()
