"""Reading what a form sends: bounded, each field once. No form here has files, so that urlencoded is all there is."""

import asyncio
from datetime import timedelta
from http import HTTPStatus
from urllib.parse import parse_qsl

from starlette.requests import Request

from halon.gateway.problems import Refusal

MAX_FORM = 64 * 1024
"""Bytes. A comment of 4,096 characters takes at most 48 kB when each is percent-encoded."""
MAX_FIELDS = 30
_TYPE = "application/x-www-form-urlencoded"


async def read_form(request: Request, within: timedelta) -> dict[str, str]:
    """Give the fields of a form by name.

    Raises:
        Refusal: it is no form, is too large, takes too long, or names a field twice.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _TYPE:
        raise Refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send the form as the page has it")
    body = bytearray()
    try:
        async with asyncio.timeout(within.total_seconds()):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_FORM:
                    raise Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "what was written is too long: shorten it")
    except TimeoutError as error:
        raise Refusal(HTTPStatus.REQUEST_TIMEOUT, "the form did not arrive in time: send it again") from error
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict")
    except ValueError as error:
        raise Refusal(HTTPStatus.BAD_REQUEST, "the form cannot be read: send it from the page") from error
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise Refusal(HTTPStatus.BAD_REQUEST, "the form names a field twice: send it from the page")
    return {name: value.replace("\r\n", "\n") for name, value in fields.items()}
