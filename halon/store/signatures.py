"""Signed heads, as the store keeps them, and where copies of them are."""

from datetime import datetime

from sqlalchemy import Select, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from halon.contracts.base import Contract
from halon.redaction import redact_text
from halon.store.engine import Database
from halon.store.signing import AuditKey, Head
from halon.store.tables import heads, signatures

_MAX_PROBLEM = 500


class SignedHead(Contract):
    """A head with its signature, and what became of its copy."""

    n: int
    at: datetime
    key: str
    statement: str
    signature: str
    anchored_at: datetime | None = None
    anchor: str = ""
    problem: str = ""


class Signatures:
    """The signatures over the heads of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def sign(self, key: AuditKey, environment: str, now: datetime) -> SignedHead | None:
        """Sign the last head; None when it is signed already, or nothing was written yet.

        Raises:
            TransientError: the store does not answer.
        """
        async with self._database.read() as connection:
            if await _unsigned(connection) is None:
                return None
        async with self._database.write() as connection:
            last = await _unsigned(connection)
            if last is None:
                return None
            n, chain = last
            statement = Head(environment=environment, n=n, chain=chain, at=now).statement
            signed = SignedHead(n=n, at=now, key=key.id, statement=statement, signature=key.sign(statement.encode()))
            row = signed.model_dump(include={"n", "at", "key", "statement", "signature"})
            await connection.execute(insert(signatures).values(row))
        return signed

    async def latest(self) -> SignedHead | None:
        """Give the signature over the last head that is signed.

        Raises:
            TransientError: the store does not answer.
        """
        return await self._first(select(signatures).order_by(signatures.c.n.desc()))

    async def covering(self, n: int) -> SignedHead | None:
        """Give the first signature that covers head `n`; None when none does yet.

        Raises:
            TransientError: the store does not answer.
        """
        return await self._first(select(signatures).where(signatures.c.n >= n).order_by(signatures.c.n))

    async def last_anchored(self) -> SignedHead | None:
        """Give the last head of which a copy was made.

        Raises:
            TransientError: the store does not answer.
        """
        s = signatures.c
        return await self._first(select(signatures).where(s.anchored_at.is_not(None)).order_by(s.n.desc()))

    async def anchored(self, n: int, where: str, now: datetime) -> None:
        """Note that there is a copy of head `n`.

        Raises:
            TransientError: the store does not answer.
        """
        await self._note(n, anchored_at=now, anchor=where, problem="")

    async def not_anchored(self, n: int, problem: str) -> None:
        """Note why there is no copy of head `n` yet.

        Raises:
            TransientError: the store does not answer.
        """
        await self._note(n, problem=redact_text(problem, _MAX_PROBLEM))

    async def unsigned(self) -> int:
        """Count heads behind the last one that is signed.

        Raises:
            TransientError: the store does not answer.
        """
        async with self._database.read() as connection:
            last = (await connection.execute(select(heads.c.n).order_by(heads.c.n.desc()).limit(1))).scalar() or 0
            signed = await connection.execute(select(signatures.c.n).order_by(signatures.c.n.desc()).limit(1))
            return max(0, last - (signed.scalar() or 0))

    async def _note(self, n: int, **values: object) -> None:
        async with self._database.write() as connection:
            await connection.execute(update(signatures).where(signatures.c.n == n).values(**values))

    async def _first(self, query: Select[tuple[object, ...]]) -> SignedHead | None:
        async with self._database.read() as connection:
            row = (await connection.execute(query.limit(1))).mappings().first()
        return SignedHead.model_validate(dict(row)) if row else None


async def _unsigned(connection: AsyncConnection) -> tuple[int, str] | None:
    """Give the last head when it is not signed."""
    query = (
        select(heads.c.n, heads.c.chain, signatures.c.key)
        .select_from(heads.outerjoin(signatures, signatures.c.n == heads.c.n))
        .order_by(heads.c.n.desc())
        .limit(1)
    )
    row = (await connection.execute(query)).first()
    return (row.n, row.chain) if row is not None and row.key is None else None
