"""Keep what AWS knows of an incident: events of its audit trail, and the state of what it is about."""

import json
from dataclasses import replace
from typing import Annotated, Any, ClassVar

from pydantic import StringConstraints

from activities.aws._account import account_of, target
from activities.aws._bucket import BUCKET
from activities.aws._ec2 import LOOK, instance
from activities.aws._trail import LOOK_UP, TrailQuery, look_up, record
from halon.clients.aws.api import Account
from halon.contracts.base import JsonObject
from halon.errors import PermanentError
from halon.kit.action import Output, Permission, Read
from halon.kit.env import Env
from halon.kit.evidence import evidence_store
from halon.redaction import cut_text, redact

MAX_TEXT = 32 * 1024
"""Characters of one text in it."""
_MAX_REASON = 300
_OF_A_BUCKET = (
    "get_bucket_policy",
    "get_public_access_block",
    "get_bucket_acl",
    "get_bucket_versioning",
    "get_bucket_logging",
)


class Evidence(Output):
    """Where the evidence is, and what is in it."""

    digest: str
    """SHA-256 of the evidence, by which the evidence store and `aws.preserve_evidence` find it."""
    size: int
    """Bytes."""
    events: int
    """Events of CloudTrail in it."""
    complete: bool
    """False when there are more events than `pages` hold: the newest ones are in it."""
    described: tuple[str, ...]
    """Of what it holds the state, such as `instance i-0123456789abcdef0`."""
    missing: tuple[str, ...]
    """What could not be looked at, and why; the rest is kept all the same."""


class CollectEvidence(TrailQuery, Read[Evidence]):
    """Keep events of CloudTrail, with all that it has recorded of each, and the state of an instance and of a bucket.

    What looks like a secret is masked. The evidence itself does not travel through Temporal: its digest does. It goes
    to the evidence store of the worker; `aws.preserve_evidence` copies it to where nobody can delete it.
    """

    permissions: ClassVar[tuple[Permission, ...]] = (
        LOOK_UP,
        replace(LOOK, when=(("instance", "*"),)),
        Permission(
            "aws",
            (
                *("s3:GetBucketPolicy", "s3:GetBucketPublicAccessBlock", "s3:GetBucketAcl"),
                *("s3:GetBucketVersioning", "s3:GetBucketLogging"),
            ),
            BUCKET,
            "to keep what is set of the bucket",
            when=(("bucket", "*"),),
        ),
    )
    example: ClassVar[JsonObject] = {
        "attribute": "AccessKeyId",
        "value": "AKIAIOSFODNN7EXAMPLE",
        "since": "1d",
        "pages": 10,
        "bucket": "shop-exports",
    }

    instance: Annotated[str, StringConstraints(pattern=r"^(i-[0-9a-f]{8,17})?$", max_length=19)] = ""
    """An instance whose state is kept, too."""
    bucket: Annotated[str, StringConstraints(pattern=r"^([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])?$", max_length=63)] = ""
    """A bucket whose policy and settings are kept, too."""

    def target(self) -> str:
        """Name what is asked."""
        return target(self.account, self.region, "cloudtrail", "evidence")

    async def run(self, env: Env) -> Evidence:
        """Look, and keep what was seen.

        Raises:
            InvalidInput: CloudTrail has no events of that time.
        """
        store, account = evidence_store(env), account_of(env, self.account)
        asked = self.asked(env.now())
        found = await look_up(account, self.region, asked)
        missing: list[str] = []
        states = await self._states(account, missing)
        document: Any = {
            "collected_at": env.now().isoformat(),
            "account": (await account.identity())["account"],
            "region": self.region or account.region(""),
            "asked": {
                "attribute": self.attribute,
                "value": self.value,
                "start": asked.start.isoformat(),
                "end": asked.end.isoformat(),
                "complete": found.complete,
            },
            "events": [record(one) or {"eventID": one.get("EventId"), "unreadable": True} for one in found.events],
            "states": states,
            "missing": missing,
        }
        data = json.dumps(redact(document, MAX_TEXT), ensure_ascii=False, indent=1).encode()
        kept = await store.put(data, "application/json", f"evidence of {self.attribute} {self.value}.json")
        return Evidence(
            digest=kept.digest,
            size=kept.size,
            events=len(found.events),
            complete=found.complete,
            described=tuple(states),
            missing=tuple(missing),
        )

    async def _states(self, account: Account, missing: list[str]) -> JsonObject:
        """Read the states; what cannot be read is told, and keeps nothing else from being kept."""
        states: JsonObject = {}
        if self.instance:
            try:
                states[f"instance {self.instance}"] = _json(await instance(account, self.region, self.instance))
            except PermanentError as error:
                missing.append(cut_text(f"instance {self.instance}: {error}", _MAX_REASON))
        if not self.bucket:
            return states
        seen: JsonObject = {}
        for operation in _OF_A_BUCKET:
            try:
                answer = await account.call("s3", operation, region=self.region, Bucket=self.bucket)
            except PermanentError as error:  # among them that there is no policy
                missing.append(cut_text(f"bucket {self.bucket}: {error}", _MAX_REASON))
                continue
            seen[operation.removeprefix("get_")] = _json({k: v for k, v in answer.items() if k != "ResponseMetadata"})
        if seen:
            states[f"bucket {self.bucket}"] = seen
        return states


def _json(value: Any) -> Any:
    return json.loads(json.dumps(value, default=str))
