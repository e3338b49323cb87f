"""What is kept for how long: legal holds, and taking away whole incidents so that the chain still proves itself.

Pruning never touches the heads, and tells in a chain of its own, `retention-<day>`, what it took away: verification
accepts that records are gone only when such a record names exactly their end. It is hashed, signed and anchored like
every other one.
"""

import json
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import cast

from sqlalchemy import ColumnElement, delete, exists, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from halon.contracts.audit import AuditKind, AuditRecord
from halon.contracts.base import Contract, Json, JsonObject
from halon.errors import Conflict, InvalidInput, NotFound
from halon.redaction import redact_text
from halon.settings.retention import RetentionSettings
from halon.store.audit import last_record, write_within
from halon.store.engine import Database
from halon.store.evidence import EvidenceDirectory
from halon.store.tables import conditions, episodes, heads, holds, incidents, records
from halon.store.verification import RETENTION, ZERO, RecordRow, objection_to

MAX_REASON = 500
MAX_HOLDS = 1000
_DIGEST = re.compile(r"\b[0-9a-f]{64}\b")
_DIGESTS_A_RECORD = 200
_LOOKED_AT = 10_000
"""Chains of no incident that are looked at in one go."""


class Hold(Contract):
    """Why an incident is kept whatever its age."""

    incident: str
    reason: str
    by: str
    at: datetime


class Gone(Contract):
    """An incident, or a chain of records of none, that was pruned or would be."""

    incident: str
    records: int
    ended_at: datetime
    reason: str


class PruneReport(Contract):
    """What pruning took away, or would take away."""

    dry_run: bool
    incidents: tuple[Gone, ...] = ()
    evidence: tuple[str, ...] = ()
    held: int = 0
    """Incidents that are past their term and on hold."""
    broken: tuple[str, ...] = ()
    """Incidents whose records are not whole: they are kept, for pruning would hide what was done to them."""
    more: bool = False
    """Whether there is more to prune than one go takes."""


