"""Change something by an HTTP request, once, and see by another one that it is so."""

import hashlib
from datetime import datetime, timedelta
from typing import Annotated, ClassVar, Literal, TypeAlias
from urllib.parse import urlsplit

from pydantic import Field, StringConstraints, model_validator

from halon.clients.http_request import HttpRequester, Sending, value_at
from halon.contracts.base import Duration, Json, JsonObject, canonical, is_list, is_object
from halon.contracts.plan import Row, Settlement
from halon.kit.action import Change, Nothing, NoUndo, Permission, Proposal, Refusal, State
from halon.kit.env import Env
from halon.redaction import MASK, is_secret_key, redact_text

MAX_BODY = 32 * 1024
_MAX_TIMEOUT = timedelta(seconds=30)
_FORBIDDEN = frozenset({"host", "content-length", "transfer-encoding", "connection", "upgrade", "te", "trailer"})
_NO_CHECK = "the request has no `check`, so what was there before is not known"
Address: TypeAlias = Annotated[str, StringConstraints(min_length=1, max_length=2048)]
Method: TypeAlias = Literal["POST", "PUT", "PATCH", "DELETE"]
Value: TypeAlias = bool | int | float | Annotated[str, StringConstraints(max_length=300)] | None
Body: TypeAlias = (
    Annotated[dict[str, Json], Field(max_length=200)] | Annotated[str, StringConstraints(max_length=MAX_BODY)] | None
)


class Check(State):
    """How a GET request shows whether the change is there."""

    url: Address
    """What is asked; of the same destinations."""
    pointer: Annotated[str, StringConstraints(pattern=r"^(/[^/]*)*$", max_length=300)] | None = None
    """JSON Pointer to the value that counts, such as `/spec/paused`; without it the status of the answer counts."""
    equals: Value
    """What it is once the change is there. An answer of 404, and a pointer to nothing, are null."""


class Reversal(State):
    """The request that takes the change back."""

    method: Method = "POST"
    """How it is sent."""
    url: Address
    """Where it goes; to one of the same destinations."""
    body: Body = None
    """What it carries."""


class Seen(State):
    """What `check` saw."""

    value: Value
    """The value that counts; null without a check."""


