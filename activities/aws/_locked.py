"""A bucket with object lock, as evidence is put into it, and the objects of another one, as they are copied there."""

import asyncio
import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeAlias

from activities.aws._answers import inner, listed
from halon.clients.aws.api import Account
from halon.clients.aws.failures import AwsNotFound
from halon.errors import Conflict, PermanentError, TransientError
from halon.kit.action import State

Mode: TypeAlias = Literal["COMPLIANCE", "GOVERNANCE"]
MAX_PAGES = 20
"""Of a thousand versions each, of one listing."""
_NO_LOCK = "ObjectLockConfigurationNotFoundError"
_GONE = frozenset({"NoSuchKey", "NoSuchVersion"})
_TRIED = 5
"""Versions of one object that are looked at."""


class Gone(PermanentError):  # noqa: N818  # reads as the fact that it states
    """What was to be copied is no longer there, or is another one."""


class Version(State):
    """One version of an object."""

    name: str
    id: str
    """Empty where the bucket has no versions."""
    size: int
    etag: str
    latest: bool


class Kept(State):
    """A copy that is locked."""

    name: str
    version: str
    size: int
    sha256: str
    """As S3 has computed it, in hex; empty when S3 does not say."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket, and whose it must be: another one of that name, which somebody made meanwhile, is refused by S3."""

    account: Account
    region: str
    name: str
    owner: str

    async def call(self, operation: str, **params: Any) -> dict[str, Any]:
        """Make one call to S3 about this bucket."""
        return await self.account.call(
            "s3", operation, region=self.region, Bucket=self.name, ExpectedBucketOwner=self.owner, **params
        )

    async def locks(self) -> bool:
        """Whether objects in it can be locked."""
        try:
            answer = await self.call("get_object_lock_configuration")
        except AwsNotFound as error:
            if error.code != _NO_LOCK:
                raise
            return False
        return inner(answer, "ObjectLockConfiguration").get("ObjectLockEnabled") == "Enabled"

    async def versions(self, prefix: str) -> list[Version]:
        """List what begins with a prefix, by name, of each name the newest first.

        Raises:
            PermanentError: there is more than a listing may have.
        """
        found: list[Version] = []
        more: dict[str, str] = {}
        for _ in range(MAX_PAGES):
            answer = await self.call("list_object_versions", Prefix=prefix, **more)
            found += [_version(one) for one in listed(answer, "Versions")]
            if not answer.get("IsTruncated"):
                return found
            more = {"KeyMarker": str(answer["NextKeyMarker"]), "VersionIdMarker": str(answer["NextVersionIdMarker"])}
        raise PermanentError(f"s3://{self.name}/{prefix} has more than {MAX_PAGES} pages of versions: name less of it")

    async def read(self, version: Version, most: int) -> bytes:
        """Read an object of at most so many bytes."""
        return await self.account.body(
            "s3",
            "get_object",
            region=self.region,
            most=most,
            Bucket=self.name,
            ExpectedBucketOwner=self.owner,
            Key=version.name,
            **_which(version.id),
        )

    async def put(self, name: str, body: bytes, lock: "Lock", *, once: bool) -> None:
        """Write a locked object, whose digest S3 checks.

        Raises:
            Conflict: there is one already, and it must be written `once`.
        """
        digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
        check = {"ChecksumAlgorithm": "SHA256", "ChecksumSHA256": digest}
        more = {"IfNoneMatch": "*"} if once else {}
        await self.call("put_object", Key=name, Body=body, **check, **more, **lock.params)

    async def copy(self, source: "Bucket", version: Version, name: str, lock: "Lock") -> None:
        """Copy an object of another bucket to here, locked.

        Raises:
            Gone: it is no longer there, or it is another one.
        """
        try:
            await self.call(
                "copy_object",
                Key=name,
                CopySource={"Bucket": source.name, "Key": version.name, **_which(version.id)},
                CopySourceIfMatch=version.etag,
                ExpectedSourceBucketOwner=source.owner,
                ChecksumAlgorithm="SHA256",
                **lock.params,
            )
        except AwsNotFound as error:
            if error.code not in _GONE:
                raise
            raise Gone(str(error)) from error
        except Conflict as error:
            raise Gone(str(error)) from error

    async def kept(self, name: str, versions: Sequence[str], size: int, lock: "Lock") -> Kept | None:
        """Find the version of an object that is locked as long as it must be; None when there is none."""
        for version in versions[:_TRIED]:
            head = await self.call("head_object", Key=name, ChecksumMode="ENABLED", **_which(version))
            if head.get("ContentLength") == size and lock.holds(head):
                digest = base64.b64decode(str(head.get("ChecksumSHA256", "")).partition("-")[0]).hex()
                return Kept(name=name, version=version, size=size, sha256=digest)
        return None


@dataclass(frozen=True, slots=True)
class Lock:
    """How an object is locked."""

    mode: Mode
    until: datetime

    @property
    def params(self) -> dict[str, Any]:
        """The parameters of a write."""
        return {"ObjectLockMode": self.mode, "ObjectLockRetainUntilDate": self.until}

    def holds(self, head: Mapping[str, Any]) -> bool:
        """Whether what S3 says of an object is at least that; what is kept longer, or more strictly, is as well."""
        until, mode = head.get("ObjectLockRetainUntilDate"), head.get("ObjectLockMode")
        strict = mode in {self.mode, "COMPLIANCE"}
        return strict and isinstance(until, datetime) and until >= self.until


async def all_of(work: Sequence[Any]) -> list[Any]:
    """Wait for everything, and only then fail: what can be kept is kept first.

    Raises:
        TransientError: something may go better when it is tried again.
        PermanentError: something cannot.
    """
    results: list[Any] = await asyncio.gather(*work, return_exceptions=True)
    failed = [one for one in results if isinstance(one, BaseException)]
    if failed:
        raise next((one for one in failed if isinstance(one, TransientError)), failed[0])
    return results


def _version(one: Mapping[str, Any]) -> Version:
    version = str(one.get("VersionId") or "null")
    return Version(
        name=str(one["Key"]),
        id="" if version == "null" else version,
        size=int(one.get("Size", 0)),
        etag=str(one.get("ETag", "")),
        latest=bool(one.get("IsLatest")),
    )


def _which(version: str) -> dict[str, str]:
    return {"VersionId": version} if version else {}
