"""A Temporal server that skips time, a worker with one small action, and a store in a file."""

import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from audience import Stage, staged
from lamp import Engine, real_server, running, time_skipping_server


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Engine]:
    async with running(tmp_path, await time_skipping_server()) as one:
        yield one


@pytest.fixture
async def real_time_engine(tmp_path: Path) -> AsyncIterator[Engine]:
    async with running(tmp_path, await real_server()) as one:
        yield one


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Callable[[str], Awaitable[Stage]]]:
    """Open an engine whose people can be told, with what halon.yaml says."""
    async with AsyncExitStack() as ends:

        async def opened(text: str) -> Stage:
            return await ends.enter_async_context(staged(tmp_path, text))

        yield opened