class Retention:
    """Holds, and pruning, over one database and one directory of evidence."""

    def __init__(self, database: Database, evidence: EvidenceDirectory | None) -> None:
        self._database = database
        self._evidence = evidence

    async def hold(self, wanted: Hold) -> None:
        """Keep an incident whatever its age.

        Raises:
            NotFound: nothing is known of the incident.
            Conflict: it is on hold already.
            InvalidInput: the reason is empty.
            TransientError: the store does not answer.
        """
        reason = _checked(wanted.reason)
        async with self._database.write() as connection:
            position, _ = await last_record(connection, wanted.incident)
            known = await connection.execute(select(incidents.c.id).where(incidents.c.id == wanted.incident))
            if not position and known.first() is None:
                raise NotFound(f"nothing is known of incident {wanted.incident}")
            there = await _hold_on(connection, wanted.incident)
            if there is not None:
                raise Conflict(f"{wanted.incident} is on hold already, by {there.by}: {there.reason}")
            await connection.execute(insert(holds).values(wanted.model_copy(update={"reason": reason}).model_dump()))
            said = f"On legal hold: {reason}"
            await _tell(connection, AuditKind.LEGAL_HOLD_PLACED, wanted, said, {"reason": reason})

    async def release(self, wanted: Hold) -> None:
        """End the hold of an incident.

        Raises:
            Conflict: it is not on hold.
            InvalidInput: the reason is empty.
            TransientError: the store does not answer.
        """
        reason = _checked(wanted.reason)
        async with self._database.write() as connection:
            there = await _hold_on(connection, wanted.incident)
            if there is None:
                raise Conflict(f"{wanted.incident} is not on hold")
            await connection.execute(delete(holds).where(holds.c.incident == wanted.incident))
            data: JsonObject = {"reason": reason, "held": there.reason, "held_by": there.by}
            await _tell(connection, AuditKind.LEGAL_HOLD_RELEASED, wanted, f"Legal hold ended: {reason}", data)

    async def holds(self) -> Sequence[Hold]:
        """Give all holds, oldest first.

        Raises:
            TransientError: the store does not answer.
        """
        async with self._database.read() as connection:
            rows = await connection.execute(select(holds).order_by(holds.c.at, holds.c.incident).limit(MAX_HOLDS))
            return [Hold.model_validate(dict(row)) for row in rows.mappings()]

    async def prune(self, terms: RetentionSettings, by: str, now: datetime, *, dry_run: bool) -> PruneReport:
        """Take away what is past its term, at most one batch; with `dry_run` only say what.

        Raises:
            TransientError: the store, or the directory of evidence, does not answer.
        """
        due, held, more = await self._due(terms, now)
        gone: list[Gone] = []
        broken: list[str] = []
        for one in due:
            if not await self._is_whole(one.incident):
                broken.append(one.incident)
            elif dry_run or await self._take_away(one, by, now):
                gone.append(one)
        evidence = await self._prune_evidence(terms, by, now, dry_run=dry_run)
        return PruneReport(
            dry_run=dry_run,
            incidents=tuple(gone),
            evidence=tuple(evidence),
            held=held,
            broken=tuple(broken),
            more=more or len(evidence) == terms.batch,
        )

    async def _due(self, terms: RetentionSettings, now: datetime) -> tuple[list[Gone], int, bool]:
        found: list[Gone] = []
        held = 0
        i = incidents.c
        async with self._database.read() as connection:
            if terms.incidents is not None:
                old = (i.state == "closed", i.closed_at < now - terms.incidents)
                count = select(func.count()).select_from(incidents).where(*old, _is_held(i.id))
                held = (await connection.execute(count)).scalar_one()
                query = select(i.id, i.closed_at).where(*old, ~_is_held(i.id)).order_by(i.closed_at, i.id)
                reason = f"incidents are kept for {_days(terms.incidents)} after their end"
                for incident, closed_at in (await connection.execute(query.limit(terms.batch + 1))).all():
                    position, _ = await last_record(connection, incident)
                    found.append(Gone(incident=incident, records=position, ended_at=closed_at, reason=reason))
            if terms.records is not None and len(found) <= terms.batch:
                reason = f"records of no incident are kept for {_days(terms.records)}"
                found += await _chains_of_no_incident(connection, now - terms.records, reason, terms.batch + 1)
        return found[: terms.batch], held, len(found) > terms.batch

    async def _is_whole(self, incident: str) -> bool:
        c = records.c
        query = select(c.incident, c.position, c.id, c.content, c.body, c.hash).where(c.incident == incident)
        position, previous = 0, ZERO
        async with self._database.read() as connection:
            async with connection.stream(query.order_by(c.position)) as rows:
                async for values in rows:
                    row = RecordRow(*values)
                    if row.position != position + 1 or objection_to(row, previous):
                        return False
                    position, previous = row.position, row.hash
            return (position, previous) == await _last_head_of(connection, incident)

    async def _take_away(self, one: Gone, by: str, now: datetime) -> bool:
        """Prune one incident, unless it was put on hold, reopened or written to since."""
        async with self._database.write() as connection:
            position, head = await last_record(connection, one.incident)
            if position != one.records or await _hold_on(connection, one.incident) is not None:
                return False
            i = incidents.c
            row = (await connection.execute(select(incidents).where(i.id == one.incident))).mappings().first()
            if row is not None and (row["state"] != "closed" or row["closed_at"] != one.ended_at):
                return False
            data: dict[str, Json] = {
                "incident": one.incident,
                "position": position,
                "head": head,
                "ended_at": one.ended_at.isoformat(),
                "outcome": str(row["outcome"]) if row else "",
                "reason": one.reason,
            }
            said = f"Pruned {one.incident} with {position} records: {one.reason}"
            where = Hold(incident=f"{RETENTION}{now:%Y-%m-%d}", reason=one.reason, by=by, at=now)
            await _tell(connection, AuditKind.INCIDENT_PRUNED, where, said, data)
            await connection.execute(delete(records).where(records.c.incident == one.incident))
            await connection.execute(delete(episodes).where(episodes.c.incident == one.incident))
            await connection.execute(delete(incidents).where(i.id == one.incident))
            if row is not None:
                group = row["group"]
                left = exists().where(i.group == group)
                await connection.execute(delete(conditions).where(conditions.c.group == group, ~left))
        return True

    async def _prune_evidence(
        self, terms: RetentionSettings, by: str, now: datetime, *, dry_run: bool
    ) -> Sequence[str]:
        if terms.evidence is None or self._evidence is None:
            return []
        cutoff = now - terms.evidence
        kept = await self._protected()
        old = [one for one in await self._evidence.kept_before(cutoff, terms.batch + len(kept)) if one not in kept]
        old = sorted(old)[: terms.batch]
        if dry_run:
            return old
        where = Hold(incident=f"{RETENTION}{now:%Y-%m-%d}", reason="", by=by, at=now)
        for start in range(0, len(old), _DIGESTS_A_RECORD):
            part = old[start : start + _DIGESTS_A_RECORD]
            said = f"Pruned {len(part)} pieces of evidence: they are kept for {_days(terms.evidence)}"
            async with self._database.write() as connection:
                await _tell(connection, AuditKind.EVIDENCE_PRUNED, where, said, {"digests": list[Json](part)})
            for digest in part:
                await self._evidence.remove(digest, cutoff)
        return old

    async def _protected(self) -> frozenset[str]:
        """Give what looks like a digest in the records of incidents that are open or on hold."""
        c = records.c
        is_open = exists().where(incidents.c.id == c.incident, incidents.c.state != "closed")
        found: set[str] = set()
        async with (
            self._database.read() as connection,
            connection.stream(select(c.body).where(is_open | _is_held(c.incident))) as rows,
        ):
            async for (body,) in rows:
                found.update(_DIGEST.findall(body))
        return frozenset(found)


