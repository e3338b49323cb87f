"""The codec server: decrypts payloads for Temporal's UI and the `temporal` command, for those who may see them.

It speaks their protocol: `POST …/decode` and `…/encode` with the JSON of Temporal's `Payloads`. A browser is answered
only on pages of Temporal's UI, and a request that says it comes from another page is refused, whatever proof it brings.
"""

import base64
import binascii
import ipaddress
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import timedelta
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

import structlog
from fastapi import FastAPI, Request, Response
from opentelemetry import metrics
from pydantic import BaseModel, Field, ValidationError
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect
from temporalio.api.common.v1 import Payload

from halon.clients.codec import EncryptionCodec
from halon.contracts.people import Principal, Right
from halon.errors import HalonError, PermissionDenied
from halon.gateway.identity import Identity
from halon.gateway.problems import Refusal, install_problems
from halon.gateway.requests import BodyMemory, read_body, require_json
from halon.operations.denials import Attempt, Guard
from halon.settings import Settings
from halon.settings.auth import LOOPBACK
from halon.settings.model import TemporalSettings

CODEC_PATH: Final = "/codec"
MAX_BODY: Final = 4 * 1024 * 1024
"""Bytes; what one answer of Temporal's may hold."""
MAX_PAYLOADS: Final = 10_000
_MEMORY: Final = 4 * MAX_BODY
_BODY_TIMEOUT: Final = timedelta(seconds=10)
_UI_ABOVE: Final = 1000
"""How far Temporal's own command puts its UI above the server's port."""
_UI_HOSTS: Final = ("127.0.0.1", "localhost")
_FORWARDED: Final = frozenset({"forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip"})
"""What says that a request comes from somewhere else, through a proxy on this machine."""
log = structlog.get_logger(__name__)
_requests = metrics.get_meter("halon.gateway").create_counter(
    "halon.codec.requests", description="Requests to the codec server, by operation and HTTP status"
)


class Readers:
    """Who may see payloads in clear: those with the right `decrypt`.

    As long as nobody is named, whoever is on this machine may: they can read the key's file as well.
    """

    def __init__(
        self, settings: Settings, identity: Identity, guard: Guard, signed_in: Callable[[Request], Principal | None]
    ) -> None:
        """Make it. `signed_in` gives who has signed in to the console, in the browser that asks."""
        self._identity = identity
        self._signed_in = signed_in
        self._guard = guard
        self._nobody_named = not settings.people and settings.auth.oidc is None
        self._local = settings.gateway.host in LOOPBACK

    async def admit(self, request: Request) -> str:
        """Give the name of who asks.

        Raises:
            Refusal: 401, they do not prove who they are; 403, they may not.
        """
        principal = None
        if "authorization" not in request.headers:
            principal = self._signed_in(request)
            if principal is None and self._nobody_named:
                return self._on_this_machine(request)
        principal = principal or await self._identity.of(request)
        try:
            await self._guard.demand(Attempt(principal, Right.DECRYPT, "decrypt payloads"))
        except PermissionDenied as error:
            raise Refusal(HTTPStatus.FORBIDDEN, str(error)) from error
        return principal.person

    def _on_this_machine(self, request: Request) -> str:
        forwarded = _FORWARDED & {name.lower() for name in request.headers}
        if not self._local or forwarded or request.client is None or not _is_loopback(request.client.host):
            detail = "halon.yaml names nobody, so payloads are decrypted only on the gateway's own machine"
            raise Refusal(HTTPStatus.FORBIDDEN, detail)
        return "somebody on this machine"


class WirePayload(BaseModel):
    """A payload as Temporal's JSON has it: bytes in base64."""

    metadata: dict[str, str] = {}
    data: str = ""


class WirePayloads(BaseModel):
    """The body of a request and of its answer."""

    payloads: list[WirePayload] = Field(default=[], max_length=MAX_PAYLOADS)


def add_codec(app: FastAPI, codec: EncryptionCodec, origins: Sequence[str], readers: Readers) -> None:
    """Serve the codec below CODEC_PATH, for pages of these origins and for programs."""
    server = CodecServer(codec, origins, readers)
    routes = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    install_problems(routes)
    # The only headers that the UI sends; a page elsewhere is told nothing, so its browser does not send the request.
    routes.add_middleware(
        CORSMiddleware,
        allow_origins=list(origins),
        allow_credentials=True,
        allow_methods=["POST"],
        allow_headers=["authorization", "content-type", "x-namespace"],
    )

    @routes.post("/decode")
    async def decode(request: Request) -> Response:  # pyright: ignore[reportUnusedFunction]  # registered
        return await server.answer("decode", request, codec.decode)

    @routes.post("/encode")
    async def encode(request: Request) -> Response:  # pyright: ignore[reportUnusedFunction]  # registered
        return await server.answer("encode", request, codec.encode)

    app.mount(CODEC_PATH, routes)


