"""`halon demo` as a person runs it: to its end by itself, answered from another terminal, and interrupted anywhere."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STORY = (
    "cart:1.4.0: 3 of 3 pods are of this release",
    "cart:1.5.0-crash: 1 of 3 pods are of this release",
    "202 Accepted",
    "alert.received",
    "incident.opened",
    "playbook.matched",
    "cart:1.5.0-crash  cart:1.4.0",
    "approved",
    "applied",
    "confirmed",
    "verified",
    "incident.closed",
    "cart:1.4.0: 3 of 3 pods are of this release; 3 pods are ready",
    "The timeline",
    "audit chain whole",
    "outcome     remediated",
)
QUESTION = "Ctrl-C ends the demonstration"
MINUTE = 60.0
PATIENCE = 150.0
"""Seconds in which even a busy machine gets there."""


class Demo:
    """The command in a process of its own, in a directory in which all that it leaves can be seen."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.log, self.result = directory.parent / "log", directory.parent / "result"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *options: str) -> "subprocess.Popen[bytes]":
        environment = os.environ | {"TMPDIR": str(self.directory), "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}
        called = [sys.executable, "-m", "halon.cli", "demo", *options]
        with self.log.open("wb") as told, self.result.open("wb") as result:
            output = result if "--json" in options else told
            # Whoever runs the tests may ignore Ctrl-C, as a shell's background jobs do, and a process inherits that.
            before = signal.signal(signal.SIGINT, signal.SIG_DFL)
            try:
                self._process = subprocess.Popen(called, env=environment, stdout=output, stderr=told)  # noqa: S603  # ours
            finally:
                signal.signal(signal.SIGINT, before or signal.SIG_DFL)
        return self._process

    def told(self, text: str, within: float = PATIENCE) -> str:
        """Wait until it has said something."""
        assert self._process is not None
        until(
            lambda: text in self.log.read_text() or (self._process is not None and self._process.poll() is not None),
            within,
        )
        assert text in self.log.read_text(), self.log.read_text()
        return self.log.read_text()

    def left(self) -> list[str]:
        """Processes and files that are still there."""
        lines: list[str] = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if str(self.directory) in line:
                lines.append(line)
        return [*lines, *(str(one) for one in self.directory.iterdir())]

    def end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()


def until(look: Callable[[], bool], within: float) -> None:
    deadline = time.monotonic() + within
    while not look():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    directory = tmp_path / "tmp"
    directory.mkdir()
    one = Demo(directory)
    yield one
    one.end()


def test_unattended_it_remediates_within_a_minute_and_leaves_nothing(demo: Demo) -> None:
    began = time.monotonic()
    process = demo.start("--approve", "auto", "--json")
    code = process.wait(timeout=PATIENCE)
    story = demo.log.read_text()
    ended = json.loads(demo.result.read_text())
    assert (ended["outcome"], ended["audit"]["ok"]) == ("remediated", True)
    assert ended["incident"] in story
    assert code == 0, story
    assert time.monotonic() - began < MINUTE
    place = 0
    for part in STORY:
        assert (place := story.find(part, place)) >= 0, f"'{part}' is not told in its turn:\n{story}"
    assert "token" not in story.lower()
    assert "Traceback" not in story
    assert demo.left() == []


def test_the_command_that_it_shows_answers_from_another_terminal_and_a_denial_is_no_success(demo: Demo) -> None:
    process = demo.start()
    story = demo.told(QUESTION)
    (shown,) = re.findall(r"^\S*halon --config .* approve .*$", story, re.MULTILINE)
    command = shlex.split(shown.replace(" approve ", " deny "))
    subprocess.run(command, check=True, cwd=demo.directory, timeout=PATIENCE)  # noqa: S603  # what a person would type
    assert process.wait(timeout=PATIENCE) == 1
    story = demo.log.read_text()
    assert "outcome     denied" in story
    assert "cart:1.5.0-crash: 1 of 3 pods" in story.partition("The cluster now")[2]
    assert "verified" not in story
    (kept,) = demo.left()
    assert f"logs are kept in {kept}" in story


@pytest.mark.parametrize(
    ("moment", "number", "code"), [("starting", signal.SIGINT, 130), (QUESTION, signal.SIGTERM, 143)]
)
def test_it_can_be_ended_anywhere_and_leaves_nothing(demo: Demo, moment: str, number: int, code: int) -> None:
    process = demo.start()
    demo.told(moment)
    process.send_signal(number)
    assert process.wait(timeout=PATIENCE) == code
    assert demo.left() == []
    assert "Traceback" not in demo.log.read_text()


def test_even_a_kill_leaves_no_process(demo: Demo) -> None:
    process = demo.start()
    demo.told("Alertmanager sends its webhook")
    process.kill()
    process.wait()
    until(lambda: not [one for one in demo.left() if " " in one], PATIENCE)
