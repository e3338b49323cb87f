"""The gateway's HTTP application: webhooks in, 2xx only once Temporal has accepted. `halon gateway` serves it."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from opentelemetry import metrics
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from halon.clients.credentials import Credentials
from halon.contracts.playbook import Playbook
from halon.core.grouping import Triggers
from halon.errors import InvalidInput, PermanentError, PermissionDenied, TransientError
from halon.gateway.auth import Authenticator, authenticator
from halon.gateway.bodies import Bodies, Contents
from halon.gateway.dispatch import Dispatcher
from halon.gateway.handover import Handover
from halon.gateway.intake import Intake, Receipt
from halon.gateway.parsing import AlertSource, BadJson, bounded_problems
from halon.gateway.polling import Pollers, Ways
from halon.gateway.problems import Refusal, describe_problems, install_problems, problems_of, retry_after
from halon.gateway.requests import BODY_MEMORY, BodyMemory, read_body, require_json
from halon.gateway.sources import build_source, sender_of
from halon.gateway.sparing import SparingLog
from halon.gateway.unheeded import Unheeded
from halon.gateway.watching import Watchers
from halon.settings import GatewaySettings, Settings, Source
from halon.store.store import Store
from halon.telemetry import Telemetry

BUSY_RETRY_AFTER = timedelta(seconds=2)
UNAVAILABLE_RETRY_AFTER = timedelta(seconds=5)
_LOOK = timedelta(seconds=1)
"""How often is looked for counts to tell."""
log = structlog.get_logger(__name__)
_meter = metrics.get_meter("halon.gateway")
_refusals = _meter.create_counter("halon.gateway.refusals", description="Requests refused, by source and HTTP status")

_UNTRACED = "healthz,readyz,metrics,/d/,/console/,/oidc/"
"""Probes, and links and pages: a span keeps the address, and the address of a link is the proof of who somebody is."""
_WEBHOOK_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "What the source sends; for a source of type `alertmanager` its webhook, version 4.",
        "content": {"application/json": {"schema": {}}},
    }
}


class Health(BaseModel):
    """The process is alive."""

    status: str = "ok"


class Readiness(BaseModel):
    """Whether alerts can be taken, and what keeps them."""

    ready: bool
    checks: dict[str, str] = Field(description="`ok`, or what is wrong, for `catalogue`, `store` and `temporal`.")


@dataclass(frozen=True, slots=True)
class Door:
    """One source: who may come in, and how what they bring is read."""

    auth: Authenticator
    source: AlertSource
    media_types: frozenset[str] = frozenset()
    """What else than JSON the sender may call its JSON."""
    asks: bool = False
    """Whether the sender asks, before it sends, if anything is wanted here at all."""


class Webhooks:
    """Takes requests in, one after the other from door to receipt."""

    def __init__(
        self,
        settings: GatewaySettings,
        doors: Mapping[str, Door],
        bodies: Bodies,
        intake: Intake,
        clock: Callable[[], datetime],
    ) -> None:
        self._settings = settings
        self._doors = doors
        self._bodies = bodies
        self._intake = intake
        self._clock = clock
        self._slots = asyncio.Semaphore(settings.max_requests)
        self._memory = BodyMemory(max(BODY_MEMORY, settings.max_body))

    def wanted(self, source: str) -> bool:
        """Whether a sender that asks first may send to a source."""
        door = self._doors.get(source)
        return door is not None and door.asks

    async def receive(self, source: str, request: Request) -> Receipt:
        """Take in one webhook.

        Raises:
            Refusal: it is not taken, and why.
            ClientDisconnect: the sender is gone.
        """
        try:
            return await self._received(source, request)
        except Refusal as refusal:
            # What stands in the path may be anything: only names of sources are counted by name.
            known = source if source in self._doors else "unknown"
            _refusals.add(1, {"source": known, "status": refusal.status.value})
            self._intake.log.warning(
                "request.refused", source=known, status=refusal.status.value, reason=refusal.detail
            )
            raise

    async def _received(self, source: str, request: Request) -> Receipt:
        door = self._doors.get(source)
        if door is None:
            raise Refusal(HTTPStatus.NOT_FOUND, "there is no such source; halon.yaml names them in `gateway.sources`")
        if not door.auth.admits(request.headers):
            raise _unauthorized(door.auth)
        if self._slots.locked():
            detail = "too many webhooks at the same time"
            raise Refusal(HTTPStatus.SERVICE_UNAVAILABLE, detail, headers=retry_after(BUSY_RETRY_AFTER))
        async with self._slots:
            require_json(request, door.media_types)
            with self._memory.share() as share:
                raw = await read_body(request, self._settings.max_body, self._settings.body_timeout, share)
                contents = await self._contents(door, request, raw)
                receipt = await self._taken(source, contents)
        if contents.parsed.rejected and not contents.parsed.alerts:
            detail = "no alert in the body can be taken"
            raise Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, detail, errors=receipt.errors)
        return receipt

    async def _taken(self, source: str, contents: Contents) -> Receipt:
        try:
            return await self._intake.take(source, contents)
        except TransientError as error:
            raise _later(error) from error
        except PermanentError as error:
            raise Refusal(HTTPStatus.INTERNAL_SERVER_ERROR, str(error)) from error

    async def _contents(self, door: Door, request: Request, raw: bytes) -> Contents:
        now = self._clock()
        try:
            if not await door.auth.accepts(request.headers, raw, now):
                raise _unauthorized(door.auth)
            return self._bodies.read(door.source, raw, request.headers, now)
        except PermissionDenied as error:
            raise _unauthorized(door.auth, str(error)) from error
        except TransientError as error:
            raise _later(error) from error
        except BadJson as error:
            raise Refusal(HTTPStatus.BAD_REQUEST, str(error)) from error
        except InvalidInput as error:
            raise Refusal(
                HTTPStatus.UNPROCESSABLE_ENTITY, str(error), errors=bounded_problems(error.problems)
            ) from error


def utc_now() -> datetime:
    """Give the time."""
    return datetime.now(UTC)  # the clock that everything else is handed


def create_app(  # the six things that a gateway is made of
    settings: Settings,
    catalogue: Mapping[str, Playbook],
    dispatcher: Dispatcher,
    store: Store,
    telemetry: Telemetry,
    clock: Callable[[], datetime] = utc_now,
) -> FastAPI:
    """Build the application. Secrets are read now, so that a missing one stops the start and not the first alert.

    Raises:
        Misconfigured: a secret is not there, a source's type is unknown or its map does not compile.
        TransientError: a secret cannot be read now.
    """
    credentials = Credentials(settings.credentials)
    posted = {name: source for name, source in settings.gateway.sources.items() if source.posts}
    doors = {name: _door(name, source, credentials) for name, source in posted.items()}
    sparing = SparingLog(log)
    unheeded = Unheeded(store, clock)
    handover = Handover(dispatcher, settings.gateway.dispatch_timeout, unheeded.closed)
    intake = Intake(handover, unheeded, sparing)
    bodies = Bodies(Triggers(catalogue.values()))
    webhooks = Webhooks(settings.gateway, doors, bodies, intake, clock)
    ways = Ways(bodies, intake, clock, dispatcher.check)
    asking = (Pollers(settings, ways), Watchers(settings, ways))
    app = FastAPI(
        lifespan=_reporting(handover, unheeded, sparing, credentials, asking),
        title="Halon gateway",
        summary="Takes alerts in and hands them to Temporal.",
        version="1",
        docs_url=None,
        redoc_url=None,
    )
    install_problems(app)
    _add_webhooks(app, webhooks)
    _add_probes(app, {"catalogue": _catalogue_check(catalogue), "store": store.check, "temporal": dispatcher.check})
    _add_metrics(app, telemetry, dispatcher)
    describe_problems(app)
    FastAPIInstrumentor.instrument_app(
        app,
        tracer_provider=telemetry.tracer_provider,
        meter_provider=telemetry.meter_provider,
        excluded_urls=_UNTRACED,
        exclude_spans=["receive", "send"],
    )
    return app


def _reporting(
    handover: Handover,
    unheeded: Unheeded,
    sparing: SparingLog,
    credentials: Credentials,
    asking: Sequence[Pollers | Watchers],
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    """Ask queues and clusters, tell what was counted, and read secrets anew, while the application runs."""

    async def keep_reporting() -> None:
        while True:
            await asyncio.sleep(_LOOK.total_seconds())
            await handover.report()
            await unheeded.report()
            sparing.sum_up()

    async def keep_reading() -> None:
        while True:
            await asyncio.sleep(credentials.refresh.total_seconds())
            for problem in await asyncio.to_thread(credentials.renew):
                log.warning("secret.not_renewed", reason=problem, then="the one before stays")

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncGenerator[None]:
        tasks = [asyncio.create_task(keep_reporting()), asyncio.create_task(keep_reading())]
        for one in asking:
            one.start()
        try:
            yield
        finally:
            await asyncio.gather(*(one.stop() for one in asking))
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await handover.close()
            await unheeded.report(everything=True)
            sparing.sum_up()

    return lifespan


def _add_webhooks(app: FastAPI, webhooks: Webhooks) -> None:
    refusals = problems_of(400, 401, 404, 408, 413, 415, 422, 500, 503)

    @app.post(
        "/v1/alerts/{source}",
        status_code=202,
        response_model=Receipt,
        response_description="Every alert that the receipt counts as matched is durable.",
        responses=refusals,
        openapi_extra=_WEBHOOK_BODY,
        summary="Take alerts in",
        operation_id="receive_alerts",
    )
    async def receive(source: str, request: Request) -> Response:  # pyright: ignore[reportUnusedFunction]  # registered
        try:
            receipt = await webhooks.receive(source, request)
            # The model writes itself: to have FastAPI check it again takes longer than all else about a repeat.
            return Response(receipt.model_dump_json(), status_code=202, media_type="application/json")
        except ClientDisconnect:
            return Response(status_code=400)  # nobody is there to read it

    @app.options("/v1/alerts/{source}", include_in_schema=False)
    async def may_send(source: str) -> Response:  # pyright: ignore[reportUnusedFunction]  # registered
        if not webhooks.wanted(source):
            raise HTTPException(HTTPStatus.METHOD_NOT_ALLOWED, headers={"Allow": "POST"})
        # Anybody may ask: what lets an event in is the proof that it carries.
        return Response(headers={"Allow": "POST, OPTIONS", "WebHook-Allowed-Origin": "*", "WebHook-Allowed-Rate": "*"})


def _add_probes(app: FastAPI, checks: Mapping[str, Callable[[], Awaitable[None]]]) -> None:
    @app.get("/healthz", summary="Is the process alive?", operation_id="health")
    async def health() -> Health:  # pyright: ignore[reportUnusedFunction]  # registered
        return Health()

    @app.get(
        "/readyz",
        response_model=Readiness,
        responses={503: {"model": Readiness, "description": "Alerts cannot be taken; `checks` says why."}},
        summary="Can alerts be taken?",
        operation_id="readiness",
    )
    async def readiness() -> JSONResponse:  # pyright: ignore[reportUnusedFunction]  # registered
        results = await asyncio.gather(*(_checked(check) for check in checks.values()))
        answer = Readiness(ready=all(one == "ok" for one in results), checks=dict(zip(checks, results, strict=True)))
        return JSONResponse(answer.model_dump(), status_code=200 if answer.ready else 503)


def _add_metrics(app: FastAPI, telemetry: Telemetry, dispatcher: Dispatcher) -> None:
    @app.get(
        "/metrics",
        response_class=Response,
        responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
        summary="Metrics for Prometheus",
        operation_id="metrics",
    )
    async def metrics() -> Response:  # pyright: ignore[reportUnusedFunction]  # registered
        try:
            work = await dispatcher.open_work()
            telemetry.show_stock(incidents=work.incidents, waiting=work.waiting)
        except TransientError as error:
            log.debug("work.uncounted", reason=str(error))
            telemetry.show_stock(incidents=None, waiting=None)
        body, media_type = telemetry.render_metrics()
        return Response(body, media_type=media_type)


async def _checked(check: Callable[[], Awaitable[None]]) -> str:
    try:
        await check()
    except TransientError as error:
        return str(error)
    return "ok"


def _catalogue_check(catalogue: Mapping[str, Playbook]) -> Callable[[], Awaitable[None]]:
    async def check() -> None:
        if not catalogue:
            raise TransientError("no playbook is loaded: see `playbooks` in halon.yaml and `halon lint`")

    return check


def _door(name: str, settings: Source, credentials: Credentials) -> Door:
    sender = sender_of(name, settings)
    auth = authenticator(name, settings.auth, sender, credentials.keep)
    return Door(auth, build_source(name, settings), sender.media_types, sender.asks)


def _unauthorized(auth: Authenticator, reason: str = "") -> Refusal:
    return Refusal(
        HTTPStatus.UNAUTHORIZED,
        reason or "the sender is not who this source expects: check the credentials on both sides",
        headers={"WWW-Authenticate": auth.challenge},
    )


def _later(error: TransientError) -> Refusal:
    headers = retry_after(error.retry_after or UNAVAILABLE_RETRY_AFTER)
    return Refusal(HTTPStatus.SERVICE_UNAVAILABLE, str(error), headers=headers)
