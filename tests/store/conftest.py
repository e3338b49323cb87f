"""A real store for each test its own: in a file, and in a database of a real PostgreSQL server."""

import sys
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from postgres_server import PostgresServer
from raw import Raw

from halon.store.engine import open_database
from halon.store.store import Store


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    with PostgresServer() as server:
        yield server


@pytest.fixture
def postgres_url(postgres: PostgresServer) -> Iterator[str]:
    name = f"halon_{uuid.uuid4().hex[:12]}"
    postgres.sql(f"CREATE DATABASE {name}")
    yield postgres.url(name)
    postgres.sql(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite+aiosqlite:///{tmp_path / 'halon.db'}"


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    kind = "postgres_url" if request.param == "postgresql" else "sqlite_url"
    return str(request.getfixturevalue(kind))


@pytest.fixture
async def raw(url: str) -> AsyncIterator[Raw]:
    raw = Raw(url)
    yield raw
    await raw.close()


@pytest.fixture
async def store(url: str) -> AsyncIterator[Store]:
    store = Store(await open_database(url))
    yield store
    await store.close()
