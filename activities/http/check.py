"""Check that a URL answers as it should."""

from datetime import timedelta
from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from halon.clients.http_check import HttpChecker
from halon.clients.pinned import NoAnswer
from halon.contracts.base import Duration, JsonObject
from halon.kit.action import Output, Permission, Read
from halon.kit.env import Env

_MAX_TIMEOUT = timedelta(seconds=30)


class CheckResult(Output):
    """What came back. No answer is a result too: `ok` is then false and `reason` says why."""

    ok: bool
    """An answer came, with an expected status and with the text that was asked for."""
    status: int | None
    """HTTP status; null without an answer. Redirects are not followed, so a 302 is one."""
    latency: Duration | None
    """From connecting to the end of the body; null without an answer."""
    found: bool | None
    """Whether the first MiB of the body contains `contains`; null when that was not asked, or without an answer."""
    reason: str
    """Why it is not ok; empty when it is."""


class Check(Read[CheckResult]):
    """Check that a URL answers as it should.

    Only hosts in `http.allow` of halon.yaml are asked; one whose address is not public needs its network there as well,
    such as `10.0.0.0/8`. Metadata services are never asked. Errors: a host or address that is not allowed is
    `permission_denied`, a URL that is none `invalid_input`.
    """

    permissions: ClassVar[tuple[Permission, ...]] = (
        Permission("http", ("GET", "HEAD"), "`url`", "its host must be in `http.allow`"),
    )
    example: ClassVar[JsonObject] = {"url": "https://shop.example.com/healthz", "contains": "ok"}

    url: Annotated[str, StringConstraints(min_length=1, max_length=2048)]
    """`http` or `https`, without user and password."""
    method: Literal["GET", "HEAD"] = "GET"
    """How it is asked."""
    expect: Annotated[tuple[Annotated[int, Field(ge=100, le=599)], ...], Field(max_length=20)] = ()
    """Statuses that are ok; without any, 200 to 299."""
    contains: Annotated[str, StringConstraints(max_length=1000)] = ""
    """Text that the body must contain."""
    timeout: Annotated[Duration, Field(gt=timedelta(), le=_MAX_TIMEOUT)] = timedelta(seconds=5)
    """How long the whole answer may take, at most 30 s."""

    def target(self) -> str:
        """Name what is asked."""
        return self.url

    async def run(self, env: Env) -> CheckResult:
        """Ask."""
        answer = await env.get(HttpChecker).check(self.method, self.url, self.timeout)
        if isinstance(answer, NoAnswer):
            return CheckResult(ok=False, status=None, latency=None, found=None, reason=answer.reason)
        found = self.contains.encode() in answer.body if self.contains else None
        expected = answer.status in self.expect if self.expect else 200 <= answer.status <= 299  # noqa: PLR2004  # HTTP's range of success
        reason = "" if expected else f"the status is {answer.status}"
        if expected and found is False:
            reason = "the body does not contain the text"
        return CheckResult(ok=not reason, status=answer.status, latency=answer.latency, found=found, reason=reason)
