"""Copies of signed heads in object storage: nobody can take them back, and the chain is compared with them."""

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from boto3.session import Session
from botocore.exceptions import ClientError
from moto.server import ThreadedMotoServer
from raw import Raw

from halon.cli.app import execute
from halon.clients.seals import new_private_key
from halon.contracts.audit import AuditKind, AuditRecord
from halon.errors import HalonError, InvalidInput, Misconfigured, TransientError
from halon.settings import Settings
from halon.settings.loading import parse_settings
from halon.store.keeper import Keeper
from halon.store.keys import anchor_bucket, audit_key, last_anchor, trusted_keys
from halon.store.store import Store, open_store

NOW = datetime.now(UTC).replace(microsecond=0)
SECRET = "planted-secret-of-the-bucket"


@pytest.fixture(scope="module")
def storage() -> Iterator[str]:
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3(storage: str) -> Any:
    client: Any = Session().client(
        "s3", endpoint_url=storage, region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b"
    )
    return client


@pytest.fixture
def settings(storage: str, s3: Any, tmp_path: Path, request: pytest.FixtureRequest) -> Settings:
    bucket = f"halon-{abs(hash(request.node.nodeid)):x}"
    s3.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
    return configured(tmp_path, storage, bucket)


def written(storage: str, bucket: str) -> dict[str, Any]:
    """What halon.yaml says."""
    anchor = {
        "bucket": bucket,
        "endpoint": storage,
        "region": "us-east-1",
        "prefix": "lab/",
        "access_key": {"file": "secret"},
        "secret_key": {"file": "secret"},
        "retention": "30d",
    }
    return {"environment": "lab", "audit": {"signing_key": {"file": "audit.key"}, "anchor": anchor}}


def configured(directory: Path, storage: str, bucket: str) -> Settings:
    (directory / "audit.key").write_bytes(new_private_key())
    (directory / "secret").write_text(SECRET)
    return parse_settings(json.dumps(written(storage, bucket)), directory / "halon.yaml")


def bucket_of(settings: Settings) -> str:
    assert settings.audit.anchor is not None
    return settings.audit.anchor.bucket


def keeper(store: Store, settings: Settings) -> Keeper:
    return Keeper(store, settings, audit_key(settings), anchor_bucket(settings))


async def append(store: Store, sequence: int) -> None:
    record = AuditRecord(
        incident="dim-0a1b2c3d4e-01234567",
        writer="r",
        sequence=sequence,
        at=NOW,
        kind=AuditKind.READ,
        message="Looked.",
    )
    await store.audit.append([record])


async def compared(store: Store, settings: Settings) -> str:
    """Say what a verification against the bucket finds."""
    keys = trusted_keys(settings)
    kept = await last_anchor(settings, keys)
    assert kept is not None
    report = await store.audit.verify(anchors=[kept], keys=keys)
    return "; ".join(problem.message for problem in report.problems)


async def test_a_copy_cannot_be_deleted_and_holds_what_was_signed(store: Store, settings: Settings, s3: Any) -> None:
    await append(store, 1)
    await keeper(store, settings).tend(NOW)
    signed = await store.signatures.last_anchored()
    assert signed is not None
    assert signed.anchor == f"s3://{bucket_of(settings)}/lab/000000000001.json"
    (version,) = s3.list_object_versions(Bucket=bucket_of(settings))["Versions"]
    where = {"Bucket": signed.anchor.split("/")[2], "Key": version["Key"], "VersionId": version["VersionId"]}
    kept = s3.get_object(**where)
    assert (kept["ObjectLockMode"], kept["ObjectLockRetainUntilDate"]) == ("COMPLIANCE", NOW + timedelta(days=30))
    body = json.loads(kept["Body"].read())
    assert (body["statement"], body["signature"]) == (signed.statement, signed.signature)
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.delete_object(**where)
    assert await compared(store, settings) == ""


async def test_copies_are_made_at_most_once_in_the_time_and_only_of_what_is_new(
    store: Store, settings: Settings, s3: Any
) -> None:
    keep = keeper(store, settings)
    for minutes in (0, 1, 59, 60, 121):
        await append(store, minutes + 1)
        await keep.tend(NOW + timedelta(minutes=minutes))
    await keep.tend(NOW + timedelta(days=2))
    listed = s3.list_objects_v2(Bucket=bucket_of(settings))["Contents"]
    assert [one["Key"] for one in listed] == [f"lab/{n:012d}.json" for n in (1, 4, 5)]


