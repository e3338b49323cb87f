"""The database behind the store's back: what somebody who may write to it could do."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, inspect, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool


class Raw:
    """Statements as they are, each committed."""

    def __init__(self, url: str) -> None:
        self._engine = create_async_engine(url, poolclass=NullPool)

    async def __call__(self, statements: str, values: Mapping[str, Any] | None = None) -> Sequence[Row[Any]]:
        """Run statements that semicolons separate, and give the rows of the last one."""
        rows: Sequence[Row[Any]] = []
        async with self._engine.begin() as connection:
            for statement in filter(str.strip, statements.split(";")):
                result = await connection.execute(text(statement), values or {})
                rows = result.all() if result.returns_rows else []
        return rows

    async def shape(self) -> dict[str, list[str]]:
        """Give the tables with their columns, keys and indexes, whatever order they were made in."""
        async with self._engine.connect() as connection:
            return await connection.run_sync(_shape)

    async def close(self) -> None:
        """Let go of everything."""
        await self._engine.dispose()


def _shape(connection: Connection) -> dict[str, list[str]]:
    look = inspect(connection)
    found: dict[str, list[str]] = {}
    for table in look.get_table_names():
        columns = [f"{one['name']} {one['type']} {one['nullable']}" for one in look.get_columns(table)]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # SQLAlchemy leaves out what it cannot read: an index over an expression
            indexes = [f"index {one['name']}" for one in look.get_indexes(table)]
        found[table] = sorted([*columns, *indexes, f"key {look.get_pk_constraint(table)['constrained_columns']}"])
    return found
