"""Whether an archive is whole, and whose it is: from the file and public keys alone, without store or network."""

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, cast

from halon.contracts.base import Contract, Json, canonical, digest, is_list, is_object
from halon.errors import InvalidInput
from halon.store import tarball
from halon.store.archive import EVIDENCE, HEAD, HEADS, MANIFEST, RECORDS, SIGNATURE, SUMS, Manifest, read_manifest
from halon.store.signing import Head, TrustedKeys
from halon.store.tarball import Member, NotWhole
from halon.store.verification import MAX_PROBLEMS, ZERO, Anchor, RecordRow, objection_to

_SUM = re.compile(r"([0-9a-f]{64})  ([A-Za-z0-9._/-]{1,200})")


class ArchiveReport(Contract):
    """What a verification of an archive found."""

    archive: str
    incident: str = ""
    environment: str = ""
    records: int = 0
    evidence: int = 0
    """Pieces that are in it and are what their names say."""
    anchor: str = ""
    """The head that it leads to, `N:HASH`."""
    signed_at: str = ""
    signed_by: str = ""
    """When and with which trusted key that head was signed; empty when it is not proven."""
    missing: tuple[str, ...] = ()
    """What could not be put in when it was exported."""
    unproven: tuple[str, ...] = ()
    """What no trusted signature covers."""
    problems: tuple[str, ...] = ()
    more_problems: int = 0

    @property
    def ok(self) -> bool:
        """Whether it is whole, and every part of it is signed with a trusted key."""
        return not (self.problems or self.unproven)


