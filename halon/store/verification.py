"""Whether the audit chain is whole. Pure: it is fed rows in order and says what is wrong with which."""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from halon.contracts.audit import AuditKind
from halon.contracts.base import Contract, Json, JsonObject, digest, is_object
from halon.errors import InvalidInput
from halon.store.signatures import SignedHead
from halon.store.signing import Head, TrustedKeys

MAX_PROBLEMS = 100
"""Findings a report tells; more are only counted."""
ZERO = "0" * 64
"""What the first record and the first head name as the one before."""
RETENTION = "retention-"
"""Chains of this name tell what was pruned: `retention-2026-01-02` what was on that day."""


class Problem(Contract):
    """One thing that is wrong. `position` is 0 when it is not about one record."""

    incident: str
    position: int
    message: str


class Pruned(Contract):
    """An incident whose records were taken away on purpose, as the chain tells."""

    incident: str
    records: int
    at: str
    reason: str


class VerifyReport(Contract):
    """What a verification found."""

    incidents: int
    records: int
    anchor: str
    """The head of all, `N:HASH`."""
    signatures: int = 0
    """Signatures over heads that hold."""
    signed: int = 0
    """The last head that such a signature covers."""
    unchecked: int = 0
    """Signatures that nobody could check, because no public key was named."""
    pruned: tuple[Pruned, ...] = ()
    more_pruned: int = 0
    """Pruned incidents beyond those that are listed."""
    problems: tuple[Problem, ...] = ()
    more_problems: int = 0
    """Findings beyond those that are listed."""

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


@dataclass(frozen=True, slots=True)
class Anchor:
    """A head that somebody kept elsewhere."""

    n: int
    chain: str
    name: str = "the anchor"

    @staticmethod
    def parse(text: str) -> "Anchor":
        """Read `N:HASH`.

        Raises:
            InvalidInput: it is something else.
        """
        match = re.fullmatch(r"(\d{1,18}):([0-9a-f]{64})", text.strip())
        if match is None:
            raise InvalidInput("an anchor is N:HASH, as `halon audit verify` prints it")
        return Anchor(int(match[1]), match[2])


@dataclass(frozen=True, slots=True)
class RecordRow:
    """A record as the store holds it."""

    incident: str
    position: int
    id: str
    content: str
    body: str
    hash: str


@dataclass(frozen=True, slots=True)
class HeadRow:
    """The end of an incident's chain after one append, linked to the append before."""

    n: int
    incident: str
    position: int
    head: str
    chain: str

    @staticmethod
    def link(chain: str, n: int, incident: str, position: int, head: str) -> str:
        """Give the hash that ties this head to the `chain` before it."""
        return digest([chain, n, incident, position, head])


