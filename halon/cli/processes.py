"""The processes that keep running: a worker and a gateway, from start to a graceful end."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import cache, partial

import structlog
from temporalio.client import Client
from temporalio.service import RPCError

import worker
from halon.cli.connections import connected, temporal_config
from halon.cli.installed import Installation, arrangements_of, installation, repertoire_of
from halon.clients.calendars import Freezes
from halon.clients.credentials import Credentials
from halon.clients.environment import open_env
from halon.clients.ledger import LedgerClient
from halon.clients.preflight import inspect
from halon.clients.roster import Roster, roster_of
from halon.clients.seals import sealer
from halon.clients.targets import carried, reaching
from halon.clients.temporal import connect_later, missing_search_attributes
from halon.errors import Misconfigured, TransientError
from halon.gateway.api.app import install
from halon.gateway.api.parts import Parts
from halon.gateway.app import create_app, utc_now
from halon.gateway.codec import Readers, add_codec, ui_origins
from halon.gateway.console.app import add_console
from halon.gateway.dispatch import TemporalDispatcher
from halon.gateway.identity import Identity, operator_of
from halon.gateway.links import add_links
from halon.gateway.serve import server
from halon.gateway.slack import add_slack
from halon.kit.env import Env
from halon.operations.denials import Guard
from halon.operations.rights import Rights
from halon.playbook.catalogue import Catalogue
from halon.settings import Settings
from halon.store.evidence import EvidenceDirectory
from halon.store.keeper import keeping
from halon.store.store import Store, open_store
from halon.telemetry import Telemetry, setup

_TRY = timedelta(seconds=10)
"""How long a worker tries to reach Temporal before it says so and tries again."""
_BACKLOG = 2048
_OF_ACTIONS = ("prometheus", "notify", "kubernetes", "groups")
"""Parts of halon.yaml whose credentials a central worker needs."""
_OF_TARGETS = ("kubernetes",)
"""Those that the worker of a cluster or an account needs."""
log = structlog.get_logger(__name__)


async def serve_worker(settings: Settings, chosen: Sequence[str] = ()) -> None:
    """Run a worker until a signal comes: a central one, or that of the `chosen` clusters and accounts.

    Raises:
        Misconfigured: it could not work: credentials, the store, an action's file, the port of the metrics; or one of
            the chosen has no worker of its own.
        TransientError: the store does not answer.
    """
    wanted = carried(settings, chosen)
    settings = reaching(settings, wanted)
    with _stopping() as stop, _telemetry("worker", settings) as telemetry:
        if settings.telemetry.metrics_port is not None:
            host = settings.telemetry.metrics_host
            port = telemetry.serve_metrics(host, settings.telemetry.metrics_port)
            log.info("metrics.listening", address=f"{host}:{port}")
        async with contextlib.AsyncExitStack() as ends:
            store = await ends.enter_async_context(open_store(settings)) if wanted.central else None
            env = await ends.enter_async_context(open_env(settings, EvidenceDirectory(settings.evidence_dir)))
            client = await _reached(settings, telemetry, stop)
            if client is None:
                return
            if store is not None:
                await _begin_central(settings, client, store, env, ends)
            for name, queue in wanted.queues.items():
                await ends.enter_async_context(worker.build_for(client, env, name, queue, settings))
                log.info("worker.started", temporal=settings.temporal.address, task_queue=queue, worker=name)
            looking = asyncio.create_task(
                _look_at_credentials(settings, _OF_ACTIONS if wanted.central else _OF_TARGETS)
            )
            await stop.wait()
            looking.cancel()
            log.info("worker.stopping")
    log.info("worker.stopped")


async def _begin_central(
    settings: Settings, client: Client, store: Store, env: Env, ends: contextlib.AsyncExitStack
) -> None:
    await _look_at_search_attributes(client)
    queue = settings.temporal.task_queue
    await ends.enter_async_context(keeping(store, settings))
    await ends.enter_async_context(worker.build(client, store, env, task_queue=queue, settings=settings))
    log.info("worker.started", temporal=settings.temporal.address, task_queue=queue)


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
        async with open_store(settings) as store, roster_of(settings, utc_now) as roster:
            config = await asyncio.to_thread(temporal_config, settings)
            client = await connect_later(config, plugins=telemetry.temporal_plugins())
            dispatcher = TemporalDispatcher(
                client,
                settings.temporal.task_queue,
                installed.catalogue.playbooks,
                installed.registry.effects,
                settings.gateway.dispatch_timeout,
                arrangements=arrangements_of(installed, settings),
            )
            app = create_app(settings, installed.catalogue.playbooks, dispatcher, store, telemetry)
            parts = _api(settings, installed, store, client, roster)
            console = add_console(app, parts, install(app, parts))
            add_links(app, parts)
            add_slack(app, parts)
            if config.codec is not None:
                readers = Readers(settings, parts.identity, parts.guard, console.signed_in)
                add_codec(app, config.codec, ui_origins(settings.temporal), readers)
            with _listening(settings) as listener:
                host, port = listener.getsockname()[:2]
                log.info("gateway.listening", url=f"http://{host}:{port}", playbooks=len(installed.catalogue.playbooks))
                await server(app, settings.gateway).serve(sockets=[listener])
    log.info("gateway.stopped")


def _api(settings: Settings, installed: Installation, store: Store, client: Client, roster: Roster) -> Parts:
    """What the API is made of. What alerts do not need is only asked for when it is used."""
    return Parts(
        settings=settings,
        identity=Identity(settings, operator_of(settings)),
        guard=Guard(Rights(roster, settings.environment, utc_now), store, utc_now),
        store=store,
        client=client,
        ledger=LedgerClient(client, settings.temporal.task_queue),
        repertoire=repertoire_of(installed, settings),
        sealer=cache(partial(sealer, settings)),
        freezes=cache(partial(Freezes, settings.freeze)),
        clock=utc_now,
    )


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


async def _look_at_search_attributes(client: Client) -> None:
    """Say so when runs would fail because `halon setup` was not done. Some servers do not let a worker ask."""
    try:
        missing = await missing_search_attributes(client)
    except RPCError as error:
        log.warning("search_attributes.unknown", reason=error.message)
        return
    for name in missing:
        log.error("search_attribute.missing", name=name, fix="run `halon setup`")


async def _look_at_credentials(settings: Settings, parts: Sequence[str]) -> None:
    """Say which credentials of actions are missing, before one is needed. Each may take a while to be looked for."""
    findings = inspect(settings, Credentials(settings.credentials), parts)
    while (finding := await asyncio.to_thread(next, findings, None)) is not None:
        if finding.state == "missing":
            log.error("credential.missing", setting=finding.setting, tried=finding.problems)
        elif finding.state == "fallback":
            log.warning("credential.fallback", setting=finding.setting, found=finding.source, tried=finding.problems)


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


def _report(catalogue: Catalogue) -> None:
    """Say loudly which playbooks are not served; the valid ones are."""
    for problem in catalogue.problems:
        log.error("playbook.not_served", place=f"{problem.file}:{problem.line}", problem=problem.message)
    if not catalogue.playbooks:
        log.warning("playbooks.none", fix="see `playbooks` in halon.yaml, and `halon lint`")
