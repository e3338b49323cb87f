"""How many messages a channel takes in a minute, and how soon one that takes none is tried again. Pure."""

from collections import deque
from datetime import datetime, timedelta

WITHIN = timedelta(minutes=1)
MAX_CHANNELS = 1000


class Damper:
    """Counts messages by channel."""

    def __init__(self, per_minute: int) -> None:
        self._most = per_minute
        self._sent: dict[str, deque[datetime]] = {}

    def allows(self, channel: str, now: datetime) -> bool:
        """Whether one more message may go out now; when it may, it counts."""
        times = self._sent.pop(channel, None) or deque[datetime](maxlen=self._most)
        self._sent[channel] = times
        while len(self._sent) > MAX_CHANNELS:
            del self._sent[next(iter(self._sent))]
        while times and now - times[0] >= WITHIN:
            times.popleft()
        if len(times) >= self._most:
            return False
        times.append(now)
        return True

    def take_back(self, channel: str) -> None:
        """The message that was counted last did not go out."""
        times = self._sent.get(channel)
        if times:
            times.pop()


def pause_after(waited: timedelta) -> timedelta:
    """How long to wait before channels are tried again that have taken nothing for so long.

    A quarter of that time: soon after a short outage, and never later than five minutes after one of two hours.
    """
    most = timedelta(minutes=5) if waited < timedelta(hours=2) else timedelta(minutes=15)
    return min(max(waited / 4, timedelta(seconds=15)), most)
