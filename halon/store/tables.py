"""The tables, for SQLite and PostgreSQL alike. A change here comes with its line in `halon.store.migrations`."""

from datetime import UTC, datetime

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    DateTime,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    func,
)
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.types import TypeDecorator

metadata = MetaData()


class UtcDateTime(TypeDecorator[datetime]):
    """A time with a zone, kept as UTC: SQLite forgets zones, so they are taken off and put back here."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give UTC to the database."""
        del dialect
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give UTC back, also where the database kept no zone."""
        del dialect
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


schema_version = Table("schema_version", metadata, Column("version", Integer, nullable=False))

records = Table(
    "records",
    metadata,
    Column("incident", String(200), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("id", String(600), nullable=False),
    Column("content", String(64), nullable=False),  # digest of the record without its place: recognises a repeat
    Column("body", Text, nullable=False),  # canonical JSON with position and previous: exactly what is hashed
    Column("hash", String(64), nullable=False),
    UniqueConstraint("id", name="records_id"),
)

heads = Table(
    "heads",
    metadata,
    Column("n", Integer, primary_key=True, autoincrement=False),
    Column("incident", String(200), nullable=False),
    Column("position", Integer, nullable=False),
    Column("head", String(64), nullable=False),
    Column("chain", String(64), nullable=False),
    Index("heads_incident", "incident", "n"),
)

incidents = Table(
    "incidents",
    metadata,
    Column("id", String(200), primary_key=True),
    Column("group", String(200), nullable=False),
    Column("playbook", String(63), nullable=False),
    Column("playbook_digest", String(64), nullable=False),
    Column("workflow_id", String(200), nullable=False),
    Column("run_id", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("outcome", String(32), nullable=False),
    Column("reason", Text, nullable=False),
    Column("service", String(512), nullable=False),
    Column("severity", String(64), nullable=False),
    Column("title", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("opened_at", UtcDateTime, nullable=False),
    Column("closed_at", UtcDateTime, nullable=True),
    Column("alert_count", Integer, nullable=False),
    Column("reopened", Integer, nullable=False, server_default="0"),
    Column("reopened_at", UtcDateTime, nullable=True),
    Column("runs", Integer, nullable=False, server_default="0"),
    Column("acted_at", UtcDateTime, nullable=True),
    Column("settled_as", String(32), nullable=False, server_default=""),
    Column("settled_at", UtcDateTime, nullable=True),
    Column("cleared_at", UtcDateTime, nullable=True),
    Column("flapping", Boolean, nullable=False, server_default=false()),
    Column("labels", JSON, nullable=False, server_default="{}"),
    Index("incidents_opened", "opened_at"),
    Index("incidents_group", "group", "closed_at"),
    Index("incidents_state", "state", "opened_at"),
)

began = func.coalesce(incidents.c.reopened_at, incidents.c.opened_at)
"""When an incident last began: it was opened, or opened again."""
Index("incidents_began", began)

conditions = Table(
    "conditions",
    metadata,
    Column("group", String(200), primary_key=True),
    Column("condition", String(16), primary_key=True),
    Column("firing", Boolean, nullable=False),
    Column("starts_at", UtcDateTime, nullable=False),
    Column("since", UtcDateTime, nullable=False),
    Column("changes", Text, nullable=False),  # JSON: times in ISO 8601, oldest first
)

episodes = Table(
    "episodes",
    metadata,
    Column("group", String(200), primary_key=True),
    Column("episode", String(64), primary_key=True),
    Column("incident", String(200), nullable=False),
    Column("run", String(64), nullable=False),
)

signatures = Table(
    "signatures",
    metadata,
    Column("n", Integer, primary_key=True, autoincrement=False),
    Column("at", UtcDateTime, nullable=False),
    Column("key", String(64), nullable=False),
    Column("statement", Text, nullable=False),  # exactly what is signed
    Column("signature", String(88), nullable=False),  # Base64
    Column("anchored_at", UtcDateTime, nullable=True),
    Column("anchor", Text, nullable=False, server_default=""),  # where a copy is that nobody can change
    Column("problem", Text, nullable=False, server_default=""),  # why there is none yet
)

holds = Table(
    "holds",
    metadata,
    Column("incident", String(200), primary_key=True),
    Column("reason", Text, nullable=False),
    Column("by", String(200), nullable=False),
    Column("at", UtcDateTime, nullable=False),
)
