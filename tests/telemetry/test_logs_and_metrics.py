"""What a process tells about itself: logs with trace ids and without secrets, metrics for Prometheus."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

PROGRAM = """
import asyncio, logging, sys
from datetime import UTC, datetime
from opentelemetry import metrics, trace
import structlog
from halon import telemetry
from halon.contracts.audit import AuditKind, AuditRecord
from halon.contracts.bookkeeping import AppendRequest
from halon.settings.loading import parse_settings
from halon.store.bookkeeping import Bookkeeping
from halon.store.engine import open_database
from halon.store.store import Store
from pathlib import Path


async def keep_books():
    store = Store(await open_database(f"sqlite+aiosqlite:///{sys.argv[2]}/halon.db"))
    written = dict(incident="crash-loop-0a1b2c3d4e-01234567", writer="w", at=datetime.now(UTC), message="It is so.")
    opened = AuditRecord(sequence=1, kind=AuditKind.INCIDENT_OPENED, **written)
    finished = AuditRecord(sequence=2, kind=AuditKind.RUN_FINISHED, data={"outcome": "remediated"}, **written)
    for _ in range(3):
        await Bookkeeping(store).append(AppendRequest(records=(opened, finished)))
    await store.close()


handle = telemetry.setup("worker", parse_settings(sys.argv[1], Path("halon.yaml")))
log = structlog.get_logger("halon.test")
with trace.get_tracer("test").start_as_current_span("work") as span:
    log.info("alert.received", alerts=3, password="hunter22", url="https://ana:hunter22@example.com")
    logging.getLogger("other.library").warning("sent %s", "Authorization: Bearer hunter22hunter22")
log.debug("not.shown")
try:
    raise ValueError("token=hunter22hunter22")
except ValueError:
    log.exception("it.failed")
log.info("long", text="x" * 1_000_000)
metrics.get_meter("halon.test").create_counter("halon.test.things").add(2, {"kind": "a"})
asyncio.run(keep_books())
print(handle.render_metrics()[0].decode())
print(handle.render_metrics()[1])
print([type(plugin).__name__ for plugin in handle.temporal_plugins()])
handle.shutdown()
"""


def run(settings: str) -> "subprocess.CompletedProcess[str]":
    """In a process of its own: OpenTelemetry keeps its first providers for good."""
    with tempfile.TemporaryDirectory() as directory:
        return subprocess.run(  # noqa: S603  # our own program
            [sys.executable, "-W", "error", "-c", PROGRAM, settings, directory],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
            cwd=Path(__file__).parents[2],
        )


@pytest.fixture(scope="module")
def told() -> "subprocess.CompletedProcess[str]":
    return run("environment: lab\ntelemetry: {log_format: json}")


def test_every_line_is_json_with_the_process_and_the_trace(told: "subprocess.CompletedProcess[str]") -> None:
    lines = [json.loads(line) for line in told.stderr.splitlines()]
    ours, theirs, failed, _ = lines
    assert ours["event"] == "alert.received"
    assert ours["alerts"] == 3
    assert (ours["service"], ours["environment"], ours["level"]) == ("worker", "lab", "info")
    assert len(ours["trace_id"]) == 32
    assert len(ours["span_id"]) == 16
    assert theirs["trace_id"] == ours["trace_id"]
    assert theirs["logger"] == "other.library"
    assert "trace_id" not in failed
    assert "ValueError" in failed["exception"]


def test_no_secret_reaches_the_log(told: "subprocess.CompletedProcess[str]") -> None:
    assert "hunter22" not in told.stderr


def test_a_long_line_is_cut(told: "subprocess.CompletedProcess[str]") -> None:
    assert len(told.stderr) < 60_000


def test_metrics_are_shown_to_prometheus(told: "subprocess.CompletedProcess[str]") -> None:
    assert 'halon_test_things_total{kind="a"} 2.0' in told.stdout
    assert 'service_name="halon-worker"' in told.stdout
    assert "text/plain" in told.stdout
    assert "OpenTelemetryPlugin" in told.stdout


def test_an_attempt_that_is_repeated_counts_once(told: "subprocess.CompletedProcess[str]") -> None:
    assert 'halon_incidents_opened_total{playbook="crash-loop"} 1.0' in told.stdout
    assert 'halon_runs_finished_total{outcome="remediated",playbook="crash-loop"} 1.0' in told.stdout
    assert 'halon_audit_records_total{kind="run.finished"} 1.0' in told.stdout


def test_on_a_console_people_read_text() -> None:
    told = run("telemetry: {log_format: console, log_level: warning}")
    assert "alert.received" not in told.stderr
    assert "it.failed" in told.stderr
    with pytest.raises(ValueError, match="Extra data"):
        json.loads(told.stderr.splitlines()[0])
