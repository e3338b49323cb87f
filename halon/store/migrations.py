"""From the tables of an older Halon to today's: columns and indexes are added, nothing is taken away.

An older Halon that still runs beside goes on writing, so every added column has a default.
"""

from collections.abc import Sequence

from sqlalchemy import Connection, Table, text, update
from sqlalchemy.schema import CreateColumn, CreateIndex

from halon.store.tables import SCHEMA, incidents, schema_version

_SECOND = ("reopened", "reopened_at", "runs", "acted_at", "settled_as", "settled_at", "cleared_at", "flapping")
"""Columns that schema 2 added to the incidents. Its table of conditions is new, and made like every new one."""
_THIRD = ("labels",)


def migrate(connection: Connection, version: int) -> None:
    """Bring the tables of an older `version` to today's schema, in the caller's transaction."""
    if version < 2:  # noqa: PLR2004  # the number of a schema has no other name
        _add(connection, incidents, _SECOND)
    if version < 3:  # noqa: PLR2004  # the number of a schema has no other name
        _add(connection, incidents, _THIRD)
    connection.execute(update(schema_version).values(version=SCHEMA))


def _add(connection: Connection, table: Table, columns: Sequence[str]) -> None:
    for name in columns:
        column = CreateColumn(table.c[name]).compile(dialect=connection.dialect)
        connection.execute(text(f"ALTER TABLE {table.name} ADD COLUMN {column}"))
    for index in sorted(table.indexes, key=lambda one: one.name or ""):
        connection.execute(CreateIndex(index, if_not_exists=True))
