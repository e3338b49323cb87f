"""PostgreSQL as the store: who is let in and how, what a restart does, and what its refusals say."""

import asyncio
import os
import signal
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme
from postgres_server import PostgresServer
from pydantic import ValidationError

from halon.contracts.audit import AuditKind, AuditRecord
from halon.errors import InvalidInput, Misconfigured, TransientError
from halon.settings.loading import parse_settings
from halon.settings.store import StoreSettings
from halon.store.engine import open_database
from halon.store.store import Store, open_store

PASSWORD = "planted-password-of-the-store"


def record(sequence: int, incident: str = "dim-0a1b2c3d4e-01234567") -> AuditRecord:
    at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    return AuditRecord(
        incident=incident, writer="run-1", sequence=sequence, at=at, kind=AuditKind.PLANNED, message="Planned."
    )


@pytest.fixture(scope="module")
def own() -> Iterator[PostgresServer]:
    """A server that a test may stop."""
    with PostgresServer() as server:
        yield server


@pytest.fixture(scope="module")
def guarded() -> Iterator[PostgresServer]:
    """A server that wants a password, over TLS from the network."""
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost")
    with PostgresServer() as server:
        server.sql(f"CREATE ROLE app LOGIN PASSWORD '{PASSWORD}'")
        server.sql("CREATE DATABASE app OWNER app")
        server.sql("CREATE ROLE reader LOGIN")
        server.stop()
        server.write("key.pem", certificate.private_key_pem.bytes().decode())
        server.write("certificate.pem", certificate.cert_chain_pems[0].bytes().decode())
        server.write("authority.pem", authority.cert_pem.bytes().decode())
        server.write("hba", "local all app scram-sha-256\nlocal all all trust\nhostssl all all all scram-sha-256\n")
        names = {"ssl_cert_file": "certificate.pem", "ssl_key_file": "key.pem", "hba_file": "hba"}
        server.configure(ssl="on", **{option: str(server.directory / name) for option, name in names.items()})
        server.start()
        yield server


async def test_a_server_that_restarts_costs_one_try_and_nothing_that_was_written(own: PostgresServer) -> None:
    store = Store(await open_database(own.url()))
    for how in (signal.SIGINT, signal.SIGQUIT):
        await store.audit.append([record(how)])
        await asyncio.to_thread(own.stop, how)
        with pytest.raises(TransientError, match="does not answer") as caught:
            await store.audit.append([record(100 + how)])
        assert caught.value.retry_after is not None
        await asyncio.to_thread(own.start)
        await store.audit.append([record(100 + how)])
    report = await store.audit.verify()
    await store.close()
    assert (report.ok, report.records) == (True, 4)


async def test_a_session_that_is_ended_in_the_middle_of_a_write_leaves_nothing(own: PostgresServer) -> None:
    database = await open_database(own.url())

    async def cut_off() -> None:
        async with database.write() as connection:
            await connection.exec_driver_sql("INSERT INTO holds VALUES ('x', 'y', 'z', now())")
            own.sql("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'")
            await connection.exec_driver_sql("SELECT 1")

    with pytest.raises(TransientError):
        await cut_off()
    async with database.read() as connection:
        assert (await connection.exec_driver_sql("SELECT count(*) FROM holds")).scalar() == 0
    await database.close()


async def test_a_writer_waits_for_the_other_one_and_then_says_so(own: PostgresServer) -> None:
    one, other = await open_database(own.url()), await open_database(own.url())
    async with other.read() as connection:
        await connection.exec_driver_sql("SET lock_timeout = 10")
    async with one.write():
        with pytest.raises(TransientError, match="lock timeout"):
            async with other.write():
                pass
    async with other.write():
        pass
    await one.close()
    await other.close()


async def test_many_tasks_of_several_processes_worth_of_connections_keep_one_chain(postgres_url: str) -> None:
    stores = [Store(await open_database(postgres_url)) for _ in range(3)]
    await asyncio.gather(
        *(
            store.audit.append([record(n, f"w{number}-0a1b2c3d4e-01234567")])
            for n in range(20)
            for number, store in enumerate(stores)
        )
    )
    report = await stores[0].audit.verify()
    for store in stores:
        await store.close()
    assert (report.ok, report.incidents, report.records) == (True, 3, 60)


