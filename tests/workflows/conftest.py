"""A Temporal server that skips time, a worker with one small action, and a store in a file."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from lamp import Engine, real_server, running, time_skipping_server


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Engine]:
    async with running(tmp_path, await time_skipping_server()) as one:
        yield one


@pytest.fixture
async def real_time_engine(tmp_path: Path) -> AsyncIterator[Engine]:
    async with running(tmp_path, await real_server()) as one:
        yield one