class Request(Change[Seen]):
    """Change something by an HTTP request, to a destination in `http.requests` of halon.yaml.

    `check` looks whether the change is there: before the plan, before each attempt and to confirm it, so that it is
    made once. Without it say `repeatable: true`: when an answer is lost the request is sent again, with the same
    idempotency key in the destination's header. The credential is the destination's own and never a parameter. It is
    taken back by `undo_request`, which needs `check`; its value must then be what it was.

    Errors: an address or method that no destination allows, and a refused credential, are `permission_denied`; an
    address without anything is `not_found`; other refusals are `failed` with the beginning of what was said.
    """

    marks: ClassVar[bool] = False
    permissions: ClassVar[tuple[Permission, ...]] = (
        Permission("http", ("GET", "POST", "PUT", "PATCH", "DELETE"), "`url`", "a destination in `http.requests`"),
    )
    example: ClassVar[JsonObject] = {
        "url": "https://deploy.example.com/api/pipelines/cart/pause",
        "body": {"reason": "incident"},
        "check": {"url": "https://deploy.example.com/api/pipelines/cart", "pointer": "/paused", "equals": True},
        "undo_request": {"url": "https://deploy.example.com/api/pipelines/cart/resume"},
    }

    url: Address
    """Where it goes: it must begin as a destination in halon.yaml does."""
    method: Method = "POST"
    """How it is sent; the destination must allow it, which by default is not so for DELETE."""
    body: Body = None
    """What it carries: an object is sent as JSON, text as it is. At most 32 kB, and no secrets."""
    headers: Annotated[
        dict[
            Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{1,64}$")],
            Annotated[str, StringConstraints(pattern=r"^[ -~]*$", max_length=500)],
        ],
        Field(max_length=20),
    ] = {}
    """Headers beside those of the destination; none that carries a secret."""
    expect: Annotated[tuple[Annotated[int, Field(ge=100, le=599)], ...], Field(max_length=20)] = ()
    """Statuses that mean success; without any, 200 to 299. Redirects are not followed."""
    timeout: Annotated[Duration, Field(gt=timedelta(), le=_MAX_TIMEOUT)] = timedelta(seconds=10)
    """How long one answer may take, at most 30 s."""
    check: Check | None = None
    """How to see whether the change is there."""
    repeatable: bool = False
    """Without `check`: sending it twice with the same idempotency key does no harm."""
    undo_request: Reversal | None = None
    """The request that takes it back."""
    no_undo: Annotated[str, StringConstraints(max_length=300)] = ""
    """Without `undo_request`: why there is none."""

    @model_validator(mode="after")
    def _whole(self) -> "Request":
        if (self.check is None) != self.repeatable:
            raise ValueError(
                "give `check`, so that Halon sees whether the change is there, or else say `repeatable: true`: "
                "sending it twice with the same key does no harm"
            )
        if self.undo_request is not None and (self.check is None or self.no_undo):
            raise ValueError("`undo_request` needs `check`, and has no `no_undo` beside it")
        for name, value in self.headers.items():
            if name.lower() in _FORBIDDEN or is_secret_key(name) or _looks_secret(value):
                raise ValueError(f"the header {name} is not a playbook's to set: secrets belong into `http.requests`")
        for url in (self.url, self.check.url if self.check else "", self.undo_request.url if self.undo_request else ""):
            if _looks_secret(url):
                raise ValueError("an address holds a secret: name it in the destination's `credential` instead")
        for body in (self.body, self.undo_request.body if self.undo_request else None):
            if body is not None and not isinstance(body, str):
                _check_body(body)
        return self

    def target(self) -> str:
        """Name the address, without its query."""
        parts = urlsplit(self.url)
        return f"http/{parts.netloc.rpartition('@')[2]}{parts.path}"

    async def observe(self, env: Env) -> Seen:
        """Look, where there is something to look at."""
        if self.check is None:
            return Seen(value=None)
        answer = await env.get(HttpRequester).look(self.check.url, self.timeout)
        value = value_at(answer, self.check.pointer)
        return Seen.model_validate({"value": value})

    def plan(self, state: Seen, now: datetime) -> Proposal | Nothing | Refusal:
        """Send it, unless what it would do is there."""
        summary = f"Send {self.method} {self.target().removeprefix('http/')}"
        if self.check is None:
            return Proposal(
                summary=summary,
                before={"sent": False},
                after={"sent": True},
                rows=[Row(field=f"{self.method} {self.target()}", before="not sent", after="sent")],
                notes=("whether it was sent before cannot be seen: it has no `check`",),
            )
        if _same(state.value, self.check.equals):
            return Nothing(f"{self._counts()} is {state.value!r} already")
        return Proposal(
            summary=summary,
            before={"value": state.value},
            after={"value": self.check.equals},
            rows=[Row(field=self._counts(), before=state.value, after=self.check.equals)],
        )

    def owned(self, state: Seen) -> JsonObject:
        """The value that counts."""
        return {"sent": False} if self.check is None else {"value": state.value}

    def mark(self, state: Seen) -> str:
        """Requests leave no mark."""
        return ""

    async def apply(self, env: Env, after: JsonObject, state: Seen, key: str) -> None:
        """Send it, with the key in the destination's header."""
        await env.get(HttpRequester).send(
            Sending(
                method=self.method,
                url=self.url,
                timeout=self.timeout,
                body=self.body,
                headers=self.headers,
                expect=self.expect,
                key=f"halon-{hashlib.sha256(key.encode()).hexdigest()[:32]}",
            )
        )

    def settled(self, state: Seen, after: JsonObject) -> Settlement:
        """Whether the value is as it should be; without a check, the answer was all there is to know."""
        if self.check is None:
            return Settlement(state="settled", reason="the receiver took it; there is no `check` of what came of it")
        observed: JsonObject = {"value": state.value}
        if _same(state.value, after.get("value")):
            return Settlement(state="settled", observed=observed)
        return Settlement(state="waiting", reason=f"{self._counts()} is {state.value!r}", observed=observed)

    def undo(self, before: JsonObject, after: JsonObject) -> "Request | NoUndo":
        """Send the author's other request, until the value is what it was."""
        if self.check is None:
            return NoUndo(self.no_undo or _NO_CHECK)
        if self.undo_request is None:
            return NoUndo(self.no_undo or "the playbook gives no `undo_request`")
        back = self.undo_request
        check = Check.model_validate(self.check.model_dump() | {"equals": before["value"]})
        return Request(
            url=back.url,
            method=back.method,
            body=back.body,
            headers=self.headers,
            timeout=self.timeout,
            check=check,
            no_undo="it takes another request back",
        )

    def _counts(self) -> str:
        pointer = self.check.pointer if self.check else None
        return pointer.strip("/") or "the answer" if pointer is not None else "HTTP status"


def _same(one: Json, other: Json) -> bool:
    return canonical(one) == canonical(other)


def _looks_secret(text: str) -> bool:
    return redact_text(text, MAX_BODY) != text


def _check_body(body: JsonObject) -> None:
    if len(canonical(body)) > MAX_BODY:
        raise ValueError(f"`body` is larger than {MAX_BODY} bytes")
    secret = _secret_in(body)
    if secret:
        raise ValueError(
            f"`body` has a secret under {secret}: secrets are never parameters; name them in the destination's "
            "`credential`, in `http.requests` of halon.yaml"
        )


def _secret_in(value: Json) -> str:
    if is_list(value):
        return next((found for one in value if (found := _secret_in(one))), "")
    if not is_object(value):
        return ""
    for name, one in value.items():
        if is_secret_key(name) and isinstance(one, str) and one and one != MASK:
            return name
        found = _secret_in(one)
        if found:
            return found
    return ""
