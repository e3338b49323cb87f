"""The processes that keep running: `halon worker` and `halon gateway`, and `halon setup`, which comes before them."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from typing import Annotated

import structlog
import typer
from temporalio.client import Client

import worker
from halon.cli.connections import connected, installation, temporal_config
from halon.cli.invocation import settings_of
from halon.clients.temporal import connect_later, missing_search_attributes
from halon.errors import Misconfigured, TransientError
from halon.gateway.app import create_app
from halon.gateway.dispatch import TemporalDispatcher
from halon.gateway.serve import server
from halon.kit.env import Env
from halon.playbook.catalogue import Catalogue
from halon.settings import Settings
from halon.store.store import open_store
from halon.telemetry import Telemetry, setup

_TRY = timedelta(seconds=10)
"""How long a worker tries to reach Temporal before it says so and tries again."""
_BACKLOG = 2048
log = structlog.get_logger(__name__)

Json = Annotated[bool, typer.Option("--json", help="Write the log as JSON, one line an event.")]


def run_worker(context: typer.Context, *, json: Json = False) -> None:
    """Run a worker: the process that carries out playbooks.

    It waits for Temporal as long as it takes, and ends what it is doing when it gets SIGTERM or Ctrl-C: actions have
    20 seconds to finish, and what they leave another worker takes up.

    Run as many as you like; they share the work.
    """
    asyncio.run(serve_worker(_logged(settings_of(context), as_json=json)))


def run_gateway(context: typer.Context, *, json: Json = False) -> None:
    """Run the gateway: the HTTP server that takes alerts in.

    Alerts come to POST /v1/alerts/SOURCE, for each source in `gateway.sources` of halon.yaml. It runs without Temporal
    too and then answers 503, so that senders try again. GET /readyz says what is missing, /metrics serves Prometheus.
    """
    asyncio.run(serve_gateway(_logged(settings_of(context), as_json=json)))


async def serve_worker(settings: Settings) -> None:
    """Run a worker until a signal comes.

    Raises:
        Misconfigured: it could not work: credentials, the store, an action's file, the port of the metrics.
        TransientError: the store does not answer.
    """
    with _stopping() as stop, _telemetry("worker", settings) as telemetry:
        if settings.telemetry.metrics_port is not None:
            host = settings.telemetry.metrics_host
            port = telemetry.serve_metrics(host, settings.telemetry.metrics_port)
            log.info("metrics.listening", address=f"{host}:{port}")
        async with open_store(settings) as store, _environment(settings) as env:
            client = await _reached(settings, telemetry, stop)
            if client is None:
                return
            for name in await missing_search_attributes(client):
                log.error("search_attribute.missing", name=name, fix="run `halon setup`")
            queue = settings.temporal.task_queue
            async with worker.build(client, store, env, task_queue=queue):
                log.info("worker.started", temporal=settings.temporal.address, task_queue=queue)
                await stop.wait()
                log.info("worker.stopping")
    log.info("worker.stopped")


async def serve_gateway(settings: Settings) -> None:
    """Run the gateway until a signal comes.

    Raises:
        Misconfigured: it could not take alerts: a secret, a source, the address, the store.
        TransientError: the store does not answer.
        NotFound: a path in `playbooks` does not exist.
    """
    with _stopping(), _telemetry("gateway", settings) as telemetry:
        installed = installation(settings)
        _report(installed.catalogue)
        async with open_store(settings) as store:
            client = await connect_later(temporal_config(settings), plugins=telemetry.temporal_plugins())
            dispatcher = TemporalDispatcher(
                client,
                settings.temporal.task_queue,
                installed.catalogue.playbooks,
                installed.registry.effects,
                settings.gateway.dispatch_timeout,
            )
            app = create_app(settings, installed.catalogue.playbooks, dispatcher, store, telemetry)
            with _listening(settings) as listener:
                host, port = listener.getsockname()[:2]
                log.info("gateway.listening", url=f"http://{host}:{port}", playbooks=len(installed.catalogue.playbooks))
                await server(app, settings.gateway).serve(sockets=[listener])
    log.info("gateway.stopped")


async def _reached(settings: Settings, telemetry: Telemetry, stop: asyncio.Event) -> Client | None:
    """Connect to Temporal however long it takes; None when the process is told to stop before."""
    stopped = asyncio.create_task(stop.wait())
    try:
        while not stop.is_set():
            trying = asyncio.create_task(connected(settings, _TRY, telemetry.temporal_plugins()))
            await asyncio.wait([trying, stopped], return_when=asyncio.FIRST_COMPLETED)
            if not trying.done():
                trying.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await trying
                return None
            try:
                return trying.result()
            except TransientError as error:
                log.warning("temporal.unreachable", reason=str(error), then="trying again")
        return None
    finally:
        stopped.cancel()


@contextmanager
def _stopping() -> Generator[asyncio.Event]:
    """Give an event that SIGTERM and SIGINT set."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    signals = (signal.SIGTERM, signal.SIGINT)
    for number in signals:
        loop.add_signal_handler(number, stop.set)
    try:
        yield stop
    finally:
        for number in signals:
            loop.remove_signal_handler(number)


@contextmanager
def _telemetry(service: str, settings: Settings) -> Generator[Telemetry]:
    telemetry = setup(service, settings)
    try:
        yield telemetry
    finally:
        telemetry.shutdown()


@contextmanager
def _listening(settings: Settings) -> Generator[socket.socket]:
    """Bind the gateway's address before anything is served, so that a taken port is one sentence."""
    host, port = settings.gateway.host, settings.gateway.port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        reason = error.strerror or str(error)
        message = f"the gateway cannot listen on {host}:{port}: {reason}; see `gateway` in halon.yaml"
        raise Misconfigured(message) from error
    with listener:
        yield listener


@asynccontextmanager
async def _environment(settings: Settings) -> AsyncGenerator[Env]:
    del settings
    yield Env()


def _report(catalogue: Catalogue) -> None:
    """Say loudly which playbooks are not served; the valid ones are."""
    for problem in catalogue.problems:
        log.error("playbook.not_served", place=f"{problem.file}:{problem.line}", problem=problem.message)
    if not catalogue.playbooks:
        log.warning("playbooks.none", fix="see `playbooks` in halon.yaml, and `halon lint`")


def _logged(settings: Settings, *, as_json: bool) -> Settings:
    """Give the settings with the log's format as the command line has it."""
    if not as_json:
        return settings
    telemetry = settings.telemetry.model_copy(update={"log_format": "json"})
    return settings.model_copy(update={"telemetry": telemetry})
