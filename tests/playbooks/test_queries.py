"""Every query that a shipped playbook asks Prometheus is one that Prometheus understands, as its own tests fill it in.

Needs the program of the Debian package `prometheus`.
"""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

import worker
from halon.contracts.audit import AuditKind
from halon.core.virtual import VirtualRun
from halon.playbook.catalogue import load_catalogue
from halon.playbook.testing import _Bench

ACTIONS = worker.registry().schemas
CATALOGUE = load_catalogue([Path(__file__).parents[2] / "playbooks"], ACTIONS)


class _Listening(_Bench):
    """Runs a playbook's tests and keeps what was asked of Prometheus."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.queries: set[str] = set()

    def _result(self, *given: Any, ran: VirtualRun | None = None, **more: Any) -> Any:
        for one in ran.told if ran else ():
            facts = one.event.data
            if one.event.kind is AuditKind.READ and str(facts["action"]).startswith("prometheus."):
                self.queries.update(str(value) for name, value in facts["params"].items() if name == "query")
        return super()._result(*given, ran=ran, **more)


def _queries() -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    documents = {one.file: one.document for one in CATALOGUE.results}
    for name, book in sorted(CATALOGUE.playbooks.items()):
        bench = _Listening(book, CATALOGUE.playbooks, ACTIONS, documents[CATALOGUE.files[name]])
        for index, test in enumerate(book.tests):
            bench.run(test, index)
        found += [(name, query) for query in sorted(bench.queries)]
    return found


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    program = shutil.which("prometheus")
    assert program, "prometheus is not installed: apt-get install prometheus"
    directory = tmp_path_factory.mktemp("prometheus")
    (directory / "prometheus.yml").write_text("{}")
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{one.getsockname()[1]}"
    arguments = ["--config.file=prometheus.yml", "--storage.tsdb.path=data", f"--web.listen-address={address}"]
    with subprocess.Popen([program, *arguments], cwd=directory, stderr=subprocess.DEVNULL) as process:  # noqa: S603  # Debian's
        try:
            _ready(f"http://{address}/-/ready")
            yield f"http://{address}"
        finally:
            process.terminate()


def _ready(url: str) -> None:
    until = time.monotonic() + 30
    while True:
        try:
            if httpx.get(url).status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            assert time.monotonic() < until, "Prometheus does not start"
        time.sleep(0.05)


def test_prometheus_understands_them(prometheus: str) -> None:
    asked = _queries()
    assert asked
    with httpx.Client(base_url=prometheus) as client:
        answers = [(name, query, client.get("/api/v1/query", params={"query": query}).json()) for name, query in asked]
    assert [(name, query, one["error"]) for name, query, one in answers if one["status"] != "success"] == []
