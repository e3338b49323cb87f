"""`halon gateway` and `halon worker` as processes: without Temporal, with a taken port, and told to end."""

import signal
import socket
from pathlib import Path

import httpx
from command import Shell, configure, free_port, process, stopped, until_logged


def test_a_gateway_serves_without_temporal_and_ends_when_told_to(tmp_path: Path) -> None:
    port = free_port()
    sources = "{lab: {type: alertmanager, auth: {none: true}}}"
    config = configure(
        tmp_path, f'temporal: {{address: "127.0.0.1:9"}}\ngateway: {{port: {port}, sources: {sources}}}\n'
    )
    alert = {"status": "firing", "labels": {"alertname": "Lab"}, "startsAt": "2026-01-02T03:00:00Z"}
    log = tmp_path / "log"
    with process(config, "gateway", "--json", log=log) as gateway:
        until_logged(log, "gateway.listening", gateway)
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20) as http:
            assert http.get("/healthz").status_code == 200
            ready = http.get("/readyz")
            assert ready.status_code == 503
            assert (ready.json()["checks"]["store"], ready.json()["checks"]["catalogue"]) == ("ok", "ok")
            refused = http.post("/v1/alerts/lab", json={"version": "4", "alerts": [alert]})
            assert refused.status_code == 503
            assert "retry-after" in refused.headers
        assert stopped(gateway) == 0
    assert "gateway.stopped" in log.read_text()


def test_a_worker_waits_for_temporal_and_ends_when_told_to(tmp_path: Path) -> None:
    config = configure(tmp_path, 'temporal: {address: "127.0.0.1:9"}\ntelemetry: {metrics_port: 0}\n')
    log = tmp_path / "log"
    with process(config, "worker", "--json", log=log) as worker:
        until_logged(log, "metrics.listening", worker)
        assert stopped(worker, signal.SIGINT) == 0
    assert "Traceback" not in log.read_text()


def test_an_address_that_is_taken_is_one_sentence(shell: Shell) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        shell.config.write_text(
            f"{shell.config.read_text()}gateway: {{port: {port}}}\ntelemetry: {{log_level: error}}\n"
        )
        log = shell.config.parent / "log"
        with process(shell.config, "gateway", log=log) as gateway:
            assert gateway.wait(timeout=60) == 1
    assert f"error: the gateway cannot listen on 127.0.0.1:{port}: Address already in use" in log.read_text()
