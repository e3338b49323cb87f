"""Evidence that is kept: what is there before, and what somebody else does to it."""

import json
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import layers_evidence
from aws_stage import Stage, stage
from emulator import REGION
from world import Opening, World

from activities.aws.preserve_evidence import PreserveEvidence
from halon.contracts.base import JsonObject
from halon.store.evidence import EvidenceDirectory

EVIDENCE: JsonObject = {"bucket": "evidence", "folder": "incidents/i-1"}
TRAIL: JsonObject = {"from_bucket": "trail", "from_prefix": "2026/"}


def bucket(there: Stage, name: str, *, lock: bool = False) -> Any:
    s3 = there.aws.admin("s3")
    where = {"LocationConstraint": REGION}
    s3.create_bucket(Bucket=name, CreateBucketConfiguration=where, ObjectLockEnabledForBucket=lock)
    return s3


@asynccontextmanager
async def keeping(action: str = "aws.preserve_evidence", *, lock: bool = True) -> AsyncIterator[Stage]:
    """A stage with an evidence store, a bucket `evidence`, and a bucket `trail` with two objects and an older one."""
    with tempfile.TemporaryDirectory() as directory:
        store = EvidenceDirectory(Path(directory))
        async with stage(action, layers=layers_evidence.LAYERS, more=(store,)) as there:
            bucket(there, "evidence", lock=lock)
            s3 = bucket(there, "trail")
            for name in ("2025/old", "2026/one.json", "2026/ü two.json"):
                s3.put_object(Bucket="trail", Key=name, Body=name.encode())
            yield there


@asynccontextmanager
async def _preserving() -> AsyncIterator[World]:
    async with keeping() as there:
        fact = await there.env.get(EvidenceDirectory).put(b"{}", "application/json", "fact")

        def drift() -> None:
            other: JsonObject = {
                "what": {"objects": "s3://other/"},
                "key": "k",
                "until": "2027-01-01T00:00:00Z",
                "pieces": [],
            }
            s3 = there.aws.admin("s3")
            s3.put_object(Bucket="evidence", Key=f"{place}/manifest.json", Body=json.dumps(other).encode())

        params: JsonObject = {**EVIDENCE, **TRAIL, "facts": [fact.digest]}
        place = PreserveEvidence.model_validate(params).place
        yield there.world("aws.preserve_evidence", params, drift)


WORLDS: dict[str, Opening] = {"aws.preserve_evidence": _preserving}
