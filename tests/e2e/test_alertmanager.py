"""A real Prometheus and a real Alertmanager: what fires there is an incident here, and what resolves there ends it.

Needs the programs of the Debian packages `prometheus` and `prometheus-alertmanager`.
"""

import asyncio
import json
import re
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx
import pytest
from aiohttp import web
from engine import TOKEN, Engine, until
from temporalio.client import WorkflowExecutionStatus

from halon.clients.embedded import free_port
from halon.contracts.audit import AuditKind, StoredRecord
from halon.contracts.incident import IncidentRow
from halon.store.store import Store, open_store

PLAYBOOK = """
apiVersion: halon/v1
kind: Playbook
metadata: {name: watch, title: Wait until it is over, owner: tests}
trigger: {alerts: [KubePodCrashLooping], group_by: [namespace, container]}
timeout: 5m
steps:
  - id: over
    wait: {until: resolved, within: 4m}
"""
RULES = """
groups:
  - name: kubernetes-apps
    rules:
      - alert: KubePodCrashLooping
        expr: kube_pod_container_status_waiting_reason{reason="CrashLoopBackOff", job="kube-state-metrics"} >= 1
        labels: {severity: warning}
        annotations:
          summary: Pod is crash looping.
          description: Pod {{ $labels.namespace }}/{{ $labels.pod }} waits ({{ $labels.reason }}).
"""
PODS = ("cart-7d9f-a", "cart-7d9f-b", "cart-7d9f-c")
MOST = 2
"""Alerts that Alertmanager is told to put into a webhook, so that it leaves one out."""


class KubeStateMetrics:
    """What the rule asks for, as kube-state-metrics shows it."""

    def __init__(self) -> None:
        self.crashing = set(PODS)
        self.port = 0

    async def show(self, _request: web.Request) -> web.Response:
        """Answer a scrape."""
        name, labels = "kube_pod_container_status_waiting_reason", 'namespace="shop",container="cart"'
        lines = [
            f'{name}{{{labels},pod="{pod}",reason="CrashLoopBackOff"}} {int(pod in self.crashing)}' for pod in PODS
        ]
        return web.Response(text="\n".join(lines) + "\n")


@pytest.fixture
async def exporter() -> AsyncIterator[KubeStateMetrics]:
    one = KubeStateMetrics()
    app = web.Application()
    app.router.add_get("/metrics", one.show)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    one.port = runner.addresses[0][1]
    yield one
    await runner.cleanup()


@pytest.fixture
async def engine(tmp_path: Path, exporter: KubeStateMetrics) -> AsyncIterator[Engine]:
    """Halon, after Prometheus and Alertmanager: these try again until somebody listens."""
    playbooks, port = tmp_path / "playbooks", free_port()
    playbooks.mkdir()
    (playbooks / "watch.yaml").write_text(PLAYBOOK)
    one = Engine(tmp_path, tmp_path / "no-cluster-is-asked", playbooks)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(process(tmp_path, *alertmanager(tmp_path, one, port)))
        await stack.enter_async_context(process(tmp_path, *prometheus(tmp_path, exporter, port)))
        stack.push_async_callback(one.stop)
        await one.start("temporal")
        await one.prepare()
        await one.start("worker")
        await one.start("gateway")
        yield one


@asynccontextmanager
async def process(directory: Path, *command: str) -> AsyncIterator[None]:
    """Run a program until the test is over."""
    program = shutil.which(command[0], path="/usr/bin:/usr/local/bin")
    assert program, f"{command[0]} is not installed: apt-get install prometheus prometheus-alertmanager"
    with (directory / f"{command[0]}.log").open("wb") as log:
        running = await asyncio.create_subprocess_exec(program, *command[1:], stdout=log, stderr=log, cwd=directory)
    try:
        yield
    finally:
        running.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(running.wait(), 10)
        except TimeoutError:
            running.kill()
            await running.wait()


def alertmanager(directory: Path, engine: Engine, port: int) -> list[str]:
    """Configure Alertmanager as docs/gateway.md has it, only quicker."""
    (directory / "token").write_text(TOKEN)
    webhook = {
        "url": f"http://127.0.0.1:{engine.gateway_port}/v1/alerts/alertmanager",
        "send_resolved": True,
        "max_alerts": MOST,
        "http_config": {"authorization": {"type": "Bearer", "credentials_file": str(directory / "token")}},
    }
    route = {
        "receiver": "halon",
        "group_by": ["namespace"],
        "group_wait": "1s",
        "group_interval": "1s",
        "repeat_interval": "1h",
    }
    given = {"route": route, "receivers": [{"name": "halon", "webhook_configs": [webhook]}]}
    (directory / "alertmanager.yml").write_text(json.dumps(given))
    return [
        "prometheus-alertmanager",
        "--config.file=alertmanager.yml",
        "--storage.path=alertmanager",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    ]


