"""How many messages a channel takes in a minute, before further ones go out together. Pure."""

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
