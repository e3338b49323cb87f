"""A site of two clusters, each with a worker of its own that alone holds its credentials; all of it is processes."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from engine import STOPS_WITHIN, Engine, until
from temporalio.client import Client

from halon.cli.installed import repertoire
from halon.contracts.audit import StoredRecord
from halon.contracts.incident import IncidentResult
from halon.demo.cluster import DemoCluster
from halon.operations.runs import Start, carry_out, order
from halon.operations.workers import workers_of
from halon.settings.loading import load_settings
from halon.store.store import open_store

CLUSTERS = ("eu-1", "eu-2")
STARTS_WITHIN = 180
"""Seconds; a process imports for as long as a busy machine makes it."""
PLAYBOOK = """
apiVersion: halon/v1
kind: Playbook
metadata: {name: scale, title: Scale a Deployment somewhere, owner: tests}
inputs:
  cluster: {type: string}
steps:
  - id: scale
    uses: kubernetes.scale_deployment
    with: {cluster: "${{ inputs.cluster }}", namespace: shop, name: cart, replicas: 3}
  - id: serves
    verify:
      uses: kubernetes.rollout_status
      with: {cluster: "${{ inputs.cluster }}", namespace: shop, name: cart}
    until: ${{ result.complete }}
    every: 500ms
    within: 1m
"""
CART: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "cart", "namespace": "shop"},
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "cart"}},
        "template": {
            "metadata": {"labels": {"app": "cart"}},
            "spec": {"containers": [{"name": "cart", "image": "cart:1.0"}]},
        },
    },
}


async def own_worker(
    engine: Engine, target: str, config: Path, environment: Mapping[str, str] | None = None
) -> asyncio.subprocess.Process:
    """Start the worker of a target, with settings of its own; it is there when `halon workers` shows it."""
    command = [sys.executable, "-m", "halon.cli", "--config", str(config), "worker", "--for", target]
    with (config.with_suffix(".log")).open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *command, env={**os.environ, **(environment or {})}, stdout=log, stderr=log, cwd=config.parent
        )
    identity = f"{process.pid}@"
    client = await engine.client()

    async def listed() -> bool:
        found = await workers_of(client, engine.settings)
        there = next(one.pollers for one in found if one.target == target)
        return any(poller.identity.startswith(identity) for poller in there)

    await until(listed, within=STARTS_WITHIN, pause=0.5)
    return process


async def halon(engine: Engine, *arguments: str) -> tuple[int, Any]:
    """A command as a person at the centre gives it, and its JSON."""
    command = [sys.executable, "-m", "halon.cli", "--config", str(engine.config), *arguments]
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, env={**os.environ, "CRASH_TOKEN": "x"}
    )
    out, _ = await process.communicate()
    return process.returncode or 0, json.loads(out)


class Site:
    """The central engine and two clusters; no process but a cluster's own worker has a way into it."""

    def __init__(self, root: Path, clusters: dict[str, DemoCluster]) -> None:
        playbooks = root / "playbooks"
        playbooks.mkdir()
        (playbooks / "scale.yaml").write_text(PLAYBOOK)
        self.clusters = clusters
        self.engine = Engine(root, root / "nowhere", playbooks)
        self._client: Client | None = None
        given = json.loads(self.engine.config.read_text())
        given["kubernetes"] = {"clusters": {name: {"worker": True} for name in CLUSTERS}}
        self.engine.config.write_text(json.dumps(given))
        self.engine.settings = load_settings(self.engine.config)
        self._configs: dict[str, Path] = {}
        for name, cluster in clusters.items():
            given["kubernetes"]["clusters"][name] = {"worker": True, "kubeconfig": str(cluster.kubeconfig)}
            self._configs[name] = root / f"{name}.yaml"
            self._configs[name].write_text(json.dumps(given))
            given["kubernetes"]["clusters"][name] = {"worker": True}
        self.workers: list[asyncio.subprocess.Process] = []

    async def start_worker(self, name: str) -> asyncio.subprocess.Process:
        """The worker of a cluster, with that one's settings."""
        self.workers.append(await own_worker(self.engine, f"cluster:{name}", self._configs[name]))
        return self.workers[-1]

    async def client(self) -> Client:
        if self._client is None:
            self._client = await self.engine.client()
        return self._client

    async def scale(self, cluster: str) -> IncidentResult:
        """Start the playbook as `halon run` does, and wait for its end."""
        known = await asyncio.to_thread(repertoire, self.engine.settings)
        wanted = order(known, known.playbook("scale"), Start("ana@example.com", {"cluster": cluster}))
        handle = await carry_out(await self.client(), self.engine.settings.temporal.task_queue, wanted)
        return await handle.result()

    async def records(self, incident: str) -> list[StoredRecord]:
        async with open_store(self.engine.settings) as store:
            return list(await store.audit.records(incident))

    def replicas(self, cluster: str) -> int:
        there = self.clusters[cluster].read("apps/v1", "Deployment", "cart", "shop") or {}
        return int(there["spec"]["replicas"])

    async def stop(self) -> None:
        for process in self.workers:
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
        for process in self.workers:
            await asyncio.wait_for(process.wait(), STOPS_WITHIN)
        await self.engine.stop()


@asynccontextmanager
async def opened(root: Path) -> AsyncGenerator[Site]:
    """A site whose central worker runs, and whose clusters have none yet."""
    async with AsyncExitStack() as ends:
        clusters = {name: await ends.enter_async_context(DemoCluster()) for name in CLUSTERS}
        for cluster in clusters.values():
            await cluster.apply(CART)
            cluster.journal.clear()
        one = Site(root, clusters)
        ends.push_async_callback(one.stop)
        await one.engine.start("temporal")
        await one.engine.prepare()
        await one.engine.start("worker")
        yield one
