"""Opening the store: by several processes at once, a newer one, and one that does not answer."""

import asyncio
import gc
import shutil
import sqlite3
import warnings
from pathlib import Path

import pytest
from raw import Raw
from sqlalchemy import make_url

from halon.contracts.past import EarlierIncident, GroupPast
from halon.errors import Misconfigured, TransientError
from halon.settings import Settings
from halon.settings.loading import parse_settings
from halon.store.engine import open_database
from halon.store.migrations import SCHEMA
from halon.store.store import Store, open_store

FIRST_SCHEMA = """
CREATE TABLE schema_version (version INTEGER NOT NULL);
CREATE TABLE incidents (
    id VARCHAR(200) NOT NULL PRIMARY KEY, "group" VARCHAR(200) NOT NULL, playbook VARCHAR(63) NOT NULL,
    playbook_digest VARCHAR(64) NOT NULL, workflow_id VARCHAR(200) NOT NULL, run_id VARCHAR(64) NOT NULL,
    state VARCHAR(16) NOT NULL, outcome VARCHAR(32) NOT NULL, reason TEXT NOT NULL, service VARCHAR(512) NOT NULL,
    severity VARCHAR(64) NOT NULL, title TEXT NOT NULL, target TEXT NOT NULL, opened_at DATETIME NOT NULL,
    closed_at DATETIME, alert_count INTEGER NOT NULL
);
CREATE INDEX incidents_opened ON incidents (opened_at);
CREATE INDEX incidents_state ON incidents (state, opened_at);
CREATE TABLE episodes (
    "group" VARCHAR(200) NOT NULL, episode VARCHAR(64) NOT NULL, incident VARCHAR(200) NOT NULL,
    run VARCHAR(64) NOT NULL, PRIMARY KEY ("group", episode)
);
CREATE TABLE heads (
    n INTEGER NOT NULL PRIMARY KEY, incident VARCHAR(200) NOT NULL, position INTEGER NOT NULL,
    head VARCHAR(64) NOT NULL, chain VARCHAR(64) NOT NULL
);
INSERT INTO schema_version VALUES (1);
INSERT INTO incidents VALUES (
    'dim-0000000000-5b0c99e1', 'dim-0000000000', 'dim', 'd', 'dim-0000000000', 'run-1', 'closed', 'remediated', '',
    '', '', 'Dim', '', '2026-01-02 03:04:05.000000', '2026-01-02 03:05:05.000000', 1
);
INSERT INTO episodes VALUES ('dim-0000000000', '0123456789abcdef', 'dim-0000000000-5b0c99e1', 'run-1');
"""
"""The tables that the first version made, as far as later ones changed them, with an incident."""


async def test_a_new_store_has_the_newest_schema_however_often_it_is_opened(url: str, raw: Raw) -> None:
    for _ in range(2):
        store = Store(await open_database(url))
        await store.check()
        await store.close()
    assert await raw("SELECT version FROM schema_version") == [(SCHEMA,)]