class CodecServer:
    """Answers one request after it has been checked."""

    def __init__(self, codec: EncryptionCodec, origins: Sequence[str], readers: Readers) -> None:
        self._namespace = codec.namespace
        self._origins = frozenset(origins)
        self._readers = readers
        self._memory = BodyMemory(_MEMORY)

    async def answer(
        self, operation: str, request: Request, translate: Callable[[Sequence[Payload]], Awaitable[list[Payload]]]
    ) -> Response:
        """Translate what the request holds.

        Raises:
            Refusal: it is not answered, and why.
        """
        status = HTTPStatus.OK
        try:
            who = await self._admitted(request)
            with self._memory.share() as share:
                raw = await read_body(request, MAX_BODY, _BODY_TIMEOUT, share)
                payloads = _read(raw)
                body = _written(await translate(payloads))
        except ClientDisconnect:
            return Response(status_code=400)  # nobody is there to read it
        except HalonError as error:
            status = HTTPStatus.UNPROCESSABLE_ENTITY
            raise Refusal(status, str(error)) from error
        except Refusal as refusal:
            status = refusal.status
            log.warning("codec.refused", operation=operation, status=status.value, reason=refusal.detail)
            raise
        finally:
            _requests.add(1, {"operation": operation, "status": status.value})
        log.info("codec.answered", operation=operation, by=who, payloads=len(payloads))
        return Response(body, media_type="application/json", headers={"Cache-Control": "no-store"})

    async def _admitted(self, request: Request) -> str:
        origin = request.headers.get("origin")
        if origin is not None and origin not in self._origins:
            detail = "this page may not decrypt: set `temporal.ui_url` in halon.yaml to where Temporal's UI is"
            raise Refusal(HTTPStatus.FORBIDDEN, detail)
        require_json(request)
        who = await self._readers.admit(request)
        namespace = request.headers.get("x-namespace", self._namespace)
        if namespace != self._namespace:
            detail = f"these keys are for namespace {self._namespace}, and no other"
            raise Refusal(HTTPStatus.FORBIDDEN, detail)
        return who


def ui_origins(settings: TemporalSettings) -> tuple[str, ...]:
    """Where pages of Temporal's UI come from: the address in the settings, or where `halon up` serves it."""
    if settings.ui_url is not None:
        parts = urlsplit(settings.ui_url)
    else:
        host, _, port = settings.address.rpartition(":")
        if host not in _UI_HOSTS:
            return ()
        parts = urlsplit(f"http://{host}:{int(port) + _UI_ABOVE}")
    hosts: Iterable[str] = _UI_HOSTS if parts.hostname in _UI_HOSTS else (parts.hostname or "",)
    default = {"http": 80, "https": 443}[parts.scheme]
    port_text = f":{parts.port}" if parts.port not in {None, default} else ""
    return tuple(f"{parts.scheme}://{host}{port_text}" for host in hosts)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _read(raw: bytes) -> list[Payload]:
    try:
        given = WirePayloads.model_validate_json(raw)
        return [_payload(one) for one in given.payloads]
    except (ValidationError, ValueError, binascii.Error) as error:
        detail = 'the body is not the JSON of Temporal\'s payloads: {"payloads": [{"metadata": …, "data": …}]}'
        raise Refusal(HTTPStatus.BAD_REQUEST, detail) from error


def _payload(wire: WirePayload) -> Payload:
    metadata = {name: base64.b64decode(value, validate=True) for name, value in wire.metadata.items()}
    return Payload(metadata=metadata, data=base64.b64decode(wire.data, validate=True))


def _written(payloads: Sequence[Payload]) -> bytes:
    def text(raw: bytes) -> str:
        return base64.b64encode(raw).decode()

    wire = [
        WirePayload(metadata={name: text(value) for name, value in one.metadata.items()}, data=text(one.data))
        for one in payloads
    ]
    return WirePayloads(payloads=wire).model_dump_json().encode()
