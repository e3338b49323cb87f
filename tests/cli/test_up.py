"""`halon up` for real: three processes that may die, data that stay, and nothing that is left behind."""

import asyncio
import json
import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, TypeVar

import httpx
import pytest
from command import Shell, configure, free_port, process, stopped

from halon.cli.app import execute
from halon.cli.engine import Kept
from halon.cli.up import EXAMPLE
from halon.clients.guarded import Ended
from halon.errors import TransientError
from halon.settings.loading import parse_settings

T = TypeVar("T")


def processes(*words: str) -> list[int]:
    """Processes on this machine whose command line holds all these words."""
    found: list[int] = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if all(word in line for word in words) and "halon.clients.guard" not in line:
            found.append(int(path.parent.name))
    return found


def until(look: Callable[[], T], within: float = 120) -> T:
    deadline = time.monotonic() + within
    while not (found := look()):
        assert time.monotonic() < deadline, "it does not come about"
        time.sleep(0.1)
    return found


def free_pair() -> int:
    """A port whose web UI's, a thousand above, is free as well: nobody gives out those so high."""
    return free_port() % 20_000 + 10_000


@pytest.fixture
def engine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator["Up"]:
    yield Up(tmp_path, capsys)
    for pid in processes(str(tmp_path)):
        os.kill(pid, signal.SIGKILL)


