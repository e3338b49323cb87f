"""A stream of news: with a heartbeat, an end, and room for so many."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from datetime import timedelta
from typing import cast

import pytest
from starlette.responses import Response, StreamingResponse

from halon.gateway.console.stream import MAX_OF_ONE, MAX_STREAMS, News, Pace, Streams
from halon.gateway.problems import Refusal

TICK = timedelta(milliseconds=5)


def parts(answer: Response) -> AsyncIterator[str]:
    return cast("AsyncIterator[str]", cast("StreamingResponse", answer).body_iterator)


async def silent(streams: Streams) -> AsyncGenerator[News | None]:
    while await streams.pause(TICK):
        yield None


async def said(*news: News) -> AsyncGenerator[News | None]:
    for one in news:
        yield one


async def test_news_are_written_with_every_line_as_data_of_their_own() -> None:
    streams = Streams(asyncio.Event())
    answer = streams.answer("s", said(News("line", "<li>\n</li>", "7"), News("changed", "")))
    assert [one async for one in parts(answer)] == [
        "retry: 2000\n\n",
        "event: line\nid: 7\ndata: <li>\ndata: </li>\n\n",
        "event: changed\ndata: \n\n",
    ]
    assert answer.headers["content-type"].startswith("text/event-stream")


async def test_a_silent_stream_says_that_it_lives_and_ends_in_time() -> None:
    streams = Streams(asyncio.Event(), Pace(timedelta(milliseconds=200), timedelta(milliseconds=40)))
    told = [one async for one in parts(streams.answer("s", silent(streams)))]
    assert told[1:].count(": still here\n\n") == len(told) - 1 >= 1


async def test_streams_end_when_the_gateway_stops_and_none_begins_then() -> None:
    closing = asyncio.Event()
    streams = Streams(closing)
    stream = parts(streams.answer("s", silent(streams)))
    assert await anext(stream) == "retry: 2000\n\n"
    closing.set()
    assert [one async for one in stream] == []
    with pytest.raises(Refusal, match="too many"):
        streams.answer("s", silent(streams))


async def test_there_is_room_for_so_many_of_one_session_and_of_all() -> None:
    streams = Streams(asyncio.Event())
    opened: list[AsyncGenerator[str]] = []

    async def begin(session: str) -> None:
        stream = cast("AsyncGenerator[str]", parts(streams.answer(session, silent(streams))))
        await anext(stream)
        opened.append(stream)

    for _ in range(MAX_OF_ONE):
        await begin("one")
    with pytest.raises(Refusal, match="too many"):
        await begin("one")
    for number in range(MAX_STREAMS - MAX_OF_ONE):
        await begin(f"other {number}")
    with pytest.raises(Refusal, match="too many"):
        await begin("another")
    for stream in opened[:2]:
        await stream.aclose()
    await begin("one")
    for stream in opened[2:]:
        await stream.aclose()