class Verifier:
    """Takes all heads in the order of `n`, then the records by incident and position, then gives the report.

    Only the last head of an incident is remembered: a record's hash covers every record before it.
    """

    def __init__(self, incident: str | None, anchors: Sequence[Anchor], keys: TrustedKeys) -> None:
        self._only = incident
        self._anchors = anchors
        self._keys = keys
        self._n = 0
        self._chain: str = ZERO
        self._ends: dict[str, tuple[int, str]] = {}
        self._over: list[tuple[str, int, str]] = []
        """Ends of chains that were begun anew."""
        self._tombstones: dict[tuple[str, int, str], Pruned] = {}
        self._last: RecordRow | None = None
        self._incidents = 0
        self._records = 0
        self._good = self._signed = self._unchecked = 0
        self._problems: list[Problem] = []
        self._found = 0

    def head(self, row: HeadRow) -> None:
        """Take the next head."""
        if row.n != self._n + 1:
            self._problem(row.incident, 0, f"heads {self._n + 1} to {row.n - 1} of the store are gone")
        elif row.chain != HeadRow.link(self._chain, row.n, row.incident, row.position, row.head):
            self._problem(row.incident, row.position, f"head {row.n} of the store was changed")
        for anchor in self._anchors:
            if row.n == anchor.n and row.chain != anchor.chain:
                message = f"head {row.n} of the store is not the one that {anchor.name} names"
                self._problem(row.incident, row.position, message)
        self._n, self._chain = row.n, row.chain
        if self._only in {None, row.incident} or row.incident.startswith(RETENTION):
            before = self._ends.get(row.incident)
            if before is not None and row.position <= before[0]:
                self._over.append((row.incident, *before))
            self._ends[row.incident] = (row.position, row.head)

    def signature(self, signed: SignedHead) -> None:
        """Take the signature over the head that was taken last, or one over a head that is not there."""
        try:
            said = Head.read(signed.statement)
        except InvalidInput as error:
            self._problem("", 0, f"the signature over head {signed.n} was changed: {error}")
            return
        if (said.n, said.chain) != (self._n, self._chain):
            message = f"head {said.n} was signed as another one"
            gone = f"head {signed.n} was signed, and the store ends at head {self._n}"
            self._problem("", 0, gone if signed.n > self._n else message)
        elif not self._keys:
            self._unchecked += 1
        elif objection := self._keys.objection(signed.statement.encode(), signed.key, signed.signature):
            self._problem("", 0, f"the signature over head {signed.n} does not count: {objection}")
        else:
            self._good += 1
            self._signed = signed.n

    def record(self, row: RecordRow) -> None:
        """Take the next record."""
        last = self._last
        if last is None or last.incident != row.incident:
            self._end_incident()
            last = None
            self._incidents += self._only in {None, row.incident}
        position, previous = (last.position, last.hash) if last else (0, ZERO)
        if row.position != position + 1:
            count = row.position - position - 1
            missing = f"{count} records before {row.position} are gone" if count > 0 else "no record belongs here"
            self._problem(row.incident, position + 1, missing)
        elif wrong := objection_to(row, previous):
            self._problem(row.incident, row.position, wrong)
        elif row.incident.startswith(RETENTION):
            self._bury(row)
        self._last = row
        self._records += self._only in {None, row.incident}

    def report(self) -> VerifyReport:
        """Say what was found."""
        self._end_incident()
        pruned: list[Pruned] = []
        for incident, (position, head) in sorted(self._ends.items()):
            tombstone = self._tombstones.get((incident, position, head))
            if tombstone is None:
                self._problem(incident, 1, f"all {position} records of the incident are gone")
            elif self._only in {None, incident}:
                pruned.append(tombstone)
        for incident, position, head in self._over:
            if (incident, position, head) not in self._tombstones:
                self._problem(incident, 1, f"its first {position} records were replaced")
        if self._keys and self._n and not (self._good or self._found):
            self._problem("", 0, "no head of the store is signed with a trusted key")
        for anchor in self._anchors:
            if anchor.n > self._n:
                self._problem("", 0, f"the store ends at head {self._n}, {anchor.name} names head {anchor.n}")
        return VerifyReport(
            incidents=self._incidents,
            records=self._records,
            anchor=f"{self._n}:{self._chain}",
            signatures=self._good,
            signed=self._signed,
            unchecked=self._unchecked,
            pruned=tuple(pruned[:MAX_PROBLEMS]),
            more_pruned=max(0, len(pruned) - MAX_PROBLEMS),
            problems=tuple(self._problems),
            more_problems=self._found - len(self._problems),
        )

    def _bury(self, row: RecordRow) -> None:
        """Remember what a record says was pruned."""
        body = cast("JsonObject", json.loads(row.body))
        data = body.get("data")
        if body.get("kind") != AuditKind.INCIDENT_PRUNED or not is_object(data):
            return
        incident, position, head = data.get("incident"), data.get("position"), data.get("head")
        if isinstance(incident, str) and isinstance(position, int) and isinstance(head, str):
            self._tombstones[incident, position, head] = Pruned(
                incident=incident, records=position, at=str(body.get("at")), reason=str(data.get("reason", ""))
            )

    def _end_incident(self) -> None:
        last = self._last
        if last is None:
            return
        position, head = self._ends.pop(last.incident, (0, ZERO))
        if last.position < position:
            self._problem(
                last.incident, last.position + 1, f"the records after {last.position} are gone, up to {position}"
            )
        elif last.position > position:
            self._problem(last.incident, position + 1, f"the records after {position} are in no head of the store")
        elif last.hash != head:
            self._problem(last.incident, position, "the record is not the one that the store's heads name")

    def _problem(self, incident: str, position: int, message: str) -> None:
        self._found += 1
        if len(self._problems) < MAX_PROBLEMS:
            self._problems.append(Problem(incident=incident, position=position, message=message))


def objection_to(row: RecordRow, previous: str) -> str:
    """Say what is wrong with a record that stands where it should, or give nothing."""
    if hashlib.sha256(row.body.encode("utf-8", "surrogatepass")).hexdigest() != row.hash:
        return "the record was changed"
    try:
        body = cast("Json", json.loads(row.body))
    except ValueError:
        body = None
    if not isinstance(body, dict):
        return "the record is not JSON"
    if body.pop("previous", None) != previous:
        return "the record does not follow the one before it"
    if (body.pop("position", None), body.get("incident")) != (row.position, row.incident):
        return "the record was moved here from another place"
    if row.id != f"{body.get('incident')}/{body.get('writer')}/{body.get('sequence')}" or row.content != digest(body):
        return "the record's index was changed"
    return ""
