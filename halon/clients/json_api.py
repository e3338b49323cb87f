"""One product's API of JSON over HTTP: where it is, what lets Halon in, and what its refusals mean.

Every client of such a product is a few typed calls over this. It makes one attempt: retrying is Temporal's.
"""

import asyncio
import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from fnmatch import fnmatchcase
from http import HTTPStatus
from pathlib import Path
from typing import Any, Literal, TypeAlias
from urllib.parse import quote

from halon.clients.credentials import Token
from halon.clients.web import MAX_ANSWER, Ask, Web, WebAnswer
from halon.contracts.base import is_list, is_object
from halon.errors import Conflict, HalonError, InvalidInput, NotFound, PermanentError, PermissionDenied, TransientError
from halon.redaction import MASK, redact_text

MAX_SAID = 300
"""Characters of the other side's own words that an error repeats."""
Method: TypeAlias = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
Query: TypeAlias = tuple[tuple[str, str], ...]
_SAYS = ("message", "error", "errorMessages", "errors", "detail", "description", "reason", "result")
"""Where products put the words of a refusal."""


@dataclass(frozen=True, slots=True)
class Access:
    """Where a product is, and what lets Halon in."""

    who: str
    """The product, in words for people."""
    url: str
    setting: str
    """The section of halon.yaml."""
    token: Token | None = None
    header: str = "Authorization"
    prefix: str = "Bearer "
    """What stands before the token."""
    user: str | None = None
    """With it, HTTP's basic authentication: the token is its password."""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    """What goes along with every request."""
    ca: Path | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """One call."""

    method: Method
    path: str
    """Below the address, from a slash, in which names are quoted: `segment`."""
    needs: str
    """What the token must be allowed for it, in the product's own words."""
    query: Query = ()
    body: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    limit: int = MAX_ANSWER
    """Bytes of an answer."""
    hidden: str = field(default="", repr=False)
    """A secret that `body` carries."""


class JsonApi:
    """Makes calls."""

    def __init__(self, access: Access, timeout: timedelta = timedelta(seconds=10)) -> None:
        self.access = access
        self._url = access.url.rstrip("/")
        self._web = Web(timeout, access.ca)

    async def object(self, call: Call) -> dict[str, Any]:
        """Make a call that answers with a JSON object; nothing at all is an empty one.

        Raises:
            PermissionDenied: the token is not accepted, or may not do this.
            NotFound: what the call names is not there.
            Conflict: it changed meanwhile.
            InvalidInput: the other side does not understand what it is asked.
            TransientError: it may go well later.
            PermanentError: it will not.
        """
        said = await self.any(call)
        if said is None:
            return {}
        if not is_object(said):
            raise self._strange("no JSON object")
        return said

    async def list(self, call: Call) -> list[Any]:
        """Make a call that answers with a JSON list. Raises what `object` does."""
        said = await self.any(call)
        if not is_list(said):
            raise self._strange("no JSON list")
        return said

    async def any(self, call: Call) -> Any:
        """Make a call that answers with JSON, or nothing. Raises what `object` does."""
        answer = await self.answer(call)
        if not answer.body.strip():
            return None
        try:
            return json.loads(answer.body)
        except (ValueError, RecursionError):
            raise self._strange("no JSON") from None

    async def answer(self, call: Call) -> WebAnswer:
        """Make a call, and give the answer as it came. Raises what `object` does."""
        token = await self._token()
        answer = await self._ask(call, token)
        if answer.status == HTTPStatus.UNAUTHORIZED and self.access.token is not None:
            self.access.token.refused()  # it may have been changed since it was read
            token = await self._token()
            answer = await self._ask(call, token)
        if not answer.ok:
            raise self._refused(answer, call, (token, call.hidden))
        return answer

    async def close(self) -> None:
        """Close the connections."""
        await self._web.close()

    async def _ask(self, call: Call, token: str) -> WebAnswer:
        headers = {**self.access.headers, **call.headers, **self._login(token)}
        ask = Ask(
            f"{self._url}{call.path}",
            method=call.method,
            headers=headers,
            query=call.query,
            body=call.body,
            secret=bool(token or call.hidden),
        )
        return await self._web.ask(self.access.who, ask, call.limit)

    async def _token(self) -> str:
        return (await asyncio.to_thread(self.access.token)).get_secret_value() if self.access.token is not None else ""

    def _login(self, token: str) -> dict[str, str]:
        if self.access.token is None:
            return {}
        if self.access.user is not None:
            pair = base64.b64encode(f"{self.access.user}:{token}".encode()).decode()
            return {"Authorization": f"Basic {pair}"}
        return {self.access.header: f"{self.access.prefix}{token}"}

    def _refused(self, answer: WebAnswer, call: Call, secrets: tuple[str, ...]) -> HalonError:
        who, setting = self.access.who, self.access.setting
        said = f"{who} answers HTTP {answer.status}{_words(answer, secrets)}"
        if answer.status in _LATER or answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR or _is_throttled(answer):
            return TransientError(said, retry_after=answer.retry_after)
        if answer.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            return PermissionDenied(f"{said}: the credential in `{setting}` of halon.yaml needs {call.needs}")
        if answer.status == HTTPStatus.NOT_FOUND:
            return NotFound(f"{said}: it is not there, or the credential in `{setting}` may not see it")
        return _PERMANENT.get(answer.status, PermanentError)(said)

    def _strange(self, what: str) -> PermanentError:
        return PermanentError(
            f"{self.access.who} answers with {what}: is `{self.access.setting}.url` in halon.yaml right?"
        )


