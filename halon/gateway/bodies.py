"""What bodies of requests held, remembered by their bytes: a sender that repeats itself is read once."""

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from cachetools import TTLCache

from halon.core.grouping import Triggers, Unmatched
from halon.gateway.handover import Parcel
from halon.gateway.parsing import AlertSource, Parsed, parse_json
from halon.gateway.records import Note, unmatched_note

MAX_REMEMBERED = 4 * 1024 * 1024
"""Bytes of bodies that are remembered. What is kept of a body takes some five times as much memory: 22 MB."""
LARGEST = 64 * 1024
"""Bytes of a body that is remembered: large ones, of many alerts, seldom come again as they were."""
REMEMBERED_FOR = timedelta(minutes=5)
_OVERHEAD = 1024
"""What a body counts besides its bytes, so that many small ones are bounded too."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What is in a body, and where it belongs."""

    parsed: Parsed
    parcels: tuple[Parcel, ...]
    unmatched: tuple[tuple[Unmatched, Note], ...]
    size: int


class Bodies:
    """Reads the bodies of all sources of one gateway. Who sent a body is proved before, for every request."""

    def __init__(self, triggers: Triggers, tick: Callable[[], float] = time.monotonic) -> None:
        self._triggers = triggers
        self._known: TTLCache[bytes, Contents] = TTLCache(
            MAX_REMEMBERED, REMEMBERED_FOR.total_seconds(), timer=tick, getsizeof=lambda one: one.size
        )

    def read(self, source: AlertSource, raw: bytes, headers: Mapping[str, str], now: datetime) -> Contents:
        """Give what a body holds.

        Raises:
            InvalidInput: it is not what the source sends.
        """
        key = hashlib.sha256(source.name.encode() + b"\n" + raw).digest()
        found = self._known.get(key)
        if found is None:
            found = self._contents(source, source.parse(parse_json(raw), headers, now), len(raw) + _OVERHEAD, now)
            if self._lasts(source, found, now):
                self._known[key] = found
        return found

    def _contents(self, source: AlertSource, parsed: Parsed, size: int, now: datetime) -> Contents:
        triage = self._triggers.triage(parsed.alerts, now)
        unmatched = tuple((one, unmatched_note(source.name, one, one.alert.episode)) for one in triage.unmatched)
        return Contents(parsed, tuple(map(Parcel.of, triage.groups)), unmatched, size)

    def _lasts(self, source: AlertSource, contents: Contents, now: datetime) -> bool:
        """Whether the same bytes mean the same, whenever they come."""
        if not source.timeless or contents.size > LARGEST or contents.parsed.rejected or contents.parsed.truncated:
            return False
        # An alert that tells no time began now, and begins anew when the same bytes come later.
        alerts = contents.parsed.alerts
        return not any(self._triggers.timely(one) or (one.starts_at == now and not one.cycle) for one in alerts)
