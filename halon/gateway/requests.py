"""Reading a webhook's request: what it may be, how much of it, and for how long."""

import asyncio
from datetime import timedelta
from http import HTTPStatus

from fastapi import Request

from halon.gateway.problems import Refusal

_CLOSE = {"Connection": "close"}
_DRAIN = timedelta(seconds=1)
_DRAIN_FACTOR = 4


def require_json(request: Request) -> None:
    """Refuse what is not plain JSON.

    Raises:
        Refusal: 415.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json" and not (
        media_type.startswith("application/") and media_type.endswith("+json")
    ):
        raise Refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send the alerts as application/json")
    if request.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise Refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send the body without compression")


async def read_body(request: Request, limit: int, within: timedelta) -> bytes:
    """Read at most `limit` bytes, whatever Content-Length says, and not longer than `within`.

    Raises:
        Refusal: 413 or 408.
        ClientDisconnect: the sender is gone.
    """
    said = request.headers.get("content-length", "")
    body = bytearray()
    size = 0
    try:
        async with asyncio.timeout(within.total_seconds()):
            async for chunk in request.stream():
                size += len(chunk)
                if size > limit or (said.isdigit() and int(said) > limit):
                    break
                body += chunk
            else:
                return bytes(body)
        await _drain(request, limit * _DRAIN_FACTOR)
    except TimeoutError as error:
        seconds = round(within.total_seconds())
        detail = f"the body did not arrive within {seconds} s"
        raise Refusal(HTTPStatus.REQUEST_TIMEOUT, detail, headers=_CLOSE) from error
    detail = f"the body is larger than {limit} bytes; in Alertmanager, `max_alerts` bounds it"
    raise Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail, headers=_CLOSE)


async def _drain(request: Request, limit: int) -> None:
    """Take in a little of what is still coming, unread: a sender that still writes does not see the answer."""
    size = 0
    try:
        async with asyncio.timeout(_DRAIN.total_seconds()):
            async for chunk in request.stream():
                size += len(chunk)
                if size > limit:
                    return
    except TimeoutError:
        return