_LATER = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})


_PERMANENT: Mapping[int, type[PermanentError]] = {
    HTTPStatus.BAD_REQUEST: InvalidInput,
    HTTPStatus.UNPROCESSABLE_ENTITY: InvalidInput,
    HTTPStatus.CONFLICT: Conflict,
    HTTPStatus.PRECONDITION_FAILED: Conflict,
}


def segment(name: str) -> str:
    """Quote a name for a path, so that it stays one segment of it.

    Raises:
        InvalidInput: it is one that leads elsewhere.
    """
    if name in {"", ".", ".."}:
        raise InvalidInput(f"'{name}' is no name")
    return quote(name, safe="")


def check_allowed(allow: tuple[str, ...], name: str, setting: str) -> None:
    """Whether halon.yaml lets actions touch something.

    Raises:
        PermissionDenied: it does not.
    """
    if not any(fnmatchcase(name, one) for one in allow):
        raise PermissionDenied(f"{name} may not be touched: add it to `{setting}` in halon.yaml")


def _is_throttled(answer: WebAnswer) -> bool:
    """Whether a 403 is about too many requests, as GitHub says it."""
    if answer.status != HTTPStatus.FORBIDDEN:
        return False
    return "retry-after" in answer.headers or answer.headers.get("x-ratelimit-remaining") == "0"


def _is_plain(answer: WebAnswer) -> bool:
    return answer.headers.get("content-type", "").startswith("text/plain")


def _words(answer: WebAnswer, secrets: tuple[str, ...]) -> str:
    """What the other side says about it, in one line, without the secrets that it was sent and what looks like one."""
    said = answer.object()
    if said is None:
        found: Any = answer.body[: 4 * MAX_SAID].decode(errors="replace") if _is_plain(answer) else ""
    else:
        found = next((value for name in _SAYS if (value := said.get(name))), "")
        more = said.get("errors")
        if isinstance(found, str) and is_list(more) and all(isinstance(one, str) for one in more):
            found = [found, *more]  # what exactly is wrong: PagerDuty
    if is_object(found):
        found = found.get("message") or found.get("reason") or json.dumps(found)
    if is_list(found):
        found = "; ".join(str(one) for one in found[:5])
    text = " ".join(str(found).split())
    for secret in filter(None, secrets):
        text = text.replace(secret, MASK)
    text = redact_text(text, MAX_SAID)
    return f" ({text})" if text else ""
