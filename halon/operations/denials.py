"""What somebody was not allowed to do: in the audit, counted, and so often and no more."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

import structlog
from cachetools import TTLCache
from opentelemetry import metrics

from halon.contracts.audit import AuditKind, AuditRecord
from halon.contracts.base import digest
from halon.contracts.people import Principal, Right
from halon.errors import PermissionDenied, TransientError
from halon.operations.rights import Rights
from halon.store.store import Store

PER_MINUTE = 10
"""Records a minute of one person; all are counted."""
MAX_PER_MINUTE = 100
"""Records a minute of all people together."""
_MINUTE = 60.0
_MAX_COUNTS = 10_000
log = structlog.get_logger(__name__)
_meter = metrics.get_meter("halon.access")
_denied = _meter.create_counter("halon.access.denied", description="What people had no right to, by right and way")


@dataclass(frozen=True, slots=True)
class Attempt:
    """What somebody wants to do."""

    principal: Principal
    right: Right
    what: str
    """In words, such as `pause everything`."""
    incident: str = ""
    """Empty for what belongs to no incident."""


class Guard:
    """Lets people do what they may, and writes down what they may not."""

    def __init__(
        self, rights: Rights, store: Store, clock: Callable[[], datetime], tick: Callable[[], float] = time.monotonic
    ) -> None:
        self.rights = rights
        self._store = store
        self._clock = clock
        self._written: TTLCache[str, int] = TTLCache(_MAX_COUNTS, 2 * _MINUTE, timer=tick)

    async def demand(self, attempt: Attempt, labels: Mapping[str, str] | None = None) -> None:
        """Go on only when they may.

        Raises:
            PermissionDenied: they may not, and why. It is in the audit.
        """
        ruling = self.rights.may(attempt.principal, attempt.right, labels)
        if not ruling.allowed:
            await self.deny(attempt, ruling.reason)
            raise PermissionDenied(ruling.reason)

    async def deny(self, attempt: Attempt, reason: str) -> None:
        """Write down that somebody was not allowed to. A store that does not answer lets nobody through either."""
        who = attempt.principal
        _denied.add(1, {"right": attempt.right.value, "method": who.method.value})
        log.warning("access.denied", person=who.person, method=who.method.value, right=attempt.right.value)
        if not self._has_room(who.person):
            return
        try:
            await self._store.audit.append([_record(attempt, reason, self._clock())], first_wins=True)
        except TransientError as error:
            log.warning("access.unrecorded", person=who.person, reason=str(error))

    def _has_room(self, person: str) -> bool:
        """Count a record of somebody, and one of all."""
        minute = int(self._clock().timestamp() // _MINUTE)
        own, everybody = f"{minute}/{person}", f"{minute}"
        if self._written.get(own, 0) >= PER_MINUTE or self._written.get(everybody, 0) >= MAX_PER_MINUTE:
            return False
        for key in (own, everybody):
            self._written[key] = self._written.get(key, 0) + 1
        return True


def _record(attempt: Attempt, reason: str, now: datetime) -> AuditRecord:
    """The record. What is asked again within the same minute is the same record, whoever writes it."""
    who = attempt.principal
    about = digest([who.person, who.method, attempt.right, attempt.what, attempt.incident])[:16]
    return AuditRecord(
        incident=attempt.incident or f"access-{now:%Y-%m}",
        writer=f"access/{about}",
        sequence=int(now.timestamp() // _MINUTE),
        at=now,
        kind=AuditKind.ACCESS_DENIED,
        message=f"Not allowed to {attempt.what}: {reason}",
        actor=who.person,
        data={"right": attempt.right.value, "authenticated": who.method.value, "groups": list(who.groups)},
    )
