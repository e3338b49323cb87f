"""The database: opening it, its schema, and transactions that several processes may write in at the same time."""

import asyncio
import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, event, insert, make_url, select, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from halon.errors import HalonError, InvalidInput, Misconfigured, TransientError
from halon.settings.store import StoreTls
from halon.store.migrations import SCHEMA, migrate
from halon.store.postgres import WRITE_LOCK, cannot_be_right, postgres_engine, refuses_value
from halon.store.tables import metadata, schema_version

BUSY_TIMEOUT = timedelta(seconds=5)
"""How long a writer waits for another process's transaction before the call is transient."""
POOL_SIZE = 4
MIN_FREE = 8 * 1024**2
"""Bytes. With less on its disk, neither a store in a file nor the embedded Temporal beside it can be sure to write."""
_OPEN_ATTEMPTS = 20
_OPEN_DELAY = timedelta(milliseconds=50)
_RETRY_AFTER = timedelta(seconds=2)
_WRITES = "halon_writes"


class Database:
    """One store's engine. `read` gives a snapshot, `write` a transaction that no other writer runs beside."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self.name = engine.url.render_as_string(hide_password=True)
        """Where it is, for people."""
        self._closed = False

    @asynccontextmanager
    async def read(self) -> AsyncGenerator[AsyncConnection]:
        """Read within one transaction: everything read is of one moment.

        Raises:
            TransientError: the store does not answer.
        """
        options = {} if self._is_sqlite else {"isolation_level": "REPEATABLE READ"}
        async with self._connected(options) as connection:
            yield connection

    @asynccontextmanager
    async def write(self) -> AsyncGenerator[AsyncConnection]:
        """Write within one transaction, committed at the end and rolled back on an error.

        Raises:
            TransientError: the store does not answer, or other writers held it for too long.
            InvalidInput: it refuses a value.
        """
        async with self._connected({_WRITES: True}) as connection:
            if not self._is_sqlite:
                await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": WRITE_LOCK})
            yield connection

    async def check(self) -> None:
        """Ask the database for nothing in particular, and whether a file has room to grow.

        Raises:
            TransientError: it does not answer, or its disk is full.
        """
        async with self.read() as connection:
            await connection.execute(select(schema_version.c.version).limit(1))
        if self._is_sqlite:
            directory = Path(self._engine.url.database or "").parent
            free = shutil.disk_usage(directory).free
            if free < MIN_FREE:  # reading still works then, and so would say that all is well
                raise TransientError(f"the disk of {directory} is full: {free // 1024} kB are free")

    async def close(self) -> None:
        """Give back all connections; one that is in use closes itself when its transaction has ended."""
        self._closed = True
        await self._engine.dispose()

    @property
    def _is_sqlite(self) -> bool:
        return self._engine.dialect.name == "sqlite"

    @asynccontextmanager
    async def _connected(self, options: dict[str, Any]) -> AsyncGenerator[AsyncConnection]:
        try:
            async with self._engine.connect() as connection:
                await connection.execution_options(**options)
                try:
                    async with connection.begin():
                        yield connection
                finally:
                    if self._closed:
                        # The pool that it came from is gone: given back, it would stay open with nobody to close it.
                        await connection.invalidate()
        except (DBAPIError, PoolTimeout, OSError) as error:
            raise self._problem(error) from error

    def _problem(self, error: Exception) -> HalonError:
        """Say what an error of the driver means.

        A refusal that only a person can end is transient all the same: while a password is being changed, or rights are
        being given, nothing that waits to be written may be given up.
        """
        reason = _first_line(error)
        if refuses_value(error):
            return InvalidInput(f"the store {self.name} refuses a value: {reason}")
        return TransientError(f"the store {self.name} does not answer: {reason}", retry_after=_RETRY_AFTER)


async def open_database(url: str | URL, tls: StoreTls | bool | None = None) -> Database:  # noqa: FBT001  # as the settings have it
    """Open the store and create its tables when they are not there; safe when several processes begin at once.

    `tls` is for PostgreSQL; without it, TLS is used whenever the server is on another host.

    Raises:
        Misconfigured: the URL is not one, a newer Halon wrote the store, or the server refuses user or database.
        TransientError: the store does not answer.
    """
    database = Database(_engine(url, tls))
    try:
        for _ in range(_OPEN_ATTEMPTS - 1):
            try:
                await _ensure_schema(database)
            except TransientError as error:
                if error.__cause__ is not None and cannot_be_right(error.__cause__):
                    reason = _first_line(error.__cause__)
                    raise Misconfigured(
                        f"the store {database.name} refuses: {reason}; see `store` in halon.yaml"
                    ) from error
                # The first processes meet while one of them turns on the write-ahead log, which waits for nobody.
                await asyncio.sleep(_OPEN_DELAY.total_seconds())
            else:
                return database
        await _ensure_schema(database)
    except BaseException:
        await database.close()
        raise
    return database


def _engine(url: str | URL, tls: StoreTls | bool | None) -> AsyncEngine:  # noqa: FBT001  # as the settings have it
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise Misconfigured(
            "`store.url` is not a database URL such as sqlite+aiosqlite:////var/lib/halon/halon.db"
        ) from error
    if parsed.drivername == "sqlite+aiosqlite":
        return _sqlite_engine(parsed)
    if parsed.drivername == "postgresql+asyncpg":
        return postgres_engine(parsed, tls, BUSY_TIMEOUT)
    raise Misconfigured(
        f"`store.url` begins with {parsed.drivername}://, not sqlite+aiosqlite:// or postgresql+asyncpg://"
    )


def _sqlite_engine(url: URL) -> AsyncEngine:
    if not url.database or ":memory:" in url.database:
        raise Misconfigured("`store.url` must name a file: gateway and workers share the store")
    try:
        Path(url.database).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise Misconfigured(f"the directory of `store.url` cannot be made: {error}") from error
    engine = create_async_engine(
        url,
        pool_size=POOL_SIZE,
        pool_timeout=BUSY_TIMEOUT.total_seconds(),
        connect_args={"timeout": BUSY_TIMEOUT.total_seconds(), "isolation_level": None},
    )
    event.listen(engine.sync_engine, "connect", _prepare_sqlite)
    event.listen(engine.sync_engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
    """Set up a new connection. FULL makes a commit survive a power cut, which an audit record must."""
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    """Begin by hand: a writer takes the lock at once, so that it never fails half way when another one wrote."""
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


async def _ensure_schema(database: Database) -> None:
    async with database.write() as connection:
        await connection.run_sync(metadata.create_all)
        version = (await connection.execute(select(schema_version.c.version))).scalar()
        if version is None:
            await connection.execute(insert(schema_version).values(version=SCHEMA))
        elif version < SCHEMA:
            await connection.run_sync(migrate, version)
        elif version > SCHEMA:
            raise Misconfigured(
                f"the store was written by a newer Halon (its schema is {version}, this Halon knows {SCHEMA}): "
                "install that version, or name another store in `store.url`"
            )


def _first_line(error: BaseException) -> str:
    cause = getattr(error, "orig", None) or error
    return str(cause).strip().partition("\n")[0][:300] or type(cause).__name__
