"""Secrets are planted wherever one can come from, and then looked for wherever something is written: none is found."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiohttp import web
from engine import TOKEN, Engine, until
from opentelemetry.instrumentation.utils import suppress_http_instrumentation

from halon.clients.codec import new_key
from halon.clients.embedded import free_port
from halon.contracts.incident import IncidentRow
from halon.core.ids import run_id
from halon.demo.cluster import DemoCluster
from halon.settings.loading import load_settings
from halon.store.store import open_store

PLAYBOOK = """
apiVersion: halon/v1
kind: Playbook
metadata: {name: planted, title: A title that is no business of yours, owner: tests}
trigger: {alerts: [Planted], group_by: [service]}
inputs:
  note: {default: "${{ alert.annotations.description }}"}
timeout: 2m
steps:
  - id: metrics
    uses: prometheus.query
    with: {query: "up{service='${{ alert.labels.service }}'}"}
    retry: {attempts: 1}
    on_failure: continue
  - id: told
    uses: notify.send
    with: {to: chat, title: "Look", body: "${{ inputs.note }}"}
    timeout: 3s
    retry: {attempts: 1}
    on_failure: continue
  - id: refused
    uses: kubernetes.rollout_status
    with: {cluster: leaky, namespace: shop, name: cart}
    retry: {attempts: 1}
    on_failure: continue
  - id: evidence
    uses: kubernetes.collect_evidence
    with: {namespace: shop, selector: app=cart, logs: both}
    retry: {attempts: 1}
    on_failure: continue
  - id: gate
    approve: {within: 1m}
  - id: done
    stop: {outcome: unnecessary, reason: "looked at ${{ inputs.note }}"}
"""
CREDENTIALS = {
    "PROMETHEUS": "planted-prometheus-6f1e",
    "CHAT": "planted-chat-password-77ab",
    "CHAT_PATH": "planted-chat-path-19cd",
    "KUBE": "planted-kube-token-c0de",
    "SENDER": TOKEN,
}
"""What lets Halon in somewhere. Each is sent to a server that repeats it in its refusals."""
LOOKS = {
    "label": "ghp_plantedlabel0123456789abcdef",
    "annotation": "planted-annotation-hunter2",
    "key": "planted-annotation-under-a-key",
    "url": "planted-url-password",
    "header": "xoxb-planted-header-0123456789",
    "query": "planted-query-token",
}
"""What an alert brings along."""
COMMENT = "glpat-plantedcomment0123456"
PRIVATE = ("a sentence for people only", "no business of yours", "team-that-is-private")


@dataclass
class Echo:
    """Refuses every request, and repeats in its refusal all that it was sent; keeps the traces that it is sent."""

    traces: list[bytes] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)
    url: str = ""

    async def answer(self, request: web.Request) -> web.Response:
        body = await request.read()
        if request.path == "/v1/traces":
            self.traces.append(body)
            return web.Response(body=b"", content_type="application/x-protobuf")
        said = f"refused: {request.method} {request.path_qs} with {dict(request.headers)} and {body[:500]!r}"
        self.seen.append(said)
        if request.path == "/api/v1/query":
            return web.json_response({"status": "error", "errorType": "bad_data", "error": said}, status=400)
        status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": said, "code": 403}
        return web.json_response({**status, "reason": "Forbidden"}, status=403)


@pytest.fixture
async def echo() -> AsyncIterator[Echo]:
    one = Echo()
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", one.answer)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    one.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield one
    await runner.cleanup()


@pytest.fixture
async def cluster() -> AsyncIterator[DemoCluster]:
    async with DemoCluster() as one:
        yield one


def leaky_kubeconfig(directory: Path, echo: Echo) -> Path:
    path = directory / "leaky.kubeconfig"
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "x",
        "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
        "clusters": [{"name": "x", "cluster": {"server": echo.url}}],
        "users": [{"name": "x", "user": {"token": CREDENTIALS["KUBE"]}}],
    }
    path.write_text(json.dumps(config))
    return path


def planted(engine: Engine, echo: Echo, *, encrypted: bool) -> int:
    """Write settings that name each secret; gives the port of the worker's metrics."""
    port, root = free_port(), engine.root
    given = json.loads(engine.config.read_text())
    given["telemetry"] = {"otlp": echo.url, "log_format": "json", "log_level": "debug", "metrics_port": port}
    (root / "prometheus-token").write_text(CREDENTIALS["PROMETHEUS"])
    given["prometheus"] = {"url": echo.url, "auth": [{"env": "PLANTED_NOWHERE"}, {"file": "prometheus-token"}]}
    address = echo.url.replace("http://", f"json://halon:{CREDENTIALS['CHAT']}@") + f"/{CREDENTIALS['CHAT_PATH']}"
    (root / "chat-url").write_text(address)
    given["notify"] = {"channels": {"chat": [{"file": "chat-url"}]}}
    given["kubernetes"]["clusters"]["leaky"] = {"kubeconfig": str(leaky_kubeconfig(root, echo))}
    if encrypted:
        (root / "key").write_text(new_key())
        given["temporal"]["encryption"] = {"current": "k1", "keys": {"k1": {"file": "key"}}}
    engine.config.write_text(json.dumps(given))
    engine.settings = load_settings(engine.config)
    return port


def alert() -> dict[str, Any]:
    return {
        "status": "firing",
        "labels": {"alertname": "Planted", "service": LOOKS["label"], "team": PRIVATE[2]},
        "annotations": {
            "description": f"{PRIVATE[0]}; password={LOOKS['annotation']}",
            "api_token": LOOKS["key"],
        },
        "startsAt": datetime.now(UTC).isoformat(),
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": f"http://ana:{LOOKS['url']}@prometheus.example.com/graph?token={LOOKS['query']}",
        "fingerprint": "planted-1",
    }