async def _chains_of_no_incident(
    connection: AsyncConnection, cutoff: datetime, reason: str, limit: int
) -> Sequence[Gone]:
    c = records.c
    mine = exists().where(incidents.c.id == c.incident)
    query = (
        select(c.incident, func.max(c.position))
        .where(~mine, ~_is_held(c.incident), ~c.incident.startswith(RETENTION, autoescape=True))
        .group_by(c.incident)
        .order_by(c.incident)
        .limit(_LOOKED_AT)
    )
    found: list[Gone] = []
    for incident, position in (await connection.execute(query)).all():
        last = select(c.body).where(c.incident == incident, c.position == position)
        at = datetime.fromisoformat(json.loads((await connection.execute(last)).scalar_one())["at"])
        if at < cutoff:
            found.append(Gone(incident=incident, records=position, ended_at=at, reason=reason))
        if len(found) == limit:
            break
    return found


async def _tell(connection: AsyncConnection, kind: AuditKind, about: Hold, message: str, data: JsonObject) -> None:
    """Append a record to the chain that `about` names, in the caller's transaction."""
    position, _ = await last_record(connection, about.incident)
    record = AuditRecord(
        incident=about.incident,
        writer="retention",
        sequence=position + 1,
        at=about.at,
        kind=kind,
        message=message,
        actor=about.by,
        data=data,
    )
    await write_within(connection, [record])


async def _hold_on(connection: AsyncConnection, incident: str) -> Hold | None:
    row = (await connection.execute(select(holds).where(holds.c.incident == incident))).mappings().first()
    return Hold.model_validate(dict(row)) if row else None


async def _last_head_of(connection: AsyncConnection, incident: str) -> tuple[int, str]:
    query = select(heads.c.position, heads.c.head).where(heads.c.incident == incident).order_by(heads.c.n.desc())
    row = (await connection.execute(query.limit(1))).first()
    return cast("tuple[int, str]", tuple(row)) if row else (0, ZERO)


def _is_held(incident: ColumnElement[str]) -> ColumnElement[bool]:
    return exists().where(holds.c.incident == incident)


def _checked(reason: str) -> str:
    text = redact_text(" ".join(reason.split()), MAX_REASON)
    if not text:
        raise InvalidInput("a legal hold, and its end, need a reason: --reason TEXT")
    return text


def _days(term: timedelta) -> str:
    return f"{term.days} days"
