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

from sqlalchemy import ColumnElement, func, insert, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from halon.contracts.audit import AuditRecord, StoredRecord
from halon.contracts.base import JsonObject, canonical, digest
from halon.errors import InvalidInput
from halon.redaction import bounded, redact, redact_text
from halon.store.engine import Database
from halon.store.signatures import SignedHead
from halon.store.signing import TrustedKeys
from halon.store.tables import heads, records, signatures
from halon.store.verification import (
    MAX_PROBLEMS,
    RETENTION,
    ZERO,
    Anchor,
    HeadRow,
    RecordRow,
    Verifier,
    VerifyReport,
)

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

    async def verify(
        self, incident: str | None = None, *, anchors: Sequence[Anchor] = (), keys: TrustedKeys | None = None
    ) -> VerifyReport:
        """Prove the chain of one incident, or of all: that what `anchors` saw is still there, and who signed its heads.

        Without `keys` signatures are compared with the chain, and not checked.

        Raises:
            TransientError: the store does not answer.
        """
        verifier = Verifier(incident, anchors, keys or TrustedKeys())
        async with self._database.read() as connection:
            async for head, signed in _stream_heads(connection):
                verifier.head(head)
                if signed is not None:
                    verifier.signature(signed)
            for signed in await _signed_beyond(connection):
                verifier.signature(signed)
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


async def write_within(connection: AsyncConnection, new: Sequence[AuditRecord]) -> None:
    """Append records that are not there yet as part of the caller's own transaction, which must be one that writes."""
    await _write(connection, [cleaned(record) for record in new])


async def _write(connection: AsyncConnection, fresh: Iterable[AuditRecord]) -> None:
    ends: dict[str, tuple[int, str]] = {}
    rows: list[dict[str, object]] = []
    for record in fresh:
        if record.incident not in ends:
            ends[record.incident] = await last_record(connection, record.incident)
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


async def last_record(connection: AsyncConnection, incident: str) -> tuple[int, str]:
    """Give position and hash of an incident's last record, or what its first one follows."""
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


async def _stream_heads(connection: AsyncConnection) -> AsyncIterator[tuple[HeadRow, SignedHead | None]]:
    h, s = heads.c, signatures.c
    query = (
        select(h.n, h.incident, h.position, h.head, h.chain, s.at, s.key, s.statement, s.signature)
        .select_from(heads.outerjoin(signatures, s.n == h.n))
        .order_by(h.n)
    )
    async with connection.stream(query) as rows:
        async for n, incident, position, head, chain, at, key, statement, signature in rows:
            row = HeadRow(n, incident, position, head, chain)
            if key is None:
                yield row, None
            else:
                yield row, SignedHead(n=n, at=at, key=key, statement=statement, signature=signature)


async def _signed_beyond(connection: AsyncConnection) -> list[SignedHead]:
    """Give signatures over heads that are not there any more, the last ones of all."""
    last = select(func.coalesce(func.max(heads.c.n), 0)).scalar_subquery()
    query = select(signatures).where(signatures.c.n > last).order_by(signatures.c.n.desc()).limit(MAX_PROBLEMS)
    return [SignedHead.model_validate(dict(row)) for row in (await connection.execute(query)).mappings()]


async def _stream_records(connection: AsyncConnection, incident: str | None) -> AsyncIterator[RecordRow]:
    """Give records by incident, and with those of one incident what tells of pruned ones."""
    c = records.c
    told = c.incident.startswith(RETENTION, autoescape=True)
    chosen: list[ColumnElement[bool]] = [] if incident is None else [or_(c.incident == incident, told)]
    query = (
        select(c.incident, c.position, c.id, c.content, c.body, c.hash).where(*chosen).order_by(c.incident, c.position)
    )
    async with connection.stream(query) as rows:
        async for row in rows:
            yield RecordRow(*row)
