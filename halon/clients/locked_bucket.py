"""Object storage with retention lock, by the API of S3: what is put there can be neither changed nor deleted in time.

boto3 is synchronous, so each call runs in a thread.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, TypeVar

from boto3.session import Session
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    PartialCredentialsError,
)
from pydantic import SecretStr

from halon.errors import HalonError, Misconfigured, PermissionDenied, TransientError

T = TypeVar("T")
_CONNECT = timedelta(seconds=5)
_READ = timedelta(seconds=10)
MAX_OBJECT = 64 * 1024
"""Bytes that are read of an object."""
MAX_LISTED = 200_000
_REFUSED = frozenset({"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "AllAccessDisabled"})
_WRONG = frozenset({"NoSuchBucket", "InvalidRequest", "InvalidBucketName", "PermanentRedirect"})
_THERE = frozenset({"PreconditionFailed", "412"})


@dataclass(frozen=True, slots=True)
class BucketConfig:
    """Which bucket, and who asks."""

    bucket: str
    region: str | None = None
    endpoint: str | None = None
    access_key: SecretStr | None = None
    secret_key: SecretStr | None = None
    mode: Literal["governance", "compliance"] = "compliance"


class LockedBucket:
    """One bucket that was made with object lock."""

    def __init__(self, config: BucketConfig) -> None:
        self._config = config
        self._client: Any = None

    async def put(self, key: str, body: bytes, until: datetime) -> str:
        """Keep an object that nobody can change or delete before `until`; one that is there stays. Gives where it is.

        Raises:
            PermissionDenied: the credentials may not.
            Misconfigured: there is no such bucket, or it has no object lock.
            TransientError: the storage does not answer.
        """

        def put() -> None:
            try:
                self._s3().put_object(
                    Bucket=self._config.bucket,
                    Key=key,
                    Body=body,
                    ContentType="application/json",
                    ChecksumAlgorithm="SHA256",
                    IfNoneMatch="*",
                    ObjectLockMode=self._config.mode.upper(),
                    ObjectLockRetainUntilDate=until,
                )
            except ClientError as error:
                if _code(error) not in _THERE:
                    raise

        await self._call(put)
        return f"s3://{self._config.bucket}/{key}"

    async def last(self, prefix: str) -> tuple[str, bytes] | None:
        """Give the last object in the order of the alphabet whose key begins with `prefix`; None when none does.

        It is given as it was first put: neither a version that was put over it nor a mark that it is deleted hides it.

        Raises:
            HalonError: as `put` does, or there are too many objects to look through.
        """

        def last() -> tuple[str, bytes] | None:
            s3, found, count = self._s3(), None, 0
            for page in s3.get_paginator("list_object_versions").paginate(Bucket=self._config.bucket, Prefix=prefix):
                # Keys come in order, and the versions of one key from the newest to the oldest.
                for one in page.get("Versions", ()):
                    found, count = one, count + 1
                if count > MAX_LISTED:
                    raise Misconfigured(f"s3://{self._config.bucket}/{prefix} holds more than {MAX_LISTED} objects")
            if found is None:
                return None
            where = {"Bucket": self._config.bucket, "Key": found["Key"], "VersionId": found["VersionId"]}
            return str(found["Key"]), bytes(s3.get_object(**where)["Body"].read(MAX_OBJECT))

        return await self._call(last)

    async def _call(self, call: Callable[[], T]) -> T:
        try:
            return await asyncio.to_thread(call)
        except ClientError as error:
            raise self._problem(error) from error
        except (NoCredentialsError, PartialCredentialsError) as error:
            raise Misconfigured(f"there are no credentials for the bucket {self._config.bucket}: {error}") from error
        except BotoCoreError as error:
            raise TransientError(f"the bucket {self._config.bucket} does not answer: {_first_line(error)}") from error

    def _problem(self, error: Any) -> HalonError:
        code, said = _code(error), _first_line(error)
        if code in _REFUSED:
            return PermissionDenied(f"the bucket {self._config.bucket} does not let these credentials: {said}")
        if code in _WRONG:
            return Misconfigured(f"the bucket {self._config.bucket} cannot be used: {said}")
        return TransientError(f"the bucket {self._config.bucket} refused: {said}")

    def _s3(self) -> Any:
        """Give the client, which is made with the first call: that takes a while."""
        if self._client is None:
            given = self._config
            session: Any = Session()
            self._client = session.client(
                "s3",
                region_name=given.region,
                endpoint_url=given.endpoint,
                aws_access_key_id=given.access_key.get_secret_value() if given.access_key else None,
                aws_secret_access_key=given.secret_key.get_secret_value() if given.secret_key else None,
                config=Config(
                    connect_timeout=_CONNECT.total_seconds(),
                    read_timeout=_READ.total_seconds(),
                    retries={"total_max_attempts": 1},
                    s3={"addressing_style": "path"} if given.endpoint else {},
                ),
            )
        return self._client


def _code(error: Any) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
