"""Whether the audit chain is whole. Pure: it is fed rows in order and says what is wrong with which."""

import hashlib
import json
import re
from dataclasses import dataclass
from typing import cast

from halon.contracts.base import Contract, Json, digest
from halon.errors import InvalidInput

MAX_PROBLEMS = 100
"""Findings a report tells; more are only counted."""
ZERO = "0" * 64
"""What the first record and the first head name as the one before."""


class Problem(Contract):
    """One thing that is wrong. `position` is 0 when it is not about one record."""

    incident: str
    position: int
    message: str


class VerifyReport(Contract):
    """What a verification found."""

    incidents: int
    records: int
    anchor: str
    """The head of all, `N:HASH`."""
    problems: tuple[Problem, ...] = ()
    more_problems: int = 0
    """Findings beyond those that are listed."""

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


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

    def __init__(self, incident: str | None, anchor: str | None) -> None:
        self._only = incident
        self._anchor_n, self._anchor_chain = _parsed_anchor(anchor)
        self._n = 0
        self._chain = ZERO
        self._ends: dict[str, tuple[int, str]] = {}
        self._last: RecordRow | None = None
        self._incidents = 0
        self._records = 0
        self._problems: list[Problem] = []
        self._found = 0

    def head(self, row: HeadRow) -> None:
        """Take the next head."""
        if row.n != self._n + 1:
            self._problem(row.incident, 0, f"heads {self._n + 1} to {row.n - 1} of the store are gone")
        elif row.chain != HeadRow.link(self._chain, row.n, row.incident, row.position, row.head):
            self._problem(row.incident, row.position, f"head {row.n} of the store was changed")
        if row.n == self._anchor_n and row.chain != self._anchor_chain:
            self._problem(row.incident, row.position, f"head {row.n} of the store is not the one that the anchor names")
        self._n, self._chain = row.n, row.chain
        if self._only in {None, row.incident}:
            self._ends[row.incident] = (row.position, row.head)

    def record(self, row: RecordRow) -> None:
        """Take the next record."""
        last = self._last
        if last is None or last.incident != row.incident:
            self._end_incident()
            last = None
            self._incidents += 1
        position, previous = (last.position, last.hash) if last else (0, ZERO)
        if row.position != position + 1:
            count = row.position - position - 1
            missing = f"{count} records before {row.position} are gone" if count > 0 else "no record belongs here"
            self._problem(row.incident, position + 1, missing)
        elif wrong := _wrong(row, previous):
            self._problem(row.incident, row.position, wrong)
        self._last = row
        self._records += 1

    def report(self) -> VerifyReport:
        """Say what was found."""
        self._end_incident()
        for incident, (position, _) in sorted(self._ends.items()):
            self._problem(incident, 1, f"all {position} records of the incident are gone")
        if self._anchor_n > self._n:
            self._problem("", 0, f"the store ends at head {self._n}, the anchor names head {self._anchor_n}")
        return VerifyReport(
            incidents=self._incidents,
            records=self._records,
            anchor=f"{self._n}:{self._chain}",
            problems=tuple(self._problems),
            more_problems=self._found - len(self._problems),
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


def _wrong(row: RecordRow, previous: str) -> str:
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


def _parsed_anchor(anchor: str | None) -> tuple[int, str]:
    if anchor is None:
        return 0, ZERO
    match = re.fullmatch(r"(\d{1,18}):([0-9a-f]{64})", anchor.strip())
    if match is None:
        raise InvalidInput("an anchor is N:HASH, as `halon audit verify` prints it")
    return int(match[1]), match[2]
