"""Calling the command as a shell would, in this process or in one of its own."""

import json
import os
import signal
import socket
import subprocess
import sys
import sysconfig
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from halon.cli.app import execute

ROOT = Path(__file__).parents[2]

ASK_FIRST = """
apiVersion: halon/v1
kind: Playbook
metadata: {name: ask-first, title: Ask before anything, owner: team-a}
trigger: {alerts: [Lab], group_by: [namespace]}
inputs:
  namespace: {type: string, default: "${{ alert != null ? alert.labels.namespace : 'shop' }}"}
  size: {type: integer, default: 3}
steps:
  - id: gate
    approve: {from: [group:sre], within: 10m}
  - id: done
    stop: {outcome: unnecessary, reason: "nothing to do in ${{ inputs.namespace }}, size ${{ inputs.size }}"}
tests:
  - name: is approved
    inputs: {namespace: web}
    decide: [{step: gate, approve: true, by: ana@example.com}]
    expect: {outcome: unnecessary, asked: [gate]}
  - name: is denied
    inputs: {namespace: web}
    decide: [{step: gate, approve: false, by: ana@example.com}]
    expect: {outcome: denied}
"""

NAMES = """
apiVersion: halon/v1
kind: Playbook
metadata: {name: names, title: Give names, owner: team-a}
steps:
  - set: {place: "${{ alert == null ? 'nowhere' : alert.labels.namespace }}"}
"""


@dataclass
class Answer:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Shell:
    """Calls commands with one halon.yaml."""

    def __init__(self, config: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.config = config
        self._capsys = capsys

    def __call__(self, *arguments: str) -> Answer:
        self._capsys.readouterr()
        code = execute(["--config", str(self.config), *arguments])
        out, err = self._capsys.readouterr()
        return Answer(code, out, err)


def configure(directory: Path, text: str) -> Path:
    """Write a halon.yaml, and a playbook where it looks for them."""
    books = directory / "playbooks"
    books.mkdir(exist_ok=True)
    (books / "ask-first.yaml").write_text(ASK_FIRST)
    (books / "names.yaml").write_text(NAMES)
    config = directory / "halon.yaml"
    config.write_text(f"data_dir: data\n{text}")
    return config


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def process(config: Path, *arguments: str, log: Path) -> Generator["subprocess.Popen[bytes]"]:
    """Run a command in a process of its own, and see that it is gone at the end."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "NO_COLOR": "1"}
    called = [sys.executable, "-m", "halon.cli", "--config", str(config), *arguments]
    with (
        log.open("wb") as output,
        subprocess.Popen(called, env=environment, stderr=output, stdout=output) as running,  # noqa: S603  # our own
    ):
        try:
            yield running
        finally:
            running.kill()


@contextmanager
def temporal(port: int) -> Generator[None]:
    """Run a Temporal server."""
    called = [str(Path(sysconfig.get_path("scripts")) / "temporal"), "server", "start-dev", "--headless"]
    tuned = ["history.transferProcessorMaxPollRPS=2000", 'history.timerProcessorMaxTimeShift="10ms"']
    called += ["--port", str(port), *(part for one in tuned for part in ("--dynamic-config-value", one))]
    quiet = subprocess.DEVNULL
    with subprocess.Popen(called, stdout=quiet, stderr=quiet) as server:  # noqa: S603  # a development server of our own
        try:
            yield
        finally:
            server.kill()


def stopped(running: "subprocess.Popen[bytes]", number: signal.Signals = signal.SIGTERM) -> int:
    """Ask a process to end, and give its exit code."""
    running.send_signal(number)
    return running.wait(timeout=60)


def until_logged(log: Path, text: str, running: "subprocess.Popen[bytes]", within: float = 120) -> None:
    """Wait until a process has written something."""
    deadline = time.monotonic() + within
    while text not in log.read_text():
        assert running.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)
