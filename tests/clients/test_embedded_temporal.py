"""The embedded Temporal: its data outlives it, and it outlives nobody."""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from temporalio.client import Client, WorkflowExecutionStatus

from halon.clients.embedded import EmbeddedTemporal, free_port
from halon.clients.temporal import TemporalConfig, connect
from halon.errors import Misconfigured

HOLDER = """
import asyncio, pathlib, sys
from halon.clients.embedded import EmbeddedTemporal

async def hold():
    async with EmbeddedTemporal(pathlib.Path(sys.argv[1]), ui=False) as server:
        print(server.address, flush=True)
        await asyncio.Event().wait()

asyncio.run(hold())
"""
ROOT = Path(__file__).parents[2]


async def client_of(server: EmbeddedTemporal) -> Client:
    return await connect(TemporalConfig(server.address, server.namespace), patience=timedelta(seconds=10))


async def until(look: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(20):
        while not await look():  # noqa: ASYNC110  # what changes is in another process
            await asyncio.sleep(0.05)


async def unreachable(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        _, writer = await asyncio.open_connection(host, int(port))
    except OSError:
        return True
    writer.close()
    return False


async def test_what_runs_in_it_is_there_after_a_restart(tmp_path: Path) -> None:
    async with EmbeddedTemporal(tmp_path / "data") as server:
        async with httpx.AsyncClient() as http:
            assert (await http.get(server.ui_url)).status_code == 200
        await (await client_of(server)).start_workflow("Anything", id="kept", task_queue="nobody")
        first = server.address
    assert await unreachable(first)
    async with EmbeddedTemporal(tmp_path / "data", ui=False) as server:
        assert server.ui_url == ""
        described = await (await client_of(server)).get_workflow_handle("kept").describe()
        assert described.status is WorkflowExecutionStatus.RUNNING


async def test_two_servers_never_share_a_directory_or_a_port(tmp_path: Path) -> None:
    async with EmbeddedTemporal(tmp_path, ui=False) as server:
        with pytest.raises(Misconfigured, match=f"process {os.getpid()} runs a Temporal server on"):
            await EmbeddedTemporal(tmp_path).__aenter__()
        port = int(server.address.rpartition(":")[2])
        with pytest.raises(
            Misconfigured, match=f"port {port} on 127.0.0.1, for the embedded .* is taken: .* halon.yaml"
        ):
            await EmbeddedTemporal(None, port=port).__aenter__()


async def test_it_ends_with_a_parent_that_is_killed_and_the_next_one_takes_over(tmp_path: Path) -> None:
    parent = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", HOLDER, str(tmp_path)),
        stdout=asyncio.subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert parent.stdout is not None
    address = (await asyncio.wait_for(parent.stdout.readline(), 30)).decode().strip()
    assert not await unreachable(address)
    parent.kill()
    await parent.wait()
    async with EmbeddedTemporal(tmp_path, ui=False) as server:
        assert await unreachable(address)
        assert not await unreachable(server.address)


async def test_a_server_that_dies_by_itself_is_noticed_and_nothing_of_it_stays() -> None:
    async with EmbeddedTemporal(None, port=(port := free_port()), ui=False) as server:
        ended = asyncio.create_task(server.wait())
        group = server._server._guard.pid if server._server else 0
        os.kill(group, signal.SIGKILL)  # the guard alone: the server itself must go too
        assert (await asyncio.wait_for(ended, 10)).killed
        await until(lambda: unreachable(f"127.0.0.1:{port}"))
