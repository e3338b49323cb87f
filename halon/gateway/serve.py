"""Serving the gateway with uvicorn, with every wait on a sender bounded."""

import asyncio
import socket
from datetime import timedelta
from http import HTTPStatus

import uvicorn
from fastapi import FastAPI
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from halon.gateway.problems import Refusal, problem_response, retry_after
from halon.settings import GatewaySettings

HEADER_ALLOWANCE = timedelta(seconds=5)
"""How much longer than its body a whole request may take to arrive."""
MAX_CONNECTIONS = 1000
MAX_HEADER_BYTES = 32 * 1024
_BUSY = timedelta(seconds=2)
SHUTDOWN = timedelta(seconds=15)
"""How long requests that are being handled may take to end when the gateway stops."""


def server(app: FastAPI, settings: GatewaySettings) -> uvicorn.Server:
    """Give the server; `await server.serve()` runs it until a signal comes."""
    within = settings.body_timeout + HEADER_ALLOWANCE

    class Protocol(BoundedProtocol):
        request_timeout = within

    return Server(
        uvicorn.Config(
            app,
            host=settings.host,
            port=settings.port,
            http=Protocol,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            ws="none",
            lifespan="on",
            timeout_graceful_shutdown=round(SHUTDOWN.total_seconds()),
        )
    )


class Server(uvicorn.Server):
    """uvicorn's server, which tells the application that it stops while requests are still being answered.

    uvicorn itself tells it only once all of them have ended, and a stream of news would not.
    """

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Tell the application, then stop."""
        app = self.config.app
        closing = getattr(app.state, "closing", None) if isinstance(app, FastAPI) else None
        if isinstance(closing, asyncio.Event):
            closing.set()
        await super().shutdown(sockets)


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's HTTP/1.1 on a parser in C, with the bounds that it does not have by itself.

    It waits for ever for a sender that trickles its headers, takes headers of any length, and tells nobody when to come
    back who finds too many connections open.
    """

    request_timeout: timedelta
    _deadline: asyncio.TimerHandle | None = None
    _arriving = True
    _in_headers = True
    _header_bytes = 0
    _unfinished_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Count from the connection, so that one that says nothing is closed as well."""
        super().connection_made(transport)
        if len(self.connections) > MAX_CONNECTIONS:
            self.app = _too_many_connections
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Count on until the request has arrived in whole."""
        in_headers = self._in_headers
        super().data_received(data)
        if self._in_headers and in_headers:
            self._unfinished_bytes += len(data)
            if self._unfinished_bytes > MAX_HEADER_BYTES:
                self.send_400_response("The headers are too long.")
        if not self.transport.is_closing():
            self._watch()

    def on_message_begin(self) -> None:
        """Begin to count."""
        self._arriving = self._in_headers = True
        self._header_bytes = self._unfinished_bytes = 0
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count a header."""
        self._header_bytes += len(name) + len(value)
        if self._header_bytes <= MAX_HEADER_BYTES:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Refuse a request whose headers are too long, before anybody sees it.

        Raises:
            ValueError: they are; the parser stops, and uvicorn answers 400.
        """
        self._in_headers = False
        if self._header_bytes > MAX_HEADER_BYTES:
            raise ValueError("the headers are too long")
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Stop counting."""
        self._arriving = False
        super().on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop counting."""
        self._unwatch()
        super().connection_lost(exc)

    def _watch(self) -> None:
        if not self._arriving:
            self._unwatch()
        elif self._deadline is None:
            self._deadline = self.loop.call_later(self.request_timeout.total_seconds(), self._too_late)

    def _unwatch(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_late(self) -> None:
        self._deadline = None
        self.transport.abort()


async def _too_many_connections(scope: Scope, receive: Receive, send: Send) -> None:
    headers = retry_after(_BUSY) | {"Connection": "close"}
    refusal = Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "too many connections at the same time", headers=headers)
    await problem_response(refusal)(scope, receive, send)
