"""Archives in which every byte follows from names and contents: tar without times, owners, or room for more.

What differs from what `write` would have written is refused when it is read, so that a digest over the contents is one
over the whole file.
"""

import hashlib
import io
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from halon.errors import InvalidInput

TOP = "halon-audit/"
"""The directory that everything is in."""
MAX_MEMBERS = 10_000
MAX_MEMBER = 256 * 1024 * 1024
MAX_ARCHIVE = 2 * 1024 * 1024 * 1024
"""Bytes of one file, and of all."""
_BLOCK = 512
_CHUNK = 1024 * 1024
_END = bytes(2 * _BLOCK)


class NotWhole(Exception):  # noqa: N818  # reads as the fact that it states
    """The file is no archive of ours, or not any more; the message says where."""


@dataclass(frozen=True, slots=True)
class Member:
    """Where a file is in an archive, and what it is."""

    offset: int
    size: int
    digest: str


def write(target: IO[bytes], files: Iterable[tuple[str, Path]]) -> None:
    """Write files into an archive, in the order given.

    Raises:
        InvalidInput: they are too many or too large.
    """
    count = total = 0
    for name, path in files:
        size = path.stat().st_size
        count, total = count + 1, total + size
        if count > MAX_MEMBERS or size > MAX_MEMBER or total > MAX_ARCHIVE:
            bounds = f"{MAX_MEMBERS} files, {MAX_MEMBER} bytes in one and {MAX_ARCHIVE} in all"
            raise InvalidInput(f"the archive would be too large at {name}: it takes {bounds}")
        target.write(_header(name, size))
        with path.open("rb") as source:
            while chunk := source.read(_CHUNK):
                target.write(chunk)
        target.write(bytes(-size % _BLOCK))
    target.write(_END)


def index(source: IO[bytes]) -> Mapping[str, Member]:
    """Read an archive to its end, and give what is in it by name.

    Raises:
        NotWhole: it is not exactly what `write` writes.
    """
    found: dict[str, Member] = {}
    offset = total = 0
    while True:
        block = source.read(_BLOCK)
        if block == bytes(_BLOCK):
            if source.read(_BLOCK + 1) != bytes(_BLOCK):
                raise NotWhole("its end is not where it should be")
            return found
        name, size = _named(block, offset)
        total += size
        if len(found) >= MAX_MEMBERS or size > MAX_MEMBER or total > MAX_ARCHIVE:
            raise NotWhole(f"it is larger than any archive that Halon writes, at {name}")
        if name in found:
            raise NotWhole(f"{name} is in it twice")
        found[name] = Member(offset + _BLOCK, size, _digest(source, size, name))
        if source.read(-size % _BLOCK) != bytes(-size % _BLOCK):
            raise NotWhole(f"there is something behind {name} that does not belong there")
        offset += _BLOCK + size + -size % _BLOCK


def content(source: IO[bytes], member: Member) -> bytes:
    """Give a file's bytes."""
    source.seek(member.offset)
    return source.read(member.size)


def _header(name: str, size: int) -> bytes:
    info = tarfile.TarInfo(TOP + name)
    info.size, info.mode = size, 0o444
    return info.tobuf(tarfile.USTAR_FORMAT)


def _named(block: bytes, offset: int) -> tuple[str, int]:
    """Read a header, and see that it is the one that we would have written."""
    try:
        info = tarfile.TarInfo.frombuf(block, "utf-8", "strict")
        name = info.name.removeprefix(TOP)
        if info.name.startswith(TOP) and _header(name, info.size) == block:
            return name, info.size
    except (tarfile.HeaderError, ValueError):
        pass
    raise NotWhole(f"it is not as Halon wrote it, at byte {offset}")


def _digest(source: IO[bytes], size: int, name: str) -> str:
    hashed, left = hashlib.sha256(), size
    while left:
        chunk = source.read(min(left, _CHUNK))
        if not chunk:
            raise NotWhole(f"it ends in the middle of {name}")
        hashed.update(chunk)
        left -= len(chunk)
    return hashed.hexdigest()


def lines(data: bytes) -> Iterable[bytes]:
    """Give lines without their ends; every one must have its own."""
    for line in io.BytesIO(data):
        if not line.endswith(b"\n"):
            raise NotWhole("a line has no end")
        yield line[:-1]
