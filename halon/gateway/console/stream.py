"""News as server-sent events: a bounded number of streams, each with a heartbeat and an end."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus

from starlette.responses import Response, StreamingResponse

from halon.errors import HalonError
from halon.gateway.problems import Refusal, retry_after

MAX_STREAMS = 100
MAX_OF_ONE = 6
"""Streams of one session."""
_BUSY = timedelta(seconds=15)
_RECONNECT = 2000


@dataclass(frozen=True, slots=True)
class Pace:
    """How long a stream lasts, and how long it is silent."""

    longest: timedelta = timedelta(minutes=5)
    """A browser opens the next one by itself, and who it is and may see is looked at again."""
    heartbeat: timedelta = timedelta(seconds=15)


@dataclass(frozen=True, slots=True)
class News:
    """One event."""

    event: str
    data: str
    id: str = ""

    def text(self) -> str:
        """Write it as the stream has it: a line break in the data begins a field of its own."""
        lines = [f"event: {self.event}", *([f"id: {self.id}"] if self.id else [])]
        lines += [f"data: {one}" for one in self.data.splitlines() or [""]]
        return "\n".join(lines) + "\n\n"


class Streams:
    """All streams of one gateway."""

    def __init__(self, closing: asyncio.Event, pace: Pace = Pace()) -> None:
        self._closing = closing
        self._pace = pace
        self._open: Counter[str] = Counter()

    def answer(self, session: str, news: AsyncGenerator[News | None]) -> Response:
        """Answer with a stream of news; None is a moment without.

        Raises:
            Refusal: there are too many.
        """
        if self._open.total() >= MAX_STREAMS or self._open[session] >= MAX_OF_ONE or self._closing.is_set():
            detail = "too many pages follow what happens: close some"
            raise Refusal(HTTPStatus.SERVICE_UNAVAILABLE, detail, headers=retry_after(_BUSY))
        headers = {"X-Accel-Buffering": "no"}  # nginx would hold the news back
        body = self._written(session, news)
        return StreamingResponse(body, headers=headers, media_type="text/event-stream")

    async def pause(self, span: timedelta) -> bool:
        """Wait for the next look; False when the gateway stops meanwhile."""
        try:
            await asyncio.wait_for(self._closing.wait(), span.total_seconds())
        except TimeoutError:
            return True
        return False

    async def _written(self, session: str, news: AsyncGenerator[News | None]) -> AsyncIterator[str]:
        loop = asyncio.get_running_loop()
        ends, beat = loop.time() + self._pace.longest.total_seconds(), loop.time()
        self._open[session] += 1
        try:
            yield f"retry: {_RECONNECT}\n\n"
            async for one in news:
                if one is not None:
                    yield one.text()
                    beat = loop.time()
                elif loop.time() - beat >= self._pace.heartbeat.total_seconds():
                    yield ": still here\n\n"
                    beat = loop.time()
                if loop.time() >= ends:
                    return
        except HalonError:
            return  # the browser comes back, and its page then says what is wrong
        finally:
            self._open[session] -= 1
            self._open += Counter()
            await news.aclose()
