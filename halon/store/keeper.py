"""What a worker does for the proof of the chain beside its work: sign its end, keep copies of that elsewhere, prune.

It remembers nothing: what is to be done follows from the store each time. A process that dies loses nothing, and
several may do it at once. Nothing waits for it: records are written whether it works or not. What it cannot do it
tells, and tries again the next time.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import structlog
from opentelemetry import metrics

from halon.clients.locked_bucket import LockedBucket
from halon.contracts.base import JsonObject, canonical
from halon.errors import HalonError
from halon.settings import Settings
from halon.store.keys import anchor_bucket, audit_key
from halon.store.signatures import SignedHead
from halon.store.signing import AuditKey
from halon.store.store import Store

_PRUNE_EVERY = timedelta(hours=1)
_AT_MOST_EVERY = timedelta(seconds=1)
"""Incidents that close together are signed together."""
_meter = metrics.get_meter("halon.store")
_signed = _meter.create_counter("halon.audit.signatures", description="Heads of the audit chain that were signed")
_anchored = _meter.create_counter("halon.audit.anchors", description="Copies of signed heads, by result")
_pruned = _meter.create_counter("halon.audit.pruned", description="Incidents that were pruned")
log = structlog.get_logger(__name__)


class Keeper:
    """Keeps the proof of one store."""

    def __init__(self, store: Store, settings: Settings, key: AuditKey | None, bucket: LockedBucket | None) -> None:
        self._store = store
        self._settings = settings
        self._key = key
        self._bucket = bucket
        self._prune_at = datetime.min.replace(tzinfo=UTC)

    async def run(self) -> None:
        """Do it again and again: when an incident has closed, and after a while anyway."""
        every = self._settings.audit.sign_every.total_seconds()
        while True:
            self._store.closing.clear()
            await self.tend(datetime.now(UTC))
            await asyncio.sleep(_AT_MOST_EVERY.total_seconds())
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._store.closing.wait(), every)

    async def tend(self, now: datetime) -> None:
        """Do once what is due. What fails is told, and keeps nothing else from being done."""
        for what in (self.sign, self.anchor, self._prune):
            try:
                await what(now)
            except HalonError as error:
                log.warning(
                    "audit.keeper_failed", what=what.__name__.strip("_"), reason=str(error), then="trying again"
                )

    async def sign(self, now: datetime) -> None:
        """Sign the end of the chain, unless it is signed.

        Raises:
            TransientError: the store does not answer.
        """
        if self._key is not None and await self._store.signatures.sign(self._key, self._settings.environment, now):
            _signed.add(1)

    async def anchor(self, now: datetime) -> None:
        """Copy the last signed head to object storage, when that is due.

        Raises:
            HalonError: the store or the bucket does not let us, or does not answer.
        """
        given = self._settings.audit.anchor
        if given is None or self._bucket is None:
            return
        latest, last = await self._store.signatures.latest(), await self._store.signatures.last_anchored()
        if latest is None or (last is not None and (latest.n <= last.n or _is_recent(last, now, given.every))):
            return
        name = anchor_name(given.prefix, latest)
        try:
            where = await self._bucket.put(name, anchor_body(latest), now + given.retention)
        except HalonError as error:
            _anchored.add(1, {"result": "failed"})
            await self._store.signatures.not_anchored(latest.n, str(error))
            raise
        _anchored.add(1, {"result": "kept"})
        await self._store.signatures.anchored(latest.n, where, now)

    async def _prune(self, now: datetime) -> None:
        if not self._settings.retention.automatic or now < self._prune_at:
            return
        self._prune_at = now + _PRUNE_EVERY
        report = await self._store.retention.prune(self._settings.retention, "halon", now, dry_run=False)
        _pruned.add(len(report.incidents))
        for incident in report.broken:
            log.error("audit.not_pruned", incident=incident, reason="its records are not whole: `halon audit verify`")


@asynccontextmanager
async def keeping(store: Store, settings: Settings) -> AsyncGenerator[None]:
    """Keep the proof of the store while the block lasts.

    Raises:
        Misconfigured: the signing key, or a credential of the bucket, is not there.
    """
    key = audit_key(settings)
    bucket = anchor_bucket(settings)
    if key is None and bucket is None and not settings.retention.automatic:
        yield
        return
    task = asyncio.create_task(Keeper(store, settings, key, bucket).run())
    task.add_done_callback(_ended)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _ended(task: asyncio.Task[None]) -> None:
    """Say so when it ended by itself: that is a defect, and nothing is signed any more until the worker starts anew."""
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("audit.keeper_ended", reason=f"{type(error).__name__}: {error}", fix="start the worker anew")


def anchor_name(prefix: str, signed: SignedHead) -> str:
    """Name the copy of a head, so that the last one in the alphabet is the last one of all."""
    return f"{prefix}{signed.n:012d}.json"


def anchor_body(signed: SignedHead) -> bytes:
    """Give what is kept of a head: exactly what was signed, and the signature."""
    value: JsonObject = {"statement": signed.statement, "key": signed.key, "signature": signed.signature}
    return canonical(value)


def _is_recent(last: SignedHead, now: datetime, every: timedelta) -> bool:
    return last.anchored_at is not None and now - last.anchored_at < every