def prometheus(directory: Path, exporter: KubeStateMetrics, alertmanager_port: int) -> list[str]:
    """Configure Prometheus to look several times a second."""
    (directory / "rules.yml").write_text(RULES)
    targets = [{"targets": [f"127.0.0.1:{alertmanager_port}"]}]
    scrape = {"job_name": "kube-state-metrics", "static_configs": [{"targets": [f"127.0.0.1:{exporter.port}"]}]}
    given = {
        "global": {"scrape_interval": "300ms", "scrape_timeout": "300ms", "evaluation_interval": "300ms"},
        "rule_files": ["rules.yml"],
        "alerting": {"alertmanagers": [{"static_configs": targets}]},
        "scrape_configs": [scrape],
    }
    (directory / "prometheus.yml").write_text(json.dumps(given))
    return [
        "prometheus",
        "--config.file=prometheus.yml",
        "--storage.tsdb.path=prometheus",
        f"--web.listen-address=127.0.0.1:{free_port()}",
    ]


async def incident(store: Store, state: str) -> IncidentRow:
    """Wait for the one incident to be so."""

    async def look() -> IncidentRow | None:
        rows = [row for row in await store.incidents.list() if row.state == state]
        return rows[0] if rows else None

    found = await until(look, within=90)
    assert found is not None
    return found


async def told(store: Store, chain: str, kind: AuditKind, count: int) -> list[StoredRecord]:
    """Wait for so many records of a kind."""

    async def look() -> list[StoredRecord]:
        records = [one for one in await store.audit.records(chain) if one.kind == kind]
        return records if len(records) >= count else []

    return await until(look, within=90)


def pod_of(record: StoredRecord) -> str:
    """Which pod an alert's record is about."""
    return str(record.data["labels"]["pod"])  # type: ignore[index, call-overload]  # JSON


async def counted(engine: Engine, result: str, status: str, count: int) -> None:
    """Wait until the gateway has counted so many alerts."""
    labels = f'result="{result}",source="alertmanager",status="{status}"'
    counter = re.compile(rf"halon_gateway_alerts_total{{{labels}}} (\d+)")
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{engine.gateway_port}") as http:

        async def look() -> bool:
            shown = counter.search((await http.get("/metrics")).text)
            return shown is not None and int(shown[1]) >= count

        await until(look, within=90)


async def test_what_fires_in_prometheus_is_one_incident_and_ends_when_it_resolves(
    engine: Engine, exporter: KubeStateMetrics
) -> None:
    async with open_store(engine.settings) as store:
        opened = await incident(store, "open")
        assert (opened.playbook, opened.severity) == ("watch", "warning")
        client = await engine.client()
        described = await client.get_workflow_handle(opened.workflow_id).describe()
        assert described.status is WorkflowExecutionStatus.RUNNING

        first, second = [pod_of(one) for one in await told(store, opened.id, AuditKind.ALERT_RECEIVED, MOST)]
        exporter.crashing = {first, second}
        await counted(engine, "truncated", "unknown", 2)

        # One resolves while the other fires: both stand in one webhook.
        exporter.crashing = {second}
        await counted(engine, "matched", "resolved", 1)
        assert (await store.incidents.get(opened.id)).state == "open"

        exporter.crashing = set()
        closed = await incident(store, "closed")
        assert closed.id == opened.id
        assert closed.outcome in {"resolved", "unnecessary"}, closed.reason
        records = await store.audit.records(opened.id)
        assert sorted(pod_of(one) for one in records if one.kind is AuditKind.ALERT_RECEIVED) == sorted([first, second])
        assert [pod_of(one) for one in records if one.kind is AuditKind.ALERT_RESOLVED] == [first, second]
        days = {f"unmatched-{record.at:%Y-%m-%d}" for record in records}
        left_out = [one for day in days for one in await store.audit.records(day)]
        assert {(one.kind, one.data["alerts"]) for one in left_out} == {("alert.suppressed", len(PODS) - MOST)}
        assert (await store.audit.verify()).ok
