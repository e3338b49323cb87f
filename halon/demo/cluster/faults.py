"""Faults on request: lost requests, lost replies, refusals, delays and broken-off replies, for tests of crashes.

A fault lets the next `skip` requests that it matches pass and is for the `count` after those; the first fault in order
of injection wins.
"""

import re
from collections import Counter
from dataclasses import dataclass
from enum import Enum
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from halon.demo.cluster.objects import Json
from halon.demo.cluster.status import bad_request


class FaultKind(Enum):
    """What goes wrong."""

    LOSE_REQUEST = "lose-request"
    """The connection is closed before the request is looked at."""
    LOSE_REPLY = "lose-reply"
    """The request is carried out, and the connection is closed instead of an answer."""
    STATUS = "status"
    """The request is refused with `status`, and with Retry-After when `retry_after` is given."""
    DELAY = "delay"
    """The request waits for `seconds` before it is looked at; a client that leaves takes it away."""
    DELAY_REPLY = "delay-reply"
    """The request is carried out, and its answer waits for `seconds`."""
    PARTIAL = "partial"
    """The request is carried out, and half of the answer arrives."""
    LATE = "late"
    """The connection is closed, and the request is carried out `seconds` later: it was under way in the network."""


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"not a pattern: {error}") from None
    return text


class Fault(BaseModel):
    """A fault for requests whose method matches `method` wholly and whose path and query contain `path`: patterns."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: FaultKind
    method: Annotated[str, AfterValidator(_pattern)] = ".*"
    path: Annotated[str, AfterValidator(_pattern)] = ""
    skip: Annotated[int, Field(ge=0)] = 0
    count: Annotated[int, Field(ge=1)] = 1
    status: Annotated[int, Field(ge=400, le=599)] = 503
    retry_after: Annotated[int, Field(ge=0)] | None = None
    seconds: Annotated[float, Field(ge=0, le=600, allow_inf_nan=False)] = 0.0

    def matches(self, method: str, path: str) -> bool:
        """Whether a request is meant."""
        return re.fullmatch(self.method, method) is not None and re.search(self.path, path) is not None


@dataclass(slots=True)
class _Armed:
    fault: Fault
    skip: int
    left: int


class Faults:
    """The faults that wait for their requests."""

    def __init__(self) -> None:
        self._armed: list[_Armed] = []
        self.met: Counter[FaultKind] = Counter()
        """How many requests met a fault, by kind."""

    @property
    def hits(self) -> int:
        """How many requests met a fault."""
        return self.met.total()

    def inject(self, fault: Fault) -> None:
        """Let a fault wait for its requests."""
        self._armed.append(_Armed(fault, fault.skip, fault.count))

    def clear(self) -> None:
        """Disarm every fault."""
        self._armed.clear()

    def take(self, method: str, path: str) -> Fault | None:
        """Find the fault for a request, and count it down."""
        for armed in self._armed:
            if armed.fault.matches(method, path):
                if armed.skip:
                    armed.skip -= 1
                    continue
                armed.left -= 1
                self.met[armed.fault.kind] += 1
                if armed.left <= 0:
                    self._armed.remove(armed)
                return armed.fault
        return None

    def as_json(self) -> list[Json]:
        """List the faults that still wait, with the number of requests that each is for."""
        return [
            {**armed.fault.model_dump(mode="json"), "skip": armed.skip, "count": armed.left} for armed in self._armed
        ]


def read_fault(body: Json) -> Fault:
    """Read a fault from HTTP.

    Raises:
        ApiError: a field is unknown, of the wrong type or out of range (400).
    """
    try:
        return Fault.model_validate(body)
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()]
        raise bad_request(f"not a fault: {'; '.join(problems)}") from None
