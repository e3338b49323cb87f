"""The audit chain: records that cannot be changed, removed or swapped without it showing.

Within an incident every record holds the hash of the one before. Across incidents every append adds a row to `heads`,
each holding a hash over the row before, so that a cut-off tail or a removed incident shows as well. What no chain can
show by itself is that the end of everything was cut off, heads included: keep `anchor` elsewhere and verify against it.
"""

import hashlib
import json
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import UTC
from typing import cast

from sqlalchemy import ColumnElement, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from halon.contracts.audit import AuditRecord, StoredRecord
from halon.contracts.base import JsonObject, canonical, digest
from halon.errors import InvalidInput
from halon.redaction import bounded, redact, redact_text
from halon.store.engine import Database
from halon.store.tables import heads, records
from halon.store.verification import ZERO, HeadRow, RecordRow, Verifier, VerifyReport

MAX_APPEND = 1000
"""Records an append: one transaction stays short."""
MAX_DATA = 16_000
"""Bytes of a record's `data` as JSON. What is larger belongs into the evidence store."""
MAX_MESSAGE = 2000
MAX_PAGE = 1000
_ID_CHUNK = 500


class Audit:
    """Appending to the chain, reading it and proving it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def append(self, new: Sequence[AuditRecord], *, first_wins: bool = False) -> list[AuditRecord]:
        """Write records in one transaction, all or none, in their order; give those that were not there yet.

        Writing a record again changes nothing. `first_wins` is for writers whose repeats differ in what does not
        matter, such as the time at which the same alert came again: the record that is there stays.

        Raises:
            InvalidInput: a record with the same id and other content is there, or there are too many records.
            TransientError: the store does not answer.
        """
        if not new:
            return []
        if len(new) > MAX_APPEND:
            raise InvalidInput(f"an append takes at most {MAX_APPEND} records, not {len(new)}")
        wanted: dict[str, AuditRecord] = {}
        for record in map(cleaned, new):
            if record.id in wanted and not first_wins and _content(wanted[record.id]) != _content(record):
                raise _other_content(record)
            wanted.setdefault(record.id, record)
        async with self._database.write() as connection:
            there = await _contents(connection, list(wanted))
            for record_id, content in there.items():
                if not first_wins and _content(wanted[record_id]) != content:
                    raise _other_content(wanted[record_id])
            fresh = [record for record in wanted.values() if record.id not in there]
            if fresh:
                await _write(connection, fresh)
        return fresh

    async def records(self, incident: str, after: int = 0, limit: int = MAX_PAGE) -> list[StoredRecord]:
        """Give an incident's records behind position `after`, in order, at most `limit` of them.

        Raises:
            TransientError: the store does not answer.
        """
        query = (
            select(records.c.body, records.c.hash)
            .where(records.c.incident == incident, records.c.position > after)
            .order_by(records.c.position)
            .limit(min(limit, MAX_PAGE))
        )
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
        return [StoredRecord.model_validate(json.loads(body) | {"hash": hash_}) for body, hash_ in rows]

    async def bodies(self, incident: str) -> list[str]:
        """Give an incident's records exactly as they are hashed, for an export that others can check.

        Raises:
            TransientError: the store does not answer.
        """
        query = select(records.c.body).where(records.c.incident == incident).order_by(records.c.position)
        async with self._database.read() as connection:
            return list((await connection.execute(query)).scalars())

    async def anchor(self) -> str:
        """Give the head of all, `N:HASH`, to be kept where nobody who can write to the store can write.

        Raises:
            TransientError: the store does not answer.
        """
        async with self._database.read() as connection:
            n, chain = await _last_head(connection)
        return f"{n}:{chain}"

    async def verify(self, incident: str | None = None, *, anchor: str | None = None) -> VerifyReport:
        """Prove the chain of one incident, or of all, and that what `anchor` saw is still there.

        Raises:
            InvalidInput: `anchor` is not `N:HASH`.
            TransientError: the store does not answer.
        """
        verifier = Verifier(incident, anchor)
        async with self._database.read() as connection:
            async for head in _stream_heads(connection):
                verifier.head(head)
            async for record in _stream_records(connection, incident):
                verifier.record(record)
        return verifier.report()


def cleaned(record: AuditRecord) -> AuditRecord:
    """Give the record as it is written: secrets masked, sizes bounded, time in UTC. Cleaning twice changes nothing."""
    data = cast("JsonObject", redact(record.data, MAX_DATA))
    return record.model_copy(
        update={
            "at": record.at.astimezone(UTC),
            "message": redact_text(record.message, MAX_MESSAGE),
            "data": bounded(data, MAX_DATA),
        }
    )


def _body(record: AuditRecord, position: int, previous: str) -> str:
    return canonical(record.model_dump(mode="json") | {"position": position, "previous": previous}).decode()


def _content(record: AuditRecord) -> str:
    return digest(record.model_dump(mode="json"))


def _other_content(record: AuditRecord) -> InvalidInput:
    return InvalidInput(f"audit record {record.id} is written already, with other content")


async def _contents(connection: AsyncConnection, ids: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for start in range(0, len(ids), _ID_CHUNK):
        query = select(records.c.id, records.c.content).where(records.c.id.in_(ids[start : start + _ID_CHUNK]))
        found.update((await connection.execute(query)).all())
    return found


async def _write(connection: AsyncConnection, fresh: Iterable[AuditRecord]) -> None:
    ends: dict[str, tuple[int, str]] = {}
    rows: list[dict[str, object]] = []
    for record in fresh:
        if record.incident not in ends:
            ends[record.incident] = await _last_record(connection, record.incident)
        position, previous = ends[record.incident][0] + 1, ends[record.incident][1]
        body = _body(record, position, previous)
        hash_ = hashlib.sha256(body.encode()).hexdigest()
        rows.append(
            {
                "incident": record.incident,
                "position": position,
                "id": record.id,
                "content": _content(record),
                "body": body,
                "hash": hash_,
            }
        )
        ends[record.incident] = (position, hash_)
    await connection.execute(insert(records), rows)
    n, chain = await _last_head(connection)
    links: list[dict[str, object]] = []
    for incident, (position, head) in ends.items():
        n += 1
        chain = HeadRow.link(chain, n, incident, position, head)
        links.append({"n": n, "incident": incident, "position": position, "head": head, "chain": chain})
    await connection.execute(insert(heads), links)


async def _last_record(connection: AsyncConnection, incident: str) -> tuple[int, str]:
    query = (
        select(records.c.position, records.c.hash)
        .where(records.c.incident == incident)
        .order_by(records.c.position.desc())
        .limit(1)
    )
    row = (await connection.execute(query)).first()
    return row or (0, ZERO)


async def _last_head(connection: AsyncConnection) -> tuple[int, str]:
    row = (await connection.execute(select(heads.c.n, heads.c.chain).order_by(heads.c.n.desc()).limit(1))).first()
    return row or (0, ZERO)


async def _stream_heads(connection: AsyncConnection) -> AsyncIterator[HeadRow]:
    query = select(heads.c.n, heads.c.incident, heads.c.position, heads.c.head, heads.c.chain).order_by(heads.c.n)
    async with connection.stream(query) as rows:
        async for row in rows:
            yield HeadRow(*row)


async def _stream_records(connection: AsyncConnection, incident: str | None) -> AsyncIterator[RecordRow]:
    c = records.c
    chosen: list[ColumnElement[bool]] = [] if incident is None else [c.incident == incident]
    query = (
        select(c.incident, c.position, c.id, c.content, c.body, c.hash).where(*chosen).order_by(c.incident, c.position)
    )
    async with connection.stream(query) as rows:
        async for row in rows:
            yield RecordRow(*row)