async def test_a_file_whose_disk_is_full_is_not_well(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(await open_database(sqlite_url))
    await store.check()
    usage = shutil.disk_usage("/")._replace(free=4096)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(TransientError, match="is full: 4 kB are free"):
        await store.check()
    await store.close()


async def test_a_file_has_a_write_ahead_log(sqlite_url: str) -> None:
    await (await open_database(sqlite_url)).close()
    raw = Raw(sqlite_url)
    assert await raw("PRAGMA journal_mode") == [("wal",)]
    await raw.close()


async def test_a_store_of_a_newer_version_is_refused_with_the_way_out(url: str, raw: Raw) -> None:
    await (await open_database(url)).close()
    await raw("UPDATE schema_version SET version = 77")
    with pytest.raises(Misconfigured, match=rf"schema is 77, this Halon knows {SCHEMA}.*install that version"):
        await open_database(url)


async def test_a_store_of_an_older_version_keeps_what_it_has(url: str, raw: Raw) -> None:
    await raw(FIRST_SCHEMA if "sqlite" in url else FIRST_SCHEMA.replace("DATETIME", "TIMESTAMP WITH TIME ZONE"))
    for _ in range(2):
        store = Store(await open_database(url))
        (row,) = await store.incidents.list()
        assert (row.id, row.reopened, row.settled_at, row.flapping) == ("dim-0000000000-5b0c99e1", 0, None, False)
        claim = await store.incidents.open("dim-0000000000-00000002", "run-2", ["0123456789abcdef"])
        assert claim.handled_by == row.id
        assert await store.groups.past(row.group, "another") == GroupPast(
            previous=EarlierIncident(incident=row.id, outcome="remediated", at=row.closed_at, opened_at=row.opened_at)
        )
        await store.close()
    assert await raw("SELECT version FROM schema_version") == [(SCHEMA,)]


async def test_a_store_that_was_brought_up_to_date_has_the_tables_of_a_new_one(url: str, raw: Raw) -> None:
    await raw(FIRST_SCHEMA if "sqlite" in url else FIRST_SCHEMA.replace("DATETIME", "TIMESTAMP WITH TIME ZONE"))
    await (await open_database(url)).close()
    there = await raw.shape()
    await raw("; ".join(f"DROP TABLE {table}" for table in there))
    await (await open_database(url)).close()
    assert there == await raw.shape()


async def test_a_writer_that_is_kept_out_is_told_to_come_back(tmp_path: Path) -> None:
    database = await open_database(f"sqlite+aiosqlite:///{tmp_path / 'halon.db'}")
    held = sqlite3.connect(tmp_path / "halon.db", isolation_level=None)
    held.execute("BEGIN IMMEDIATE")
    async with database.read() as connection:
        await connection.exec_driver_sql("PRAGMA busy_timeout = 10")
    with pytest.raises(TransientError, match="does not answer: database is locked") as caught:
        async with database.write():
            pass
    assert caught.value.retry_after is not None
    held.execute("ROLLBACK")
    held.close()
    async with database.write():
        pass
    await database.close()


@pytest.mark.parametrize("cancelled", [False, True])
async def test_a_store_that_is_closed_while_somebody_reads_leaves_no_connection_open(
    tmp_path: Path, *, cancelled: bool
) -> None:
    database = await open_database(f"sqlite+aiosqlite:///{tmp_path / 'halon.db'}")
    reading, go_on = asyncio.Event(), asyncio.Event()

    async def read() -> None:
        async with database.read():
            reading.set()
            await go_on.wait()

    task = asyncio.create_task(read())
    await reading.wait()
    await database.close()
    if cancelled:
        task.cancel()
    go_on.set()
    await asyncio.gather(task, return_exceptions=True)
    del task
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        gc.collect()
    assert not caught


async def test_a_file_that_is_no_database_is_an_error_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "halon.db").write_text("this is no database, " * 100)
    with pytest.raises(TransientError, match="not a database"):
        await open_database(f"sqlite+aiosqlite:///{tmp_path / 'halon.db'}")


@pytest.mark.parametrize(
    ("address", "finding"),
    [
        ("sqlite+aiosqlite://", "must name a file"),
        ("sqlite+aiosqlite:///:memory:", "must name a file"),
        ("what is this", "not a database URL"),
        ("nosuch+driver://localhost/halon", r"begins with nosuch\+driver:"),
        ("sqlite+aiosqlite:////dev/null/halon.db", "cannot be made"),
    ],
)
async def test_an_address_that_cannot_work_is_misconfigured(address: str, finding: str) -> None:
    with pytest.raises(Misconfigured, match=finding):
        await open_database(address)


async def test_the_settings_say_where_the_store_is(tmp_path: Path) -> None:
    settings = parse_settings("data_dir: data", tmp_path / "halon.yaml")
    async with open_store(settings) as store:
        await store.check()
    assert (tmp_path / "data" / "halon.db").exists()


async def test_a_transaction_that_fails_leaves_nothing(url: str) -> None:
    database = await open_database(make_url(url))

    async def fails() -> None:
        async with database.write() as connection:
            await connection.exec_driver_sql("INSERT INTO heads VALUES (1, 'x', 1, 'x', 'x')")
            raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        await fails()
    async with database.read() as connection:
        assert (await connection.exec_driver_sql("SELECT count(*) FROM heads")).scalar() == 0
    await database.close()


def test_without_a_file_the_store_lies_below_the_data_directory() -> None:
    assert Settings(data_dir=Path("/var/lib/halon")).store_url == "sqlite+aiosqlite:////var/lib/halon/halon.db"
