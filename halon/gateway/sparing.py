"""A log that does not grow with a storm: so many lines a second, and of the others how many there were."""

import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from structlog.typing import FilteringBoundLogger

MAX_LINES = 20
"""Lines a second of one log."""


class SparingLog:
    """Stands before a logger where everybody may cause lines."""

    def __init__(self, log: FilteringBoundLogger, tick: Callable[[], float] = time.monotonic) -> None:
        self._log = log
        self._tick = tick
        self._second = 0
        self._lines = 0
        self._spared: Counter[str] = Counter()

    def info(self, event: str, **facts: Any) -> None:
        """Say it, or count it."""
        if self._has_room(event):
            self._log.info(event, **facts)

    def warning(self, event: str, **facts: Any) -> None:
        """Say it, or count it."""
        if self._has_room(event):
            self._log.warning(event, **facts)

    def sum_up(self) -> None:
        """Say what was only counted until now."""
        if self._spared:
            self._log.warning("log.spared", lines=dict(self._spared), allowed_a_second=MAX_LINES)
            self._spared.clear()

    def _has_room(self, event: str) -> bool:
        second = int(self._tick())
        if second != self._second:
            self._second, self._lines = second, 0
        self._lines += 1
        if self._lines > MAX_LINES:
            self._spared[event] += 1
            return False
        return True