def check_archive(path: Path, keys: TrustedKeys, anchors: Sequence[Anchor] = ()) -> ArchiveReport:
    """Prove an archive. It never stops at the first thing that is wrong.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as source:
        try:
            return _Check(source, path.name, keys).report(anchors)
        except NotWhole as error:
            return ArchiveReport(archive=path.name, problems=(f"this is no archive, or not any more: {error}",))


class _Check:
    def __init__(self, source: IO[bytes], name: str, keys: TrustedKeys) -> None:
        self._source = source
        self._name = name
        self._keys = keys
        self._members: Mapping[str, Member] = tarball.index(source)
        self._manifest: Manifest = read_manifest(self._content(MANIFEST))
        self._problems: list[str] = []
        self._unproven: list[str] = []
        self._found = 0

    def report(self, anchors: Sequence[Anchor]) -> ArchiveReport:
        manifest = self._manifest
        self._sums()
        self._signature(SUMS, manifest.archive_key, "the archive as a whole: plans, evidence, Temporal's histories")
        count, last = self._records()
        head = self._heads(count, last, anchors)
        signed = self._signed_head(head)
        pieces = [name for name in self._members if name.startswith(EVIDENCE) and not name.endswith(".json")]
        for name in pieces:
            if self._members[name].digest != name.removeprefix(EVIDENCE):
                self._problem(f"{name} is not the evidence that its name says")
        return ArchiveReport(
            archive=self._name,
            incident=manifest.incident,
            environment=manifest.environment,
            records=count,
            evidence=len(pieces),
            anchor=f"{head[0]}:{head[1]}" if head else "",
            signed_at=signed.at.isoformat() if signed else "",
            signed_by=manifest.head_key if signed else "",
            missing=manifest.missing,
            unproven=tuple(self._unproven),
            problems=tuple(self._problems),
            more_problems=self._found - len(self._problems),
        )

    def _sums(self) -> None:
        told: dict[str, str] = {}
        for line in tarball.lines(self._content(SUMS)):
            match = _SUM.fullmatch(line.decode("ascii", "replace"))
            if match is None or match[2] in told:
                raise NotWhole(f"{SUMS} has a line that does not belong there")
            told[match[2]] = match[1]
        there = {name: one.digest for name, one in self._members.items() if name not in {SUMS, SUMS + SIGNATURE}}
        for name in sorted(told.keys() | there.keys()):
            if name not in there:
                self._problem(f"{name} is gone")
            elif name not in told:
                self._problem(f"{name} was added")
            elif told[name] != there[name]:
                self._problem(f"{name} was changed")

    def _signature(self, name: str, key: str, what: str) -> bool:
        """Whether a trusted key signed a file; otherwise what it covers is not proven, or was changed."""
        if not key or name + SIGNATURE not in self._members:
            self._unproven.append(f"{what}: it is not signed")
            return False
        signature = base64.b64encode(self._content(name + SIGNATURE)).decode()
        objection = self._keys.objection(self._content(name), key, signature)
        if objection and key in self._keys.ids:
            self._problem(f"{name}: {objection}")
        elif objection:
            self._unproven.append(f"{what}: {objection}")
        return not objection

    def _records(self) -> tuple[int, str]:
        """Follow the records; gives how many there are, and the hash of the last one."""
        position, previous = 0, ZERO
        for line in tarball.lines(self._content(RECORDS)):
            position += 1
            row = _row(line, self._manifest.incident, position)
            if objection := objection_to(row, previous):
                self._problem(f"record {position}: {objection}")
            previous = row.hash
        if position != self._manifest.records:
            self._problem(f"there are {position} records, and the manifest says {self._manifest.records}")
        return position, previous

    def _heads(self, count: int, last: str, anchors: Sequence[Anchor]) -> tuple[int, str] | None:
        """Follow the links from the incident's last record; gives the head that they lead to."""
        links = list(tarball.lines(self._content(HEADS)))
        if not links:
            self._problem(f"{HEADS} is empty")
            return None
        found: dict[int, str] = {}
        chain: str | None = None
        for number, line in enumerate(links):
            n, incident, position, head = _link(line, chain)
            if number == 0 and (incident, position, head) != (self._manifest.incident, count, last):
                gone = isinstance(position, int) and position > count
                self._problem(
                    f"the records after {count} are gone, up to {position}"
                    if gone
                    else "the records are not the ones that the store's heads name"
                )
            elif number and incident == self._manifest.incident:
                self._problem(f"the records after {count} are gone, up to {position}")
            if found and n != max(found) + 1:
                self._problem(f"heads between {max(found)} and {n} are gone")
            chain = hashlib.sha256(line).hexdigest()
            found[n] = chain
        for anchor in anchors:
            if anchor.n not in found:
                message = f"heads {min(found)} to {max(found)} are in it, {anchor.name} names head {anchor.n}"
                self._problem(f"it cannot be compared with {anchor.name}: {message}")
            elif found[anchor.n] != anchor.chain:
                self._problem(f"head {anchor.n} is not the one that {anchor.name} names")
        return max(found), found[max(found)]

    def _signed_head(self, head: tuple[int, str] | None) -> Head | None:
        if HEAD not in self._members:
            self._unproven.append("the records: no head behind them is signed")
            return None
        statement = self._content(HEAD)
        try:
            said = Head.read(statement.decode("utf-8", "replace"))
        except InvalidInput as error:
            self._problem(f"{HEAD}: {error}")
            return None
        if head is not None and (said.n, said.chain) != head:
            self._problem(f"the records do not lead to the head that was signed: they end at {head[0]}, {said.n} was")
        if said.environment != self._manifest.environment:
            self._problem(f"the head was signed in {said.environment}, the manifest says {self._manifest.environment}")
        return said if self._signature(HEAD, self._manifest.head_key, "the records") else None

    def _content(self, name: str) -> bytes:
        member = self._members.get(name)
        if member is None:
            raise NotWhole(f"{name} is gone")
        return tarball.content(self._source, member)

    def _problem(self, message: str) -> None:
        self._found += 1
        if len(self._problems) < MAX_PROBLEMS:
            self._problems.append(message)


def _row(line: bytes, incident: str, position: int) -> RecordRow:
    """Give a record as the store would hold it; what is no canonical JSON object is found to be changed."""
    body = line.decode("utf-8", "replace")
    hashed = hashlib.sha256(line).hexdigest()
    try:
        value = cast("Json", json.loads(body))
        if not is_object(value) or canonical(value) != line:
            return RecordRow(incident, position, "", "", body, ZERO)
    except ValueError:
        return RecordRow(incident, position, "", "", body, ZERO)
    record_id = f"{value.get('incident')}/{value.get('writer')}/{value.get('sequence')}"
    content = digest({name: one for name, one in value.items() if name not in {"position", "previous"}})
    return RecordRow(incident, position, record_id, content, body, hashed)


def _link(line: bytes, chain: str | None) -> tuple[int, Json, Json, Json]:
    """Read a line of heads.jsonl, `[chain, n, incident, position, head]`."""
    try:
        value = cast("Json", json.loads(line))
    except ValueError as error:
        raise NotWhole(f"{HEADS} has a line that is not JSON") from error
    if not is_list(value) or len(value) != 5 or not isinstance(value[1], int) or canonical(value) != line:  # noqa: PLR2004  # as they are hashed
        raise NotWhole(f"{HEADS} has a line that is no link")
    if chain is not None and value[0] != chain:
        raise NotWhole(f"head {value[1]} in {HEADS} does not follow the one before it")
    return value[1], value[2], value[3], value[4]
