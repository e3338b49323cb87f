"""One trace from the webhook through the workflows to the call that changes the cluster, and logs that lead to it."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from collector import Collector, collecting
from engine import Engine, crash_looping, until

from halon.clients.embedded import free_port
from halon.contracts.incident import IncidentRow
from halon.demo.cluster import DemoCluster
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
"""


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
    async with DemoCluster() as one:
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


async def closed(engine: Engine) -> IncidentRow:
    async with open_store(engine.settings) as store:

        async def look() -> IncidentRow | None:
            rows = await store.incidents.list()
            return rows[0] if rows and rows[0].state == "closed" else None

        found = await until(look, within=30)
        assert found is not None
        return found


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
        await engine.prepare()
        await engine.start("worker")
        await engine.start("gateway")
        await engine.send(crash_looping("shop", "cart-1", "cart"))
        row = await closed(engine)
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
    measured = 'action="kubernetes.restart_deployment",phase="apply",result="ok"'
    assert f"halon_action_duration_seconds_count{{{measured}}} 1.0" in worker_metrics
    assert "halon_approvals_waiting 0.0" in gateway_metrics
    received = 'result="matched",source="alertmanager",status="firing"'
    assert f"halon_gateway_alerts_total{{{received}}} 1.0" in gateway_metrics
