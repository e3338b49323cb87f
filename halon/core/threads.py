"""The incident's one thread in each channel: news gather, and go out together, one message at a time. Pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from halon.contracts.coordination import ThreadState

MAX_LINES = 200
"""News that are kept; what a message leaves out of older ones it counts."""
FIRST = timedelta(seconds=2)
"""How long the first news gather: an incident that just began is told at once."""
MAX_SHOWN = 40
"""News in one message."""


class Threads:
    """What was told where."""

    def __init__(
        self, channels: Sequence[str], states: Sequence[ThreadState], lines: Sequence[str], first: int
    ) -> None:
        self._states = {one.channel: one for one in states} or {one: ThreadState(channel=one) for one in channels}
        self._lines = list(lines)
        self._first = first
        """Number of the first line that is kept."""
        self._next: dict[str, datetime] = {}
        self._under_way: set[str] = set()

    @property
    def states(self) -> tuple[ThreadState, ...]:
        """For what comes after."""
        return tuple(self._states.values())

    def thread(self, channel: str) -> str:
        """What names the incident's thread in a channel; empty when it has none there."""
        state = self._states.get(channel)
        return state.thread if state else ""

    @property
    def lines(self) -> tuple[str, ...]:
        """The last news."""
        return tuple(self._lines)

    @property
    def count(self) -> int:
        """How many news there were."""
        return self._first + len(self._lines)

    @property
    def first(self) -> int:
        """Number of the first line that is kept."""
        return self._first

    def add(self, line: str, now: datetime, gather: timedelta) -> None:
        """Put a line to the news; the channels are told when news have gathered."""
        self._lines.append(line)
        extra = len(self._lines) - MAX_LINES
        if extra > 0:
            del self._lines[:extra]
            self._first += extra
        for channel, state in self._states.items():
            self._next.setdefault(channel, now + (gather if state.told else min(gather, FIRST)))

    def next_at(self) -> datetime | None:
        """When a channel is to be told next; None while nothing waits."""
        return min((at for channel, at in self._next.items() if channel not in self._under_way), default=None)

    def due(self, now: datetime) -> tuple[str, ...]:
        """Channels that are to be told now."""
        return tuple(sorted(one for one, at in self._next.items() if at <= now and one not in self._under_way))

    def begin(self, channel: str) -> tuple[ThreadState, tuple[str, ...], int]:
        """Take the news of a channel for one message. Gives also how many older ones it leaves out."""
        self._under_way.add(channel)
        self._next.pop(channel, None)
        state = self._states[channel]
        fresh = self._lines[max(0, state.told - self._first) :]
        left_out = self.count - state.told - len(fresh) + max(0, len(fresh) - MAX_SHOWN)
        self._states[channel] = state.model_copy(update={"told": self.count})
        return state, tuple(fresh[-MAX_SHOWN:]), left_out

    def end(self, channel: str, thread: str, now: datetime, gather: timedelta) -> None:
        """The message arrived, or never will. What came meanwhile goes out after a pause."""
        self._under_way.discard(channel)
        state = self._states[channel]
        if thread and thread != state.thread:
            self._states[channel] = state = state.model_copy(update={"thread": thread})
        if state.told < self.count:
            self._next[channel] = now + gather

    @property
    def settled(self) -> bool:
        """Whether every channel knows everything."""
        return not self._next and not self._under_way
