"""Everything that the store knows of one incident, put into a directory for an archive."""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import cast

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from halon.clients.seals import key_id
from halon.contracts.audit import AuditKind
from halon.contracts.base import Contract, Json, JsonObject, canonical, is_object
from halon.errors import InvalidInput, NotFound
from halon.store.archive import EVIDENCE, HEAD, HEADS, MANIFEST, README, RECORDS, Manifest, Staging
from halon.store.engine import Database
from halon.store.evidence import EvidenceDirectory
from halon.store.signatures import SignedHead
from halon.store.signing import AuditKey, public_pem
from halon.store.tables import heads, records, signatures
from halon.store.verification import ZERO

MAX_RECORDS = 100_000
MAX_LINKS = 200_000
MAX_PIECES = 1000
_DIGEST = re.compile(r"[0-9a-f]{64}")


class Provenance(Contract):
    """Who exports, and with which keys: public halves by their names."""

    environment: str
    archive_key: str = ""
    public_keys: dict[str, str] = {}

    @staticmethod
    def of(environment: str, key: AuditKey | None, keys: Sequence[str]) -> "Provenance":
        """Say who exports, with which `key`; `keys` are public halves to put beside."""
        named = {key_id(one): one for one in keys}
        return Provenance(environment=environment, archive_key=key.id if key else "", public_keys=named)


class Export:
    """Reads one incident out of one database."""

    def __init__(self, database: Database, evidence: EvidenceDirectory | None) -> None:
        self._database = database
        self._evidence = evidence

    async def stage(
        self,
        staging: Staging,
        incident: str,
        provenance: Provenance,
        histories: Mapping[str, bytes],
        missing: Sequence[str],
    ) -> Manifest:
        """Put everything in but the digests, which `Staging.write` adds.

        `histories` are what Temporal has, by the names of their workflows; `missing` is what it had not.

        Raises:
            NotFound: there is no record of the incident.
            InvalidInput: there is more of it than an archive takes.
            TransientError: the store does not answer.
        """
        async with self._database.read() as connection:
            bodies = await _bodies(connection, incident)
            links, signed = await _links(connection, incident)
        if not bodies:
            raise NotFound(f"no audit record is about {incident}")
        told = [cast("JsonObject", json.loads(body)) for body in bodies]
        staging.put(RECORDS, "".join(f"{body}\n" for body in bodies).encode())
        staging.put(HEADS, b"".join(canonical(list[Json](link)) + b"\n" for link in links))
        if signed is not None:
            staging.put(HEAD, signed.statement.encode())
            staging.put_signature(HEAD, signed.signature)
        _plans(staging, told)
        files: dict[str, str] = {}
        for number, (name, history) in enumerate(sorted(histories.items()), start=1):
            staging.put(f"temporal/{number}.json", history)
            files[f"temporal/{number}.json"] = name
        gone = await self._pieces(staging, told)
        for name, key in provenance.public_keys.items():
            staging.put(f"keys/{name}.pem", public_pem(key).encode())
        manifest = Manifest(
            incident=incident,
            environment=provenance.environment,
            records=len(bodies),
            first_at=datetime.fromisoformat(str(told[0]["at"])),
            last_at=datetime.fromisoformat(str(told[-1]["at"])),
            head=signed.n if signed else links[-1][1],
            head_key=signed.key if signed else "",
            archive_key=provenance.archive_key,
            files=files,
            missing=(*missing, *gone),
        )
        staging.put_json(MANIFEST, cast("JsonObject", manifest.model_dump(mode="json")))
        staging.put("README.txt", README.encode())
        return manifest

    async def _pieces(self, staging: Staging, told: Sequence[JsonObject]) -> list[str]:
        """Put in every piece of evidence that a record names; gives what is not there any more."""
        if self._evidence is None:
            return []
        gone: list[str] = []
        named = dict.fromkeys(one for record in told for one in _digests(record.get("data")))
        collected = {one for record in told for one in _collected(record)}
        if len(named) > MAX_PIECES:
            raise InvalidInput(f"the records name {len(named)} digests, and an archive takes {MAX_PIECES} of evidence")
        for digest in named:
            try:
                about = await self._evidence.about(digest)
                data = await self._evidence.get(digest)
            except NotFound:
                if digest in collected:
                    gone.append(f"evidence {digest}: it is not in the evidence store any more")
                continue
            staging.put(f"{EVIDENCE}{digest}", data)
            facts: JsonObject = {"name": about.name, "media_type": about.media_type, "size": about.size}
            staging.put_json(f"{EVIDENCE}{digest}.json", facts)
        return gone


async def _bodies(connection: AsyncConnection, incident: str) -> Sequence[str]:
    query = select(records.c.body).where(records.c.incident == incident).order_by(records.c.position)
    bodies = (await connection.execute(query.limit(MAX_RECORDS + 1))).scalars().all()
    if len(bodies) > MAX_RECORDS:
        raise InvalidInput(f"{incident} has more than {MAX_RECORDS} records, which is more than an archive takes")
    return bodies


async def _links(
    connection: AsyncConnection, incident: str
) -> tuple[list[tuple[str, int, str, int, str]], SignedHead | None]:
    """Give the way from the incident's last head to the first signed one behind it, each link as it is hashed."""
    h, s = heads.c, signatures.c
    first = (await connection.execute(select(h.n).where(h.incident == incident).order_by(h.n.desc()).limit(1))).scalar()
    if first is None:
        return [], None
    row = (await connection.execute(select(signatures).where(s.n >= first).order_by(s.n).limit(1))).mappings().first()
    signed = SignedHead.model_validate(dict(row)) if row else None
    last = signed.n if signed else first
    if last - first >= MAX_LINKS:
        raise InvalidInput(f"more than {MAX_LINKS} heads lie between {incident} and the next signature: nobody signed")
    before = (await connection.execute(select(h.chain).where(h.n == first - 1))).scalar() or ZERO
    links: list[tuple[str, int, str, int, str]] = []
    query = select(h.n, h.incident, h.position, h.head, h.chain).where(h.n >= first, h.n <= last).order_by(h.n)
    for n, of, position, head, chain in (await connection.execute(query)).all():
        links.append((before, n, of, position, head))
        before = chain
    return links, signed


def _plans(staging: Staging, told: Sequence[JsonObject]) -> None:
    for record in told:
        data = record.get("data")
        digest = data.get("plan") if is_object(data) else None
        if record.get("kind") == AuditKind.PLANNED and isinstance(digest, str) and _DIGEST.fullmatch(digest):
            summary: JsonObject = {"summary": record.get("message"), "step": record.get("step")}
            staging.put_json(f"plans/{digest}.json", {**cast("JsonObject", data), **summary})


def _digests(value: object) -> list[str]:
    """Give every text within a value that is a digest, in order."""
    if isinstance(value, str):
        return [value] if _DIGEST.fullmatch(value) else []
    inner = list(cast("Mapping[str, object]", value).values()) if isinstance(value, dict) else value
    parts = cast("Sequence[object]", inner) if isinstance(inner, list) else ()
    return [one for part in parts for one in _digests(part)]


def _collected(record: JsonObject) -> list[str]:
    """Give the digest that a record says evidence was kept under."""
    data = record.get("data")
    output = data.get("output") if is_object(data) else None
    digest = output.get("digest") if is_object(output) else None
    return [digest] if record.get("kind") == AuditKind.READ and isinstance(digest, str) else []