async def test_a_chain_that_was_cut_off_with_its_heads_and_signatures_does_not_match_its_copy(
    store: Store, raw: Raw, settings: Settings
) -> None:
    await append(store, 1)
    await append(store, 2)
    await keeper(store, settings).tend(NOW)
    await raw("DELETE FROM records WHERE position = 2; DELETE FROM heads WHERE n = 2; DELETE FROM signatures")
    assert (await store.audit.verify()).ok
    assert "the store ends at head 1, the anchor lab/000000000002.json names head 2" in await compared(store, settings)
    await append(store, 3)
    assert "is not the one that the anchor lab/000000000002.json names" in await compared(store, settings)


async def test_neither_a_version_put_over_a_copy_nor_a_mark_that_it_is_deleted_hides_it(
    store: Store, settings: Settings, s3: Any
) -> None:
    await append(store, 1)
    await keeper(store, settings).tend(NOW)
    await append(store, 2)
    await keeper(store, settings).tend(NOW + timedelta(hours=2))
    copy = {"Bucket": bucket_of(settings), "Key": "lab/000000000002.json"}
    s3.put_object(**copy, Body=b"{}")
    s3.delete_object(**copy)
    kept = await last_anchor(settings, trusted_keys(settings))
    assert kept is not None
    assert kept.n == 2
    assert await compared(store, settings) == ""


async def test_something_else_in_its_place_is_not_taken_for_a_copy(store: Store, settings: Settings, s3: Any) -> None:
    await append(store, 1)
    await keeper(store, settings).tend(NOW)
    for body, finding in (
        (b"{}", "is no copy of a head"),
        (b'{"statement":"x","key":"k","signature":"s"}', "not count"),
    ):
        s3.put_object(Bucket=bucket_of(settings), Key=f"lab/{finding[:3]}.json", Body=body)
        with pytest.raises(InvalidInput, match=finding):
            await last_anchor(settings, trusted_keys(settings))


async def test_a_failure_is_noted_and_the_next_try_makes_it_good(store: Store, settings: Settings, s3: Any) -> None:
    bucket = f"{bucket_of(settings)}-later"
    assert settings.audit.anchor is not None
    anchor = settings.audit.anchor.model_copy(update={"bucket": bucket})
    elsewhere = settings.model_copy(update={"audit": settings.audit.model_copy(update={"anchor": anchor})})
    keep = keeper(store, elsewhere)
    await append(store, 1)
    await keep.tend(NOW)
    latest = await store.signatures.latest()
    assert latest is not None
    assert latest.anchored_at is None
    assert "does not exist" in latest.problem
    s3.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
    await keep.tend(NOW)
    latest = await store.signatures.latest()
    assert latest is not None
    assert (latest.anchored_at, latest.problem) == (NOW, "")


async def test_what_goes_wrong_is_one_sentence_without_secrets(tmp_path: Path, storage: str, s3: Any) -> None:
    async def error_of(settings: Settings) -> HalonError:
        bucket = anchor_bucket(settings)
        assert bucket is not None
        with pytest.raises(HalonError) as caught:
            await bucket.put("lab/1.json", b"{}", NOW + timedelta(days=1))
        assert SECRET not in str(caught.value)
        return caught.value

    s3.create_bucket(Bucket="no-lock")
    assert isinstance(await error_of(configured(tmp_path, storage, "no-lock")), Misconfigured)
    assert isinstance(await error_of(configured(tmp_path, storage, "not-there")), Misconfigured)
    assert isinstance(await error_of(configured(tmp_path, "http://127.0.0.1:9", "not-there")), TransientError)


async def test_the_command_tells_of_copies_and_of_what_keeps_them_from_being_made(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "halon.yaml"
    assert settings.audit.anchor is not None
    text = written(settings.audit.anchor.endpoint or "", bucket_of(settings))
    config.write_text(json.dumps({**text, "data_dir": "data"}))
    async with open_store(parse_settings(config.read_bytes(), config)) as store:
        await append(store, 1)

    def run(*arguments: str) -> tuple[int, str]:
        code = execute(["--config", str(config), "audit", *arguments])
        return code, "".join(capsys.readouterr())

    code, said = await asyncio.to_thread(run, "sign")
    assert (code, "copied to s3://" in said) == (0, True)
    code, said = await asyncio.to_thread(run, "verify")
    assert (code, "signed  1 signature, up to head 1 of 1" in said) == (0, True)
    text["audit"]["anchor"]["endpoint"] = "http://127.0.0.1:9"
    config.write_text(json.dumps({**text, "data_dir": "data"}))
    code, said = await asyncio.to_thread(run, "verify")
    assert (code, "the chain was not compared with its copies" in said) == (1, True)
    async with open_store(parse_settings(config.read_bytes(), config)) as store:
        await append(store, 2)
        await keeper(store, parse_settings(config.read_bytes(), config)).tend(NOW + timedelta(hours=2))
    code, said = await asyncio.to_thread(run, "status")
    assert code == 0
    assert "failing   head 2 has no copy: the bucket" in said
