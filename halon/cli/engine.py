"""Temporal, gateway and worker as processes of this one: what `halon up` and `halon demo` run.

Each is a process of its own, so each may be killed; it is started again. All of them end with this one.
"""

import asyncio
import contextlib
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import IO, Protocol, Self
from urllib.parse import urlsplit

import httpx
import structlog

from halon.cli.setup import SetupReport, prepare
from halon.clients.embedded import NAMESPACE, EmbeddedTemporal, must_be_free
from halon.clients.guarded import Ended, Guarded
from halon.clients.targets import ALL
from halon.errors import Misconfigured, TransientError
from halon.gateway.codec import CODEC_PATH
from halon.settings import Settings

READY_WITHIN = timedelta(seconds=60)
"""How long the gateway may take until it serves: its imports, on a slow machine."""
STEADY = timedelta(seconds=10)
"""A process that lives longer than this has started well."""
MAX_ENDS = 5
"""How often in a row a process may end before it is steady."""
FIRST_PAUSE = timedelta(milliseconds=200)
_LOCAL = ("127.0.0.1", "localhost")
_UI_ABOVE = 1000
"""How far the port of the web UI lies above the server's, as with Temporal's own command."""
_MAX_PORT = 65535
log = structlog.get_logger(__name__)


class Process(Protocol):
    """What can be kept running."""

    async def wait(self) -> Ended:
        """Wait until it ends by itself."""
        ...

    async def stop(self) -> None:
        """Stop it."""
        ...


class Kept:
    """A process that is started again when it ends, within bounds. `served` says that all of them once worked."""

    def __init__(
        self, name: str, start: Callable[[], Awaitable[Process]], served: asyncio.Event, *, steady: timedelta = STEADY
    ) -> None:
        self.name = name
        self._start = start
        self._served = served
        self._steady = steady
        self._process: Process | None = None
        self.failure: asyncio.Task[None] | None = None
        """Ends with an error when it is given up."""

    async def __aenter__(self) -> Self:
        self._process = await self._start()
        self.failure = asyncio.create_task(self._keep())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.failure is not None:
            self.failure.cancel()
            await asyncio.gather(self.failure, return_exceptions=True)
        if self._process is not None:
            await self._process.stop()

    async def _keep(self) -> None:
        loop = asyncio.get_running_loop()
        was_steady, ends = False, 0
        while True:
            began = loop.time()
            how = await self._ended()
            # On a busy machine a process may take longer than that to find out that it cannot start.
            steady = self._served.is_set() and loop.time() - began > self._steady.total_seconds()
            was_steady, ends = was_steady or steady, 1 if steady else ends + 1
            if ends >= MAX_ENDS or not (was_steady or how.killed):
                often = f"{ends} times in a row, the last time" if ends > 1 else "at its start"
                raise TransientError(f"the {self.name} ended {often} with {how}")
            pause = FIRST_PAUSE * 2 ** (ends - 1)
            log.warning("process.ended", process=self.name, how=str(how), again_in=pause.total_seconds())
            await asyncio.sleep(pause.total_seconds())

    async def _ended(self) -> Ended:
        """Wait until it ends; when it had ended before, start it first."""
        if self._process is None:
            try:
                self._process = await self._start()
            except TransientError as error:
                return Ended(1, str(error))
        how = await self._process.wait()
        process, self._process = self._process, None
        await process.stop()
        return how


@dataclass(frozen=True, slots=True)
class Engine:
    """What runs, and where."""

    address: str
    """Temporal's."""
    ui_url: str
    gateway_url: str
    setup: SetupReport
    processes: Sequence[Kept]

    async def failed(self) -> None:
        """Wait until a process is given up.

        Raises:
            HalonError: which one, and how it ended.
        """
        failures = [one.failure for one in self.processes if one.failure is not None]
        done, _ = await asyncio.wait(failures, return_when=asyncio.FIRST_COMPLETED)
        for one in done:
            one.result()