async def send_with_baggage(engine: Engine) -> None:
    """Send it as a sender does that puts a secret where traces carry it along, and that is not traced itself.

    Other tests of this process may have set tracing up, and switched off: the alert would say so to the engine.
    """
    body = {"version": "4", "status": "firing", "receiver": "halon", "alerts": [alert()]}
    headers = {"Authorization": f"Bearer {TOKEN}", "Baggage": f"session={LOOKS['header']}", "X-Token": LOOKS["header"]}
    async with httpx.AsyncClient(timeout=10) as http:

        async def taken() -> bool:
            try:
                with suppress_http_instrumentation():
                    answer = await http.post(
                        f"http://127.0.0.1:{engine.gateway_port}/v1/alerts/alertmanager", json=body, headers=headers
                    )
            except httpx.TransportError:
                return False
            return answer.status_code == 202

        await until(taken, within=60)


async def row(engine: Engine, state: str) -> IncidentRow:
    async with open_store(engine.settings) as store:

        async def look() -> IncidentRow | None:
            return next((one for one in await store.incidents.list() if one.state == state), None)

        found = await until(look, within=60)
        assert found is not None
        return found


def written(root: Path) -> Iterator[tuple[str, bytes]]:
    """Give all files that the processes wrote."""
    given = {"halon.yaml", "prometheus-token", "chat-url", "leaky.kubeconfig", "key"}
    for directory, _, names in os.walk(root):
        for name in names:
            if name not in given:
                path = Path(directory) / name
                yield str(path.relative_to(root)), path.read_bytes()


async def answers(engine: Engine, port: int, incident: str) -> dict[str, bytes]:
    """What is shown to whoever asks."""
    shown: dict[str, bytes] = {}
    async with httpx.AsyncClient(timeout=10) as http:
        for name, url in {
            "gateway metrics": f"http://127.0.0.1:{engine.gateway_port}/metrics",
            "readiness": f"http://127.0.0.1:{engine.gateway_port}/readyz",
            "api": f"http://127.0.0.1:{engine.gateway_port}/openapi.json",
            "worker metrics": f"http://127.0.0.1:{port}/metrics",
        }.items():
            shown[name] = (await http.get(url)).content
        refused = await http.post(
            f"http://127.0.0.1:{engine.gateway_port}/v1/alerts/alertmanager",
            json={"alerts": [{"labels": {"password": COMMENT}}]},
            headers={"Authorization": f"Bearer {TOKEN}"},
        )
        shown["refusal"] = refused.content
    for words in (("show", incident), ("audit", "show", incident), ("incidents",), ("preflight",)):
        process = await asyncio.create_subprocess_exec(
            os.sys.executable, "-m", "halon.cli", "--config", str(engine.config), *words, "--json",  # type: ignore[attr-defined]
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        shown[" ".join(words)] = (await process.communicate())[0]
    return shown


@pytest.mark.parametrize("encrypted", [False, True], ids=["clear", "encrypted"])
async def test_no_planted_secret_is_found_in_anything_that_is_written_or_shown(
    tmp_path: Path, cluster: DemoCluster, echo: Echo, *, encrypted: bool
) -> None:
    playbooks = tmp_path / "playbooks"
    playbooks.mkdir()
    (playbooks / "planted.yaml").write_text(PLAYBOOK)
    root = tmp_path / "root"
    root.mkdir()
    engine = Engine(root, cluster.kubeconfig, playbooks)
    port = planted(engine, echo, encrypted=encrypted)
    try:
        await engine.start("temporal")
        await engine.prepare()
        await engine.start("worker")
        await engine.start("gateway")
        await send_with_baggage(engine)
        opened = await row(engine, "open")
        client = await engine.client()
        handle = client.get_workflow_handle(run_id(opened.id))

        async def asked() -> bool:
            return bool((await handle.query("status"))["gates"])

        await until(asked, within=60)
        if encrypted:  # what a person types in clear stands in Temporal as they typed it
            await handle.signal("approve", {"by": "ana@example.com", "comment": f"use {COMMENT}"})
        else:
            await handle.signal("approve", {"by": "ana@example.com"})
        closed = await row(engine, "closed")
        shown = await answers(engine, port, closed.id)

        async def traced() -> bool:
            return all(any(part in trace for trace in echo.traces) for part in (b"gateway", b"worker"))

        await until(traced, within=60)
    finally:
        await engine.stop()

    assert closed.outcome == "unnecessary"
    assert '"credential.fallback"' in (root / "worker.log").read_text()  # it looked, and says so without the secret
    sent = "\n".join(echo.seen)
    for name in ("PROMETHEUS", "KUBE"):
        assert CREDENTIALS[name] in sent, f"{name} was never used, so nothing is proven about it"
    assert CREDENTIALS["CHAT_PATH"] in sent

    places = {**dict(written(root)), **shown, **{f"trace {n}": one for n, one in enumerate(echo.traces)}}
    assert {"temporal.db", "data/halon.db", "worker.log", "gateway.log"} <= set(places)
    secrets = [*CREDENTIALS.values(), *LOOKS.values(), COMMENT]
    found = [(place, secret) for place, content in places.items() for secret in secrets if secret.encode() in content]
    assert found == []
    readable = [text for text in PRIVATE for name in places if "temporal.db" in name and text.encode() in places[name]]
    assert bool(readable) is not encrypted
