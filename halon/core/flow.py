"""Concurrency for the interpreter, with nothing left to chance.

`asyncio.wait` and `TaskGroup` keep tasks in sets and so cancel them in an order that differs from process to process;
Temporal replays would diverge. These keep lists.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, TypeVar

T = TypeVar("T")


async def uninterrupted(work: Coroutine[Any, Any, T]) -> T:
    """Run `work` to its end even when the caller is cancelled meanwhile; the cancellation is raised afterwards.

    For what must never be abandoned half way: an apply, an undo.
    """
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            if task.cancelled():
                break
            cancelled = error
        except Exception:  # noqa: BLE001  # whatever the work raised is raised by `result` below
            break
    if cancelled is not None:
        task.exception()  # retrieved: the cancellation takes precedence
        raise cancelled
    return task.result()


async def afterwards(work: Awaitable[T], then: Callable[[], Awaitable[object]]) -> T:
    """Do `work`, and `then` in any case, as `finally` would; but nothing when the coroutine is thrown away.

    A worker that stops throws away the workflows that it holds. Another one takes them up where the history ends, so
    nothing has ended and there is no loop left to wait on.
    """
    try:
        result = await work
    except GeneratorExit:
        raise
    except BaseException:
        await then()
        raise
    await then()
    return result


async def first(*works: Coroutine[Any, Any, Any]) -> tuple[int, Any]:
    """Run `works` together; give the index and result of the first to end, with the others cancelled and ended.

    When two end in the same instant, the earlier argument wins. An exception of the first to end is raised.
    """
    tasks = [asyncio.ensure_future(work) for work in works]
    await afterwards(_any_done(tasks), lambda: _stop(tasks))
    winner = next(index for index, task in enumerate(tasks) if task.done() and not task.cancelled())
    return winner, tasks[winner].result()


async def together(works: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """Run `works` at the same time and give all results. The first exception cancels the others and is raised."""
    tasks = [asyncio.ensure_future(work) for work in works]
    await afterwards(_all_done(tasks), lambda: _stop(tasks))
    return [task.result() for task in tasks]


async def stopped(task: "asyncio.Future[Any]") -> None:
    """Cancel `task` and wait until it has ended, however it ends."""
    await _stop([task])


async def _all_done(tasks: Sequence["asyncio.Future[Any]"]) -> None:
    """Return once all of `tasks` are done; raises the first exception as soon as it is there."""
    pending = list(tasks)
    while pending:
        await _any_done(pending)
        for task in pending:
            if task.done():
                task.result()
        pending = [task for task in pending if not task.done()]


async def _any_done(tasks: Sequence["asyncio.Future[Any]"]) -> None:
    """Return once one of `tasks` is done."""
    if any(task.done() for task in tasks):
        return
    signal: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def notice(_: "asyncio.Future[Any]") -> None:
        if not signal.done():
            signal.set_result(None)

    for task in tasks:
        task.add_done_callback(notice)
    try:
        await signal
    finally:
        for task in tasks:
            task.remove_done_callback(notice)


async def _stop(tasks: Sequence["asyncio.Future[Any]"]) -> None:
    """Cancel what still runs, in order, and wait for it."""
    running: list[asyncio.Future[Any]] = []
    for task in tasks:
        if not task.done():
            task.cancel()
            running.append(task)
        elif not task.cancelled():
            task.exception()  # retrieved, so that nobody is warned about it; before the wait, which may be cancelled
    if running:
        await uninterrupted(_all_ended(running))


async def _all_ended(tasks: Sequence[Awaitable[Any]]) -> None:
    for task in tasks:
        with contextlib.suppress(asyncio.CancelledError, Exception):  # how it ended is the owner's to read
            await task