@asynccontextmanager
async def running(settings: Settings, config: Path | None, *, json: bool, logs: Path | None) -> AsyncGenerator[Engine]:
    """Run the engine while the block lasts. The gateway serves when it begins.

    The processes read the settings themselves, from `config` or as this one did. They write their logs below the
    directory `logs`, or where this process writes its own, with `json` as JSON.

    Raises:
        Misconfigured: the settings, or what they name, do not allow it.
        TransientError: a process does not start.
    """
    port = _embedded_port(settings)
    ui_port = _ui_port(settings, port)
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    data_dir = settings.data_dir / "temporal"
    ui_url = ""
    codec = f"{_gateway_url(settings)}{CODEC_PATH}" if settings.temporal.encryption else None

    async def temporal() -> EmbeddedTemporal:
        nonlocal ui_url
        server = await EmbeddedTemporal(data_dir, port=port, ui_port=ui_port, codec=codec).__aenter__()
        ui_url = server.ui_url
        return server

    served = asyncio.Event()
    async with contextlib.AsyncExitStack() as ends:
        kept = [await ends.enter_async_context(Kept("Temporal server", temporal, served))]
        # Otherwise another gateway that serves there would be taken for this one.
        must_be_free(settings.gateway.port, "the gateway", "gateway.port", host=settings.gateway.host)
        report = await prepare(settings)
        for check in report.checks:
            if not check.ok and check.name != "playbooks":
                raise Misconfigured(f"{check.name}: {check.detail}")
        for name in ("worker", "gateway"):
            file = ends.enter_context((logs / f"{name}.log").open("ab")) if logs else None
            starter = _starter(name, config, json=json, log=file)
            kept.append(await ends.enter_async_context(Kept(name, starter, served)))
        engine = Engine(f"127.0.0.1:{port}", ui_url, _gateway_url(settings), report, kept)
        await _ready(engine)
        served.set()
        yield engine


def _starter(name: str, config: Path | None, *, json: bool, log: IO[bytes] | None) -> Callable[[], Awaitable[Guarded]]:
    options = ["--config", str(config)] if config else []
    every = ["--for", ALL] if name == "worker" else []  # no cluster or account waits for a worker of its own
    command = [sys.executable, "-P", "-m", "halon.cli", *options, name, *every, *(["--json"] if json else [])]

    async def start() -> Guarded:
        return await Guarded.start(command, log=log)

    return start


async def _ready(engine: Engine) -> None:
    """Wait until the gateway serves, and no process was given up.

    Raises:
        TransientError: it does not in time, or one was.
    """
    failed = asyncio.create_task(engine.failed())
    serves = asyncio.create_task(_serves(engine.gateway_url))
    try:
        async with asyncio.timeout(READY_WITHIN.total_seconds()):
            await asyncio.wait([failed, serves], return_when=asyncio.FIRST_COMPLETED)
        if failed.done():
            failed.result()
        serves.result()
    except TimeoutError as error:
        raise TransientError(f"the gateway does not serve at {engine.gateway_url}") from error
    finally:
        for task in (failed, serves):
            task.cancel()
        await asyncio.gather(failed, serves, return_exceptions=True)


async def _serves(url: str) -> None:
    async with httpx.AsyncClient(trust_env=False) as http:
        while True:
            with contextlib.suppress(httpx.TransportError):
                if (await http.get(f"{url}/healthz")).is_success:
                    return
            await asyncio.sleep(0.1)


def _gateway_url(settings: Settings) -> str:
    host = settings.gateway.host
    if host in {"0.0.0.0", "::"}:  # noqa: S104  # what it listens on is the user's own choice
        host = "127.0.0.1"
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.gateway.port}"


def _embedded_port(settings: Settings) -> int:
    """Give the port for the embedded server.

    Raises:
        Misconfigured: the settings name a Temporal of their own.
    """
    host, _, port = settings.temporal.address.rpartition(":")
    own = settings.temporal
    if host not in _LOCAL or own.namespace != NAMESPACE or own.tls or own.api_key:
        raise Misconfigured(
            f"halon.yaml names a Temporal of your own, {own.address}, and `halon up` runs the embedded one: "
            "run `halon setup`, `halon worker` and `halon gateway` with yours, or leave `temporal` out"
        )
    if settings.gateway.port == 0:
        raise Misconfigured("`gateway.port` in halon.yaml is 0: name the port that senders of alerts are to use")
    return int(port)


def _ui_port(settings: Settings, port: int) -> int:
    """Give the port of the web UI: where the settings have it when that is here, otherwise well above the server's."""
    given = urlsplit(settings.temporal.ui_url or "")
    if given.hostname in _LOCAL and given.port:
        return given.port
    return port + _UI_ABOVE if port + _UI_ABOVE <= _MAX_PORT else 0