async def test_the_password_is_a_secret_of_the_settings(guarded: PostgresServer, tmp_path: Path) -> None:
    (tmp_path / "password").write_text(PASSWORD + "\n")
    url = guarded.url("app").replace("halon@", "app@")
    settings = parse_settings(f"store: {{url: '{url}', password: {{file: password}}}}", tmp_path / "halon.yaml")
    async with open_store(settings) as store:
        await store.audit.append([record(1)])
        (tmp_path / "password").write_text("another")
    with pytest.raises(Misconfigured, match="password authentication failed") as caught:
        async with open_store(settings):
            pass
    assert PASSWORD not in str(caught.value)
    assert "another" not in str(caught.value)


async def test_over_the_network_the_server_must_be_the_one_that_the_authority_vouches_for(
    guarded: PostgresServer, tmp_path: Path
) -> None:
    (tmp_path / "password").write_text(PASSWORD)
    authority = guarded.directory / "authority.pem"

    async def opened(host: str, tls: str) -> int:
        url = f"postgresql+asyncpg://app@{host}:{guarded.port}/app"
        text = f"store: {{url: '{url}', password: {{file: password}}, tls: {tls}}}"
        async with open_store(parse_settings(text, tmp_path / "halon.yaml")) as store:
            return len(await store.incidents.list())

    assert await opened("localhost", f"{{ca: {authority}}}") == 0
    with pytest.raises(TransientError, match="certificate verify failed"):
        await opened("localhost", "true")
    with pytest.raises(TransientError, match="certificate"):
        await opened("127.0.0.1", f"{{ca: {authority}}}")
    with pytest.raises(Misconfigured, match="no encryption"):
        await opened("localhost", "false")
    with pytest.raises(Misconfigured, match=r"`store.tls` names .*missing.pem"):
        await opened("localhost", "{ca: missing.pem}")


async def test_a_role_without_rights_and_a_database_that_is_not_there_are_for_a_person(
    guarded: PostgresServer, own: PostgresServer
) -> None:
    with pytest.raises(Misconfigured, match="permission denied"):
        await open_database(guarded.url("app").replace("halon@", "reader@"))
    with pytest.raises(Misconfigured, match='"nowhere" does not exist'):
        await open_database(own.url("nowhere"))


async def test_a_server_that_is_not_there_is_worth_another_try(tmp_path: Path) -> None:
    with pytest.raises(TransientError, match="does not answer"):
        await open_database(f"postgresql+asyncpg://halon@/halon?host={tmp_path}&port=1")


async def test_a_value_that_the_server_refuses_is_not_tried_for_ever(postgres_url: str) -> None:
    database = await open_database(postgres_url)
    with pytest.raises(InvalidInput, match="value too long"):
        async with database.write() as connection:
            await connection.exec_driver_sql("INSERT INTO holds VALUES (repeat('x', 300), 'y', 'z', now())")
    await database.close()


@pytest.mark.parametrize(
    ("url", "finding"),
    [
        ("postgresql+asyncpg://halon:secret@db/halon", "the password does not belong"),
        ("postgresql+asyncpg://halon@db/halon?password=secret", "the password does not belong"),
        ("postgresql+asyncpg://halon@db/halon?ssl=disable", "TLS does not belong"),
        ("postgresql://halon@db/halon", "should match pattern"),
    ],
)
def test_an_address_says_nothing_but_where(url: str, finding: str) -> None:
    with pytest.raises(ValidationError, match=finding):
        StoreSettings(url=url)


def test_the_tests_server_does_not_run_as_root(own: PostgresServer) -> None:
    pid = int((own.directory / "data" / "postmaster.pid").read_text().splitlines()[0])
    assert Path(f"/proc/{pid}").stat().st_uid != 0
    assert os.getpgid(pid)
