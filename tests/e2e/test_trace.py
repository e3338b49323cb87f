"""One trace from the webhook through the workflows to the call that changes the cluster, and logs that lead to it."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from collector import Collector, collecting
from engine import Engine, crash_looping, until

from halon.clients.embedded import free_port
from halon.contracts.incident import IncidentRow
from halon.core.ids import run_id
from halon.demo.cluster import DemoCluster, Timing
from halon.settings.loading import load_settings
from halon.store.store import open_store

PLAYBOOK = """
apiVersion: halon/v1
kind: Playbook
metadata: {name: restart, title: Restart what crash-loops, owner: tests}
trigger: {alerts: [KubePodCrashLooping], group_by: [namespace, container]}
timeout: 5m
steps:
  - id: restart
    uses: kubernetes.restart_deployment
    with: {namespace: "${{ alert.labels.namespace }}", name: "${{ alert.labels.container }}"}
    approve: {within: 2m}
"""


MOMENT = timedelta(milliseconds=10)
FAST = Timing(tick=MOMENT, start=MOMENT, ready=MOMENT, stop=MOMENT, crash=MOMENT, backoff=MOMENT)


def deployment(name: str) -> dict[str, Any]:
    template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": name, "image": f"{name}:1.0"}]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"app": name}}, "template": template},
    }


@pytest.fixture
async def cluster() -> AsyncIterator[DemoCluster]:
    async with DemoCluster(timing=FAST) as one:
        await one.apply(deployment("cart"))
        yield one


@pytest.fixture
async def collector() -> AsyncIterator[Collector]:
    async with collecting() as one:
        yield one


def telling(engine: Engine, collector: Collector) -> int:
    """Have the engine send its traces, log as JSON and show the worker's metrics; gives the port of these."""
    port = free_port()
    given = json.loads(engine.config.read_text())
    given["telemetry"] = {"otlp": collector.url, "log_format": "json", "metrics_port": port}
    engine.config.write_text(json.dumps(given))
    engine.settings = load_settings(engine.config)
    return port


async def incident(engine: Engine, state: str) -> IncidentRow:
    """Wait for the incident to be listed so."""
    async with open_store(engine.settings) as store:

        async def look() -> IncidentRow | None:
            rows = await store.incidents.list()
            return rows[0] if rows and rows[0].state == state else None

        found = await until(look, within=30)
        assert found is not None
        return found


async def waiting_metrics(engine: Engine) -> str:
    """Give the gateway's metrics as soon as they say that somebody must decide."""

    async def look() -> str:
        shown = await metrics_of(engine.gateway_port)
        return shown if "halon_approvals_waiting 1.0" in shown else ""

    return await until(look, within=30)


async def approve(engine: Engine) -> None:
    row = await incident(engine, "open")
    await (await engine.client()).get_workflow_handle(run_id(row.id)).signal("approve", {"by": "ana@example.com"})


async def metrics_of(port: int) -> str:
    async with httpx.AsyncClient() as http:
        return (await http.get(f"http://127.0.0.1:{port}/metrics")).raise_for_status().text


def log_of(engine: Engine, part: str) -> list[dict[str, Any]]:
    lines = (engine.root / f"{part}.log").read_text().splitlines()
    return [json.loads(line) for line in lines if line.startswith("{")]


async def test_one_trace_leads_from_the_webhook_to_the_call_that_changes_the_cluster(
    tmp_path: Path, cluster: DemoCluster, collector: Collector
) -> None:
    playbooks = tmp_path / "playbooks"
    playbooks.mkdir()
    (playbooks / "restart.yaml").write_text(PLAYBOOK)
    engine = Engine(tmp_path, cluster.kubeconfig, playbooks)
    port = telling(engine, collector)
    try:
        await engine.start("temporal")
        await engine.start("worker")
        await engine.start("gateway")
        await engine.prepare()
        await engine.send(crash_looping("shop", "cart-1", "cart"))
        waiting = await waiting_metrics(engine)
        await approve(engine)
        row = await incident(engine, "closed")
        worker_metrics, gateway_metrics = await metrics_of(port), await metrics_of(engine.gateway_port)
    finally:
        await engine.stop()  # what is still to be sent is sent at the end of a process

    assert row.outcome == "unverified", row.reason
    webhook = collector.find("POST /v1/alerts/{source}")
    change = collector.find("apply kubernetes.restart_deployment")
    patch = next(one for one in collector.spans if one.name == "PATCH" and one.parent == change.id)
    assert [f"{one.service}: {one.name}" for one in collector.way_up(patch)] == [
        "halon-worker: PATCH",
        "halon-worker: apply kubernetes.restart_deployment",
        "halon-worker: RunActivity:kubernetes.restart_deployment.apply",
        "halon-worker: StartActivity:kubernetes.restart_deployment.apply",
        "halon-worker: RunWorkflow:Remediation",
        "halon-worker: StartChildWorkflow:Remediation",
        "halon-worker: RunWorkflow:Incident",
        "halon-gateway: SignalWithStartWorkflow:Incident",
        "halon-gateway: POST /v1/alerts/{source}",
    ]
    assert {one.trace for one in collector.way_up(patch)} == {webhook.trace}

    ran = [line for line in log_of(engine, "worker") if line["event"] == "action ran" and line["phase"] == "apply"]
    assert [(line["trace_id"], line["span_id"]) for line in ran] == [(webhook.trace, change.id)]
    taken = [line for line in log_of(engine, "gateway") if line["event"] == "alerts.received"]
    assert [(line["trace_id"], line["span_id"]) for line in taken] == [(webhook.trace, webhook.id)]

    assert 'halon_incidents_opened_total{playbook="restart"} 1.0' in worker_metrics
    assert 'halon_runs_finished_total{outcome="unverified",playbook="restart"} 1.0' in worker_metrics
    assert 'halon_incidents_closed_total{outcome="unverified",playbook="restart"} 1.0' in worker_metrics
    assert 'halon_audit_records_total{kind="applied"} 1.0' in worker_metrics
    measured = 'action="kubernetes.restart_deployment",phase="apply",result="ok",worker="central"'
    assert f"halon_action_duration_seconds_count{{{measured}}} 1.0" in worker_metrics
    assert "halon_incidents_open 1.0" in waiting
    received = 'result="matched",source="alertmanager",status="firing"'
    assert f"halon_gateway_alerts_total{{{received}}} 1.0" in gateway_metrics
