"""Where runs take place: a demonstration cluster, and Halon as three processes over one directory, for many runs."""

import asyncio
import contextlib
import re
import ssl
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx
from engine import Engine, kubeconfig_with_roles
from hurry import write_hurried
from temporalio.client import Client, WorkflowQueryFailedError
from temporalio.service import RPCError

from halon.cli.installed import Installation, installation
from halon.clients.ledger import LedgerClient
from halon.demo.cluster import DemoCluster, Rule
from halon.errors import HalonError
from halon.store.store import Store, open_store

NOT_NOW = (RPCError, RuntimeError, TimeoutError, HalonError, httpx.HTTPError, WorkflowQueryFailedError)
"""What a caller meets while something is down: it tries again."""
_MERGE = {"Content-Type": "application/merge-patch+json"}
_OURS = "WorkflowType IN ('Incident', 'Remediation') AND ExecutionStatus = 'Running'"
_BAD_LINE = re.compile(
    r"TMPRL1100|[Nn]on-?determin|[Ff]ailed (handling )?activation|Failing workflow task|never (retrieved|awaited)"
)
"""What says that a workflow could not go on, or that an error was lost. That actions fail is told too, and no news."""
_EXPECTED = "Completing activity as failed"
_SHOWN = 300
T = TypeVar("T")


@dataclass(slots=True)
class Stage:
    """Everything that a story needs."""

    root: Path
    cluster: DemoCluster
    engine: Engine
    client: Client
    store: Store
    installed: Installation
    colleague: httpx.AsyncClient
    """Somebody else who writes to the cluster."""

    async def patch(self, namespace: str, name: str, body: dict[str, Any]) -> None:
        """Write to a Deployment as a colleague, over the same wire with the same faults."""

        async def written() -> None:
            answer = await self.colleague.patch(_deployment(namespace, name), json=body, headers=_MERGE)
            answer.raise_for_status()

        await persistent(written)

    async def remove(self, namespace: str) -> None:
        """Take a namespace away with all that is in it."""

        async def removed() -> None:
            answer = await self.colleague.delete(f"/api/v1/namespaces/{namespace}")
            answer.raise_for_status()

        await persistent(removed)

    async def running(self) -> list[str]:
        """The workflows of incidents that are open."""

        async def look() -> list[str]:
            return [one.id async for one in self.client.list_workflows(_OURS)]

        return await persistent(look)

    async def proof(self) -> list[str]:
        """What `halon audit verify` finds wrong, with the store as it is on the disk."""
        command = [sys.executable, "-m", "halon.cli", "--config", str(self.engine.config), "audit", "verify"]
        process = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        said, _ = await process.communicate()
        return [] if process.returncode == 0 else [said.decode(errors="replace")]

    def read_log(self, part: str, start: int) -> list[str]:
        """Lines of a process's log, from a byte on, that nothing explains."""
        with (self.root / f"{part}.log").open("rb") as log:
            log.seek(start)
            lines = log.read().decode(errors="replace").splitlines()
        return [f"{part}: {line[:_SHOWN]}" for line in lines if _BAD_LINE.search(line) and _EXPECTED not in line]

    def log_size(self, part: str) -> int:
        """How long a process's log is, in bytes."""
        log = self.root / f"{part}.log"
        return log.stat().st_size if log.exists() else 0


async def locks_held(stage: Stage) -> list[str]:
    """The locks that runs hold, as the ledger of guards tells. One that is kept for a person to look is not held."""
    ledger = LedgerClient(stage.client, stage.engine.settings.temporal.task_queue)
    try:
        state = await persistent(ledger.state)
    except TimeoutError:
        return ["whatever the ledger of guards knows, which does not answer,"]
    return [f"lock {one.name} of {one.incident}" for one in state.locks.values() if not one.kept]


async def persistent(call: Callable[[], Awaitable[T]], *, within: float = 60) -> T:
    """Call until it works."""
    async with asyncio.timeout(within):
        while True:
            with contextlib.suppress(*NOT_NOW):
                async with asyncio.timeout(10):
                    return await call()
            await asyncio.sleep(0.2)


@asynccontextmanager
async def stage(root: Path) -> AsyncIterator[Stage]:
    """Set everything up in a directory that is there; afterwards nothing of it runs, and the logs are there."""
    async with contextlib.AsyncExitStack() as ends:
        cluster = await ends.enter_async_context(DemoCluster())
        kubeconfig = await kubeconfig_with_roles(cluster, "rbac-cluster.yaml")
        engine = Engine(root, kubeconfig, write_hurried(root / "playbooks"))
        ends.push_async_callback(engine.stop)
        await engine.start("temporal")
        await engine.prepare()
        await engine.start("worker")
        await engine.start("gateway")
        client = await engine.client()
        store = await ends.enter_async_context(open_store(engine.settings))
        trusted = ssl.create_default_context(cafile=cluster.ca_file)
        headers = {"Authorization": f"Bearer {cluster.add_token(user='colleague', allow=[Rule()])}"}
        colleague = await ends.enter_async_context(
            httpx.AsyncClient(base_url=cluster.url, verify=trusted, headers=headers, timeout=5)
        )
        yield Stage(root, cluster, engine, client, store, installation(engine.settings), colleague)


def _deployment(namespace: str, name: str) -> str:
    return f"/apis/apps/v1/namespaces/{namespace}/deployments/{name}"
