"""Halon as it runs in production: Temporal, gateway and worker as processes of their own, which a test may kill."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, TypeVar

import httpx
import yaml
from opentelemetry.instrumentation.utils import suppress_instrumentation
from temporalio.client import Client
from temporalio.service import RPCError

from halon.cli.connections import temporal_config
from halon.cli.setup import prepare
from halon.clients.embedded import free_port, server_command, server_environment
from halon.clients.temporal import connect
from halon.core.ids import run_id
from halon.demo.cluster import DemoCluster
from halon.settings.loading import load_settings
from halon.store.store import Store

Part = Literal["temporal", "worker", "gateway"]
PARTS: tuple[Part, ...] = ("temporal", "worker", "gateway")
DEPLOY = Path(__file__).parents[2] / "deploy"
TOKEN = "planted-token-of-the-sender"
STOPS_WITHIN = 30
"""Seconds; a worker gives what it is doing twenty."""
T = TypeVar("T")


async def kubeconfig_with_roles(cluster: DemoCluster, file: str) -> Path:
    """Install a file of `deploy/`, and give the kubeconfig of its service account: what it grants, and nothing more."""
    documents = list(yaml.safe_load_all((DEPLOY / file).read_text(encoding="utf-8")))
    for one in documents:
        await cluster.apply(one)
    (account,) = (one["metadata"] for one in documents if one["kind"] == "ServiceAccount")
    return cluster.kubeconfig_for(cluster.add_account(account["namespace"], account["name"]))


class Engine:
    """The three processes, over one directory."""

    def __init__(self, root: Path, kubeconfig: Path, playbooks: Path) -> None:
        self.root = root
        self.temporal_port, self.gateway_port = free_port(), free_port()
        self.config = root / "halon.yaml"
        self.config.write_text(json.dumps(self._settings(kubeconfig, playbooks)))
        self.settings = load_settings(self.config)
        self._processes: dict[Part, asyncio.subprocess.Process] = {}
        self.stubborn: list[Part] = []
        """Processes that did not end when they were told to; their logs say where they stood."""

    def _settings(self, kubeconfig: Path, playbooks: Path) -> dict[str, Any]:
        source = {"type": "alertmanager", "auth": {"bearer": {"env": "CRASH_TOKEN"}}}
        return {
            "data_dir": str(self.root / "data"),
            "playbooks": [str(playbooks)],
            "temporal": {"address": f"127.0.0.1:{self.temporal_port}"},
            "kubernetes": {"default": "demo", "clusters": {"demo": {"kubeconfig": str(kubeconfig)}}},
            "gateway": {"port": self.gateway_port, "sources": {"alertmanager": source}},
        }

    async def start(self, part: Part) -> None:
        """Start a process; it may take its time until it serves."""
        if part == "temporal":
            command = server_command(self.temporal_port, database=self.root / "temporal.db")
            environment = server_environment()
        else:
            command = [sys.executable, "-m", "halon.cli", "--config", str(self.config), part]
            environment = {**os.environ, "CRASH_TOKEN": TOKEN, "PYTHONFAULTHANDLER": "1"}
        with (self.root / f"{part}.log").open("ab") as log:
            self._processes[part] = await asyncio.create_subprocess_exec(
                *command, env=environment, stdout=log, stderr=log, cwd=self.root
            )

    async def prepare(self) -> None:
        """`halon setup`, as soon as the server answers."""

        async def set_up() -> bool:
            return (await prepare(self.settings)).ok

        await until(set_up, within=120)

    async def kill(self, part: Part) -> None:
        """`kill -9`."""
        process = self._processes.pop(part)
        process.kill()
        await process.wait()

    def send_signal(self, part: Part, number: signal.Signals) -> None:
        """Stop a process where it is, or have it go on."""
        self._processes[part].send_signal(number)

    def ended(self) -> list[str]:
        """The processes that ended by themselves, with their exit codes."""
        return [
            f"{part} ({process.returncode})"
            for part, process in self._processes.items()
            if process.returncode is not None
        ]

    async def stop(self) -> None:
        """End what still runs, the server last."""
        for part in reversed(PARTS):
            process = self._processes.pop(part, None)
            if process is not None and process.returncode is None:
                process.send_signal(signal.SIGTERM)
                try:
                    await asyncio.wait_for(process.wait(), STOPS_WITHIN)
                except TimeoutError:
                    self.stubborn.append(part)
                    process.send_signal(signal.SIGABRT)  # Python tells then where it stands
                    await process.wait()

    async def client(self) -> Client:
        """A client of its own; it finds the server again when that comes back."""
        return await connect(temporal_config(self.settings), patience=timedelta(seconds=30))

    async def send(self, *alerts: dict[str, Any]) -> None:
        """Send alerts as Alertmanager does: the same again until a 2xx."""
        body = {
            "version": "4",
            "groupKey": "crash",
            "truncatedAlerts": 0,
            "status": "firing",
            "receiver": "halon",
            "groupLabels": {},
            "commonLabels": {},
            "commonAnnotations": {},
            "externalURL": "http://alertmanager.example.com",
            "alerts": list(alerts),
        }
        url = f"http://127.0.0.1:{self.gateway_port}/v1/alerts/alertmanager"
        # Another test may have instrumented this process: a sender of its own would not be part of the trace.
        headers = {"Authorization": f"Bearer {TOKEN}"}
        with suppress_instrumentation():
            await self._post_until_taken(url, body, headers)

    async def _post_until_taken(self, url: str, body: dict[str, Any], headers: dict[str, str]) -> None:
        async with httpx.AsyncClient(headers=headers, timeout=10) as http:

            async def accepted() -> bool:
                try:
                    answer = await http.post(url, json=body)
                except httpx.TransportError:
                    return False
                assert answer.status_code in {200, 202, 429, 503}, answer.text
                return answer.is_success

            await until(accepted, within=120, pause=0.3)


def crash_looping(namespace: str, pod: str, container: str) -> dict[str, Any]:
    """The alert of kubernetes-mixin's rule: it names a pod and no Deployment."""
    labels = {
        "alertname": "KubePodCrashLooping",
        "namespace": namespace,
        "pod": pod,
        "container": container,
        "job": "kube-state-metrics",
        "reason": "CrashLoopBackOff",
        "severity": "warning",
    }
    return {
        "status": "firing",
        "labels": labels,
        "annotations": {"summary": "Pod is crash looping."},
        "startsAt": datetime.now(UTC).isoformat(),
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus.example.com/graph",
        "fingerprint": f"crash-{pod}",
    }


async def approving(client: Client, store: Store) -> None:
    """A person who approves whatever is asked, and tries again when the answer does not come."""
    while True:
        for row in await store.incidents.list():
            if row.state == "open":
                try:
                    await client.get_workflow_handle(run_id(row.id)).signal("approve", {"by": "ana@example.com"})
                except RPCError:
                    continue
        await asyncio.sleep(0.5)


async def until(look: Callable[[], Awaitable[T]], *, within: float, pause: float = 0.1) -> T:
    """Look until there is something to see."""
    async with asyncio.timeout(within):
        while not (found := await look()):  # noqa: ASYNC110  # what changes is in another process
            await asyncio.sleep(pause)
        return found
