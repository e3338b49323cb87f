"""Reading a webhook's request: what it may be, how much of it, and for how long."""

import asyncio
from collections.abc import AsyncGenerator, Collection, Generator
from contextlib import contextmanager
from datetime import timedelta
from http import HTTPStatus

from fastapi import Request

from halon.gateway.problems import Refusal, retry_after

BODY_MEMORY = 32 * 1024 * 1024
"""Bytes of bodies that are being handled at the same time. Alerts take some five times the memory of their text."""
_CLOSE = {"Connection": "close"}
_DRAIN = timedelta(seconds=3)
_DRAIN_FACTOR = 4
_BUSY = timedelta(seconds=2)


class BodyMemory:
    """How much the bodies that are being handled may take together."""

    def __init__(self, limit: int) -> None:
        self._left = limit

    @contextmanager
    def share(self) -> Generator["BodyShare"]:
        """Give a request its share, until the block ends."""
        share = BodyShare(self)
        try:
            yield share
        finally:
            self._left += share.held

    def take(self, size: int) -> None:
        """Take memory out.

        Raises:
            Refusal: 503, there is none left.
        """
        if size > self._left:
            detail = "too many bytes of webhooks at the same time"
            raise Refusal(HTTPStatus.SERVICE_UNAVAILABLE, detail, headers=_CLOSE | retry_after(_BUSY))
        self._left -= size


class BodyShare:
    """What one request holds of it."""

    def __init__(self, memory: BodyMemory) -> None:
        self._memory = memory
        self.held = 0

    def grow(self, size: int) -> None:
        """Hold at least so much.

        Raises:
            Refusal: 503, there is none left.
        """
        if size > self.held:
            self._memory.take(size - self.held)
            self.held = size


def require_json(request: Request, also: Collection[str] = ()) -> None:
    """Refuse what is not plain JSON, and does not say so either by one of the types in `also`.

    Raises:
        Refusal: 415.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    is_json = media_type.startswith("application/") and media_type.endswith(("/json", "+json"))
    if not is_json and media_type not in also:
        raise Refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send the alerts as application/json")
    if request.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise Refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send the body without compression")


async def read_body(request: Request, limit: int, within: timedelta, share: BodyShare) -> bytes:
    """Read at most `limit` bytes, whatever Content-Length says, and not longer than `within`.

    Raises:
        Refusal: 413, 408, or 503 when the bodies of all requests take too much.
        ClientDisconnect: the sender is gone.
    """
    said = request.headers.get("content-length", "")
    body = bytearray()
    size = 0
    chunks = request.stream()
    try:
        if said.isdigit():
            share.grow(min(int(said), limit))
        async with asyncio.timeout(within.total_seconds()):
            async for chunk in chunks:
                size += len(chunk)
                if size > limit or (said.isdigit() and int(said) > limit):
                    break
                share.grow(size)
                body += chunk
            else:
                return bytes(body)
        await _drain(chunks, limit * _DRAIN_FACTOR)
    except Refusal:
        await _drain(chunks, limit * _DRAIN_FACTOR)
        raise
    except TimeoutError as error:
        seconds = round(within.total_seconds())
        detail = f"the body did not arrive within {seconds} s"
        raise Refusal(HTTPStatus.REQUEST_TIMEOUT, detail, headers=_CLOSE) from error
    detail = f"the body is larger than {limit} bytes; in Alertmanager, `max_alerts` bounds it"
    raise Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail, headers=_CLOSE)


async def _drain(chunks: AsyncGenerator[bytes], limit: int) -> None:
    """Take in a little of what is still coming, unread: a sender that still writes does not see the answer."""
    size = 0
    try:
        async with asyncio.timeout(_DRAIN.total_seconds()):
            async for chunk in chunks:
                size += len(chunk)
                if size > limit:
                    return
    except TimeoutError:
        return
