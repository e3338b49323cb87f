"""Serving the gateway with uvicorn, with every wait on a sender bounded."""

import asyncio
from datetime import timedelta

import h11
import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from halon.settings import GatewaySettings

HEADER_ALLOWANCE = timedelta(seconds=5)
"""How much longer than its body a whole request may take to arrive."""
MAX_CONNECTIONS = 1000
MAX_HEADER_BYTES = 32 * 1024
SHUTDOWN = timedelta(seconds=15)
"""How long requests that are being handled may take to end when the gateway stops."""


def server(app: FastAPI, settings: GatewaySettings) -> uvicorn.Server:
    """Give the server; `await server.serve()` runs it until a signal comes."""
    within = settings.body_timeout + HEADER_ALLOWANCE

    class Protocol(BoundedProtocol):
        request_timeout = within

    return uvicorn.Server(
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
            lifespan="off",
            limit_concurrency=MAX_CONNECTIONS,
            h11_max_incomplete_event_size=MAX_HEADER_BYTES,
            timeout_graceful_shutdown=round(SHUTDOWN.total_seconds()),
        )
    )


class BoundedProtocol(H11Protocol):
    """uvicorn's HTTP/1.1, which by itself waits for ever for a sender that trickles its headers."""

    request_timeout: timedelta
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Count from the connection, so that one that says nothing is closed as well."""
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Count on until the request has arrived in whole."""
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop counting."""
        self._unwatch()
        super().connection_lost(exc)

    def _watch(self) -> None:
        if self.conn.their_state not in {h11.IDLE, h11.SEND_BODY}:
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
