"""A real store in a file, for each test its own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from halon.store.engine import open_database
from halon.store.store import Store


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite+aiosqlite:///{tmp_path / 'halon.db'}"


@pytest.fixture
async def store(url: str) -> AsyncIterator[Store]:
    store = Store(await open_database(url))
    yield store
    await store.close()
