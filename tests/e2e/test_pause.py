"""The kill switch over the three processes: given, everything killed, and in force when everything is back."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from engine import PARTS, Engine, crash_looping, kubeconfig_with_roles, until
from test_crash import broken

from halon.contracts.incident import IncidentRow
from halon.demo.cluster import DemoCluster
from halon.store.store import open_store

PLAYBOOKS = Path(__file__).parent / "playbooks"


@pytest.fixture
async def cluster() -> AsyncIterator[DemoCluster]:
    async with DemoCluster() as one:
        yield one


async def halon(engine: Engine, *words: str) -> dict[str, Any]:
    """Run the command as a person does; gives its JSON."""
    command = [sys.executable, "-m", "halon.cli", "--config", str(engine.config), *words, "--json"]
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    said, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    answer: dict[str, Any] = json.loads(said)
    return answer


async def test_a_pause_survives_the_death_of_everything(tmp_path: Path, cluster: DemoCluster) -> None:
    engine = Engine(tmp_path, await kubeconfig_with_roles(cluster, "rbac.yaml"), PLAYBOOKS)
    try:
        await engine.start("temporal")
        await engine.prepare()
        await engine.start("worker")
        pod = await broken(cluster, "cart")
        answer = await halon(engine, "pause", "--reason", "the API is being moved", "--by", "ana@example.com")
        assert answer["message"].startswith("everything is paused by ana@example.com since ")
        for part in ("worker", "temporal"):
            await engine.kill(part)
        for part in PARTS:
            await engine.start(part)
        cluster.journal.clear()
        await engine.send(crash_looping("shop", pod, "cart"))

        async def closed() -> IncidentRow | None:
            async with open_store(engine.settings) as store:
                return next((row for row in await store.incidents.list() if row.state == "closed"), None)

        row = await until(closed, within=120)
        assert row.outcome == "refused"
        assert "everything is paused by ana@example.com" in row.reason
        assert list(cluster.journal.changes()) == []
        assert (await halon(engine, "guards"))["pauses"][0]["reason"] == "the API is being moved"
        assert (await halon(engine, "resume", "--by", "ana@example.com"))["message"] == "resumed: everything"
    finally:
        await engine.stop()
