"""From the tables of an older Halon to today's: columns and indexes are added, nothing is taken away.

Tables that are new are made when the store is opened; a migration adds to those that were there. An older Halon that
still runs beside goes on writing, so every added column has a default.
"""

from collections.abc import Callable, Sequence

from sqlalchemy import Connection, Table, text, update
from sqlalchemy.schema import CreateColumn, CreateIndex

from halon.store.tables import heads, incidents, schema_version


def migrate(connection: Connection, version: int) -> None:
    """Bring the tables of an older `version` to today's schema, in the caller's transaction."""
    for step in MIGRATIONS[version - 1 :]:
        step(connection)
    connection.execute(update(schema_version).values(version=SCHEMA))


def _again(connection: Connection) -> None:
    """Schema 2: incidents that open again, and the conditions of their groups."""
    columns = ("reopened", "reopened_at", "runs", "acted_at", "settled_as", "settled_at", "cleared_at", "flapping")
    _add(connection, incidents, columns)


def _labelled(connection: Connection) -> None:
    """Schema 3: the labels of an incident's alerts."""
    _add(connection, incidents, ("labels",))


def _proven(connection: Connection) -> None:
    """Schema 4: the heads of one incident are found. Its tables of signatures and holds are new."""
    _add(connection, heads, ())


def _add(connection: Connection, table: Table, columns: Sequence[str]) -> None:
    for name in columns:
        column = CreateColumn(table.c[name]).compile(dialect=connection.dialect)
        connection.execute(text(f"ALTER TABLE {table.name} ADD COLUMN {column}"))
    for index in sorted(table.indexes, key=lambda one: one.name or ""):
        connection.execute(CreateIndex(index, if_not_exists=True))


MIGRATIONS: tuple[Callable[[Connection], None], ...] = (
    _again,
    _labelled,
    _proven,
)
"""How each schema comes from the one before. A change of the tables appends a line, and never changes one."""

SCHEMA = 1 + len(MIGRATIONS)
"""Version of today's tables. A store with a higher one was written by a newer Halon and is refused."""
