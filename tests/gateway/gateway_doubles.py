"""A gateway on loopback: real HTTP and a real store; what stands in for Temporal is what remembers the groups."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from halon.contracts.alert import AlertStatus
from halon.contracts.playbook import Playbook
from halon.core.grouping import AlertGroup
from halon.gateway.app import create_app
from halon.gateway.dispatch import OpenWork
from halon.gateway.repeats import Report
from halon.gateway.serve import server
from halon.settings.loading import parse_settings
from halon.store.engine import open_database
from halon.store.store import Store
from halon.telemetry import Telemetry

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
TOKEN = "a-token-of-the-alertmanager"
SETTINGS = """
data_dir: data
gateway:
  port: 0
  max_body: 100000
  max_requests: 4
  body_timeout: 500ms
  sources:
    alertmanager: {type: alertmanager, auth: {bearer: {file: token}}}
    lab: {type: alertmanager, auth: {none: true}}
    signed: {type: alertmanager, auth: {hmac: {secret: {file: token}, header: X-Hub-Signature-256, prefix: "sha256="}}}
    timed:
      type: alertmanager
      auth:
        hmac:
          secret: {file: token}
          header: X-Signature
          encoding: base64
          timestamp_header: X-Timestamp
          timestamp_format: "v0:{timestamp}:"
          tolerance: 1m
    checks:
      type: generic
      auth: {none: true}
      map:
        items: ${{ body.events }}
        name: ${{ item.check }}
        fingerprint: ${{ item.id }}
        status: ${{ item.state == 'bad' }}
        severity: "${{ item.level > 2 ? 'critical' : 'warning' }}"
        labels: {service: "${{ item.service }}", team: web, level: "${{ item.level }}"}
        annotations: "${{ item.?notes.orValue({}) }}"
        starts_at: ${{ item.since }}
        url: "https://checks.example.com/${{ item.id }}?via=${{ headers['x-region'] }}"
"""


@dataclass
class RememberingDispatcher:
    """Accepts groups, or fails as it is told to."""

    groups: list[AlertGroup] = field(default_factory=list)
    reports: list[Report] = field(default_factory=list)
    error: Exception | None = None
    gate: asyncio.Event | None = None
    entered: asyncio.Event = field(default_factory=asyncio.Event)
    open: bool = True
    """Whether there is an incident that resolved alerts may reach."""

    async def dispatch(self, group: AlertGroup) -> bool:
        self.entered.set()
        if self.gate is not None:
            await self.gate.wait()
        if self.error is not None:
            raise self.error
        if any(alert.status is AlertStatus.FIRING for alert in group.alerts) or self.open:
            self.groups.append(group)
            return True
        return False

    async def tell_repeats(self, report: Report) -> bool:
        if self.error is not None:
            raise self.error
        if self.open:
            self.reports.append(report)
        return self.open

    async def open_work(self) -> OpenWork:
        if self.error is not None:
            raise self.error
        return OpenWork(incidents=3, waiting=2)

    async def check(self) -> None:
        if self.error is not None:
            raise self.error


@dataclass
class Gateway:
    http: httpx.AsyncClient
    dispatcher: RememberingDispatcher
    store: Store
    port: int
    telemetry: Telemetry

    async def post(self, body: Any, source: str = "lab", **headers: str) -> httpx.Response:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = {"content-type": "application/json"} | {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.http.post(f"/v1/alerts/{source}", content=content, headers=sent)


def playbook(name: str = "crashloop-rollback", **trigger: Any) -> Playbook:
    return Playbook.model_validate(
        {
            "apiVersion": "halon/v1",
            "kind": "Playbook",
            "metadata": {"name": name, "title": "Roll back", "owner": "team-platform"},
            "trigger": {"alerts": ["KubePodCrashLooping"], "group_by": ["namespace", "container"]} | trigger,
            "steps": [{"stop": {"outcome": "unnecessary", "reason": "a test"}}],
        }
    )


def firing(**labels: str) -> dict[str, Any]:
    """One alert as kubernetes-mixin's rule has it."""
    return {
        "status": "firing",
        "labels": {
            "alertname": "KubePodCrashLooping",
            "container": "cart",
            "job": "kube-state-metrics",
            "namespace": "shop",
            "pod": "cart-7d9f-x2x",
            "reason": "CrashLoopBackOff",
            "severity": "warning",
        }
        | labels,
        "annotations": {"summary": "Pod is crash looping."},
        "startsAt": "2026-01-02T03:00:00.123456789Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus.example.com/graph?g0.expr=x",
        "fingerprint": "6ab3d5ba3ee1f3a3",
    }


def webhook(*alerts: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {
        "version": "4",
        "groupKey": '{}:{namespace="shop"}',
        "truncatedAlerts": 0,
        "status": "firing",
        "receiver": "halon",
        "groupLabels": {"namespace": "shop"},
        "commonLabels": {"namespace": "shop"},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager.example.com",
        "alerts": list(alerts),
    } | changes


@asynccontextmanager
async def running(
    directory: Path,
    telemetry: Telemetry,
    settings: str = SETTINGS,
    clock: Callable[[], datetime] = lambda: NOW,
    playbooks: tuple[Playbook, ...] = (playbook(),),
) -> AsyncIterator[Gateway]:
    (directory / "token").write_text(TOKEN)
    parsed = parse_settings(settings, directory / "halon.yaml")
    store = Store(await open_database(parsed.store_url))
    dispatcher = RememberingDispatcher()
    catalogue = {one.metadata.name: one for one in playbooks}
    try:
        uvicorn = server(create_app(parsed, catalogue, dispatcher, store, telemetry, clock), parsed.gateway)
        serving = asyncio.create_task(uvicorn.serve())
        while not uvicorn.started:
            if serving.done():
                await serving
            await asyncio.sleep(0.01)
        port = uvicorn.servers[0].sockets[0].getsockname()[1]
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=20) as http:
            yield Gateway(http, dispatcher, store, port, telemetry)
        uvicorn.should_exit = True
        await serving
    finally:
        await store.close()