class Up:
    """A halon.yaml for `halon up`, and what a person does with it."""

    def __init__(self, directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.directory = directory
        self.port, self.temporal = free_port(), free_pair()
        sources = "{lab: {type: alertmanager, auth: {bearer: {file: token}}}}"
        self.config = configure(
            directory,
            f'temporal: {{address: "127.0.0.1:{self.temporal}"}}\ngateway: {{port: {self.port}, sources: {sources}}}\n',
        )
        (directory / "token").write_text("planted")
        self.log = directory / "log"
        self.shell = Shell(self.config, capsys)

    def serves(self) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{self.port}/readyz", timeout=5).is_success
        except httpx.TransportError:
            return False

    def alert(self) -> bool:
        """Send one as Alertmanager does; it sends again until it is taken."""
        labels = {"alertname": "Lab", "namespace": "shop"}
        one = {"status": "firing", "labels": labels, "startsAt": datetime(2026, 1, 2, tzinfo=UTC).isoformat()}
        try:
            answer = httpx.post(
                f"http://127.0.0.1:{self.port}/v1/alerts/lab",
                json={"version": "4", "alerts": [one]},
                headers={"Authorization": "Bearer planted"},
                timeout=20,
            )
        except httpx.TransportError:
            return False
        return answer.is_success

    def signs_in(self, link: str) -> bool:
        """Press the button that the link shows, and look whether somebody is signed in."""
        headers = {"Origin": f"http://127.0.0.1:{self.port}", "Sec-Fetch-Site": "same-origin"}
        with httpx.Client(headers=headers) as browser:
            page = browser.get(link).text
            assert browser.get(f"http://127.0.0.1:{self.port}/console/").is_redirect, "a link that is only opened"
            form = dict(re.findall(r'name="(form|link)" value="([^"]+)"', page))
            browser.post(f"http://127.0.0.1:{self.port}/console/sign-in", data=form)
            return browser.get(f"http://127.0.0.1:{self.port}/console/").is_success

    def incidents(self) -> list[dict[str, Any]]:
        answer = self.shell("incidents", "--json")
        return json.loads(answer.out) if answer.code == 0 else []


def test_each_process_may_be_killed_and_data_survive_a_restart_of_all(engine: Up) -> None:
    with process(engine.config, "up", log=engine.log) as up:
        until(lambda: "Ctrl-C stops everything" in engine.log.read_text())  # the last line that it tells
        told = engine.log.read_text()
        assert f"POST http://127.0.0.1:{engine.port}/v1/alerts/lab  with the bearer token of " in told
        assert f"web UI     http://127.0.0.1:{engine.temporal + 1000}" in told
        assert "planted" not in told
        (link,) = re.findall(r"console +(http\S+)", told)
        assert engine.signs_in(link)
        assert not engine.signs_in(link), "a link works once"
        assert (engine.directory / "data").stat().st_mode & 0o777 == 0o700
        for words in (("halon.cli", " gateway"), ("halon.cli", " worker"), ("start-dev",)):
            (victim,) = processes(str(engine.directory), *words)
            os.kill(victim, signal.SIGKILL)
            until(lambda victim=victim, words=words: set(processes(str(engine.directory), *words)) - {victim})
        until(engine.serves)
        until(engine.alert)
        (incident,) = until(lambda: [one for one in engine.incidents() if one["waiting"]])
        assert stopped(up) == 0
    assert processes(str(engine.directory), "halon.cli") == processes(str(engine.directory), "start-dev") == []
    with process(engine.config, "up", log=engine.log) as up:
        until(engine.serves)
        assert until(engine.incidents)[0]["id"] == incident["id"]
        until(lambda: engine.shell("approve", incident["id"], "--by", "ana@example.com").code == 0)
        until(lambda: engine.incidents()[0]["outcome"] == "unnecessary")
        assert stopped(up, signal.SIGINT) == 0
    assert engine.shell("audit", "verify").code == 0


def test_a_second_one_is_refused_and_a_killed_one_takes_everything_with_it(engine: Up) -> None:
    with process(engine.config, "up", "--json", log=engine.log) as up:
        until(lambda: '"gateway":' in engine.log.read_text())
        second = engine.shell("up")
        assert second.code == 1
        assert f"error: process {up.pid} runs a Temporal server on {engine.directory}/data/temporal" in second.err
        up.kill()
        up.wait()
    until(lambda: not processes(str(engine.directory), "halon.cli", "--config"))
    until(lambda: not processes(str(engine.directory), "start-dev"))


def test_what_cannot_start_ends_with_one_sentence_and_leaves_nothing(engine: Up) -> None:
    (engine.directory / "token").unlink()
    with process(engine.config, "up", log=engine.log) as up:
        assert up.wait(timeout=120) == 1
    told = engine.log.read_text()
    assert "`gateway.sources.lab.auth.bearer` names the file" in told
    assert "error: the gateway ended at its start with exit status 1" in told
    assert "Traceback" not in told
    assert processes(str(engine.directory), "halon.cli") == processes(str(engine.directory), "start-dev") == []


class Well(BaseHTTPRequestHandler):
    """Another gateway, which is well."""

    def do_GET(self) -> None:  # the name is that of http.server
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Keep silent."""


def test_another_gateway_at_its_port_is_not_taken_for_its_own(engine: Up) -> None:
    with ThreadingHTTPServer(("127.0.0.1", engine.port), Well) as other:
        Thread(target=other.serve_forever, daemon=True).start()
        with process(engine.config, "up", log=engine.log) as up:
            assert up.wait(timeout=120) == 1
        other.shutdown()
    told = engine.log.read_text()
    assert f"error: port {engine.port} on 127.0.0.1, for the gateway, is taken: stop what uses it, or name" in told
    assert "Halon is up" not in told


async def test_what_ends_before_all_served_never_started_well_however_long_it_took() -> None:
    class Slow:
        """A process that finds out late that it cannot start."""

        async def wait(self) -> Ended:
            await asyncio.sleep(0.05)
            return Ended(1)

        async def stop(self) -> None:
            """It has ended."""

    async def start() -> Slow:
        return Slow()

    async with Kept("gateway", start, asyncio.Event(), steady=timedelta(milliseconds=10)) as kept:
        assert kept.failure is not None
        with pytest.raises(TransientError, match="the gateway ended at its start with exit status 1"):
            await kept.failure


def test_a_temporal_of_ones_own_is_not_replaced_by_the_embedded_one(shell: Shell) -> None:
    shell.config.write_text('data_dir: data\ntemporal: {address: "temporal.example.com:7233"}\n')
    answer = shell("up")
    assert (answer.code, "a Temporal of your own" in answer.err) == (1, True)
    assert not (shell.config.parent / "data" / "temporal").exists()


def test_without_settings_it_says_what_to_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HALON_CONFIG", raising=False)
    assert execute(["up"]) == 1
    told = capsys.readouterr().err
    assert "name yours in `playbooks` of halon.yaml" in told
    assert EXAMPLE in told
    assert parse_settings(EXAMPLE, tmp_path / "halon.yaml").gateway.sources["alertmanager"].auth.bearer
