"""Evidence by digest: logs, events and states that are too large for an audit record and must not change afterwards."""

import asyncio
import hashlib
import json
import os
import re
import secrets
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path

from halon.errors import InvalidInput, NotFound, PermanentError, TransientError

MAX_EVIDENCE = 64 * 1024 * 1024
"""Bytes of one piece."""
_MAX_NAME = 200
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class StoredEvidence:
    """Where a piece of evidence is found again, and what it is."""

    digest: str
    """SHA-256 of the bytes, in lower-case hex."""
    size: int
    media_type: str
    name: str
    """What it was called when it was first kept."""


class EvidenceDirectory:
    """A directory in which every file is named by the SHA-256 of its bytes, with a small JSON file of what it is.

    The same bytes are kept once. A file is there whole or not at all: it is written beside its place and renamed.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    async def put(self, data: bytes, media_type: str, name: str) -> StoredEvidence:
        """Keep `data`.

        Raises:
            InvalidInput: it is larger than 64 MiB.
            TransientError: the directory cannot be written.
        """
        if len(data) > MAX_EVIDENCE:
            raise InvalidInput(f"evidence '{name[:_MAX_NAME]}' has {len(data)} bytes; at most {MAX_EVIDENCE} are kept")
        return await asyncio.to_thread(self._put, data, media_type[:_MAX_NAME], name[:_MAX_NAME])

    async def get(self, digest: str) -> bytes:
        """Give the bytes, checked against their digest.

        Raises:
            NotFound: there is no such evidence.
            PermanentError: the file was changed since it was kept.
            TransientError: the directory cannot be read.
        """
        data = await asyncio.to_thread(self._read, self._place(digest), digest)
        if hashlib.sha256(data).hexdigest() != digest:
            raise PermanentError(f"evidence {digest} was changed since it was kept: {self._place(digest)}")
        return data

    async def about(self, digest: str) -> StoredEvidence:
        """Say what a piece of evidence is.

        Raises:
            NotFound: there is no such evidence.
            TransientError: the directory cannot be read.
        """
        about = json.loads(await asyncio.to_thread(self._read, self._place(digest).with_suffix(".json"), digest))
        return StoredEvidence(
            digest=digest, size=int(about["size"]), media_type=str(about["media_type"]), name=str(about["name"])
        )

    async def kept_before(self, cutoff: datetime, limit: int) -> list[str]:
        """Give digests of at most `limit` pieces that were last put before `cutoff`.

        Raises:
            TransientError: the directory cannot be read.
        """
        return await asyncio.to_thread(self._kept_before, cutoff.timestamp(), limit)

    async def remove(self, digest: str, cutoff: datetime) -> bool:
        """Take a piece away unless it was put again since `cutoff`. Gives whether it is gone.

        Raises:
            TransientError: it cannot be removed.
        """
        return await asyncio.to_thread(self._remove, self._place(digest), cutoff.timestamp())

    def _kept_before(self, cutoff: float, limit: int) -> list[str]:
        try:
            places = (place for place in self._directory.glob("??/*") if _DIGEST.fullmatch(place.name))
            return [place.name for place in islice((one for one in places if one.stat().st_mtime < cutoff), limit)]
        except OSError as error:
            raise TransientError(f"the evidence in {self._directory} cannot be listed: {error.strerror}") from error

    def _remove(self, place: Path, cutoff: float) -> bool:
        try:
            if place.stat().st_mtime >= cutoff:
                return False
            place.unlink()
            place.with_suffix(".json").unlink(missing_ok=True)
        except FileNotFoundError:
            return True
        except OSError as error:
            raise TransientError(f"evidence {place.name} cannot be removed: {error.strerror}") from error
        return True

    def _place(self, digest: str) -> Path:
        if _DIGEST.fullmatch(digest) is None:
            raise NotFound(f"'{digest[:80]}' is not a digest: evidence is named by 64 hexadecimal digits")
        return self._directory / digest[:2] / digest

    def _put(self, data: bytes, media_type: str, name: str) -> StoredEvidence:
        digest = hashlib.sha256(data).hexdigest()
        place = self._place(digest)
        about = {"name": name, "media_type": media_type, "size": len(data)}
        try:
            place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            if not place.with_suffix(".json").exists():
                _write(place.with_suffix(".json"), json.dumps(about).encode())
            if not place.exists() or place.stat().st_size != len(data):
                _write(place, data)
            os.utime(place)  # its term begins anew
        except OSError as error:
            raise TransientError(f"evidence cannot be kept in {self._directory}: {error.strerror}") from error
        return StoredEvidence(digest=digest, size=len(data), media_type=media_type, name=name)

    def _read(self, path: Path, digest: str) -> bytes:
        try:
            return path.read_bytes()
        except FileNotFoundError as error:
            raise NotFound(f"there is no evidence {digest} in {self._directory}") from error
        except OSError as error:
            raise TransientError(f"evidence {digest} cannot be read: {error.strerror}") from error


def _write(path: Path, data: bytes) -> None:
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with beside.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
