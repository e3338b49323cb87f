"""An asyncio event loop whose clock is not the wall's: when nothing can run, time jumps to the next timer.

It makes hours of waiting take milliseconds and the same run take the same course every time, which is what `halon test`
and the conformance suite stand on. It has no sockets, threads, signals or child processes: code that reaches for one
gets `NotImplementedError`, which is right, because code under a virtual clock must not touch the outside.
"""

import asyncio
import heapq
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context, copy_context
from typing import Any, TypeVar, TypeVarTuple, Unpack

MAX_CALLS = 1_000_000
"""Callbacks of one run: a run of `MAX_STEPS` steps needs some tens of thousands; a second of real time needs more."""
MAX_SECONDS = 800 * 86_400.0
"""Virtual time of one run: twice the longest duration that a playbook can say, and some."""
_CLEARING_ROUNDS = 100
"""How often what is left at the end is cancelled: code may refuse a cancellation, but not for ever."""
_KEPT_TASKS = 1000
"""Tasks kept before those that have ended are dropped."""

T = TypeVar("T")
Args = TypeVarTuple("Args")


class Stuck(Exception):  # noqa: N818  # reads as the fact that it states
    """The run cannot go on: nothing will ever happen any more, or it has taken more steps or time than it may."""


class _Call(asyncio.Handle):
    """A callback that waits for its turn."""

    def __init__(
        self, callback: Callable[..., object], args: tuple[object, ...], loop: "VirtualLoop", context: Context | None
    ) -> None:
        super().__init__(callback, args, loop, context)
        self._what = callback
        self._with = args
        self._in = context or copy_context()

    def run(self) -> None:
        """Call it; whatever it raises is a defect and stops the loop."""
        self._in.run(self._what, *self._with)


class _Timer(asyncio.TimerHandle):
    """A callback that waits for its time. Timers of one time fire in the order in which they were set."""

    def __init__(self, when: float, call: _Call, loop: "VirtualLoop") -> None:
        super().__init__(when, _nothing, (), loop)
        self.call = call

    def cancel(self) -> None:
        """Do not fire."""
        self.call.cancel()
        super().cancel()


class VirtualLoop(asyncio.AbstractEventLoop):
    """The loop. `run` is the way in; one loop runs one coroutine."""

    def __init__(self, *, max_calls: int = MAX_CALLS, max_seconds: float = MAX_SECONDS) -> None:
        self._now = 0.0
        self._ready: deque[_Call] = deque()
        self._timers: list[tuple[float, int, _Timer]] = []
        self._set = 0
        self._calls_left = max_calls
        self._max_calls = max_calls
        self._max_seconds = max_seconds
        self._tasks: list[asyncio.Task[Any]] = []
        self._keep = _KEPT_TASKS
        self.left_over: tuple[str, ...] = ()
        """Names of tasks that still waited for something when the main one had ended: each is a defect of its code."""
        self.complaints: list[str] = []
        """What asyncio had to complain about, such as an exception that nobody looked at."""

    def run(self, main: Coroutine[Any, Any, T]) -> T:
        """Run `main` to its end and give its result.

        Raises:
            Stuck: nothing can happen any more, or the bounds on steps or time are reached.
            RuntimeError: another event loop runs in this thread; run this one in a thread of its own.
        """
        if _running() is not None:
            main.close()
            raise RuntimeError("a virtual clock cannot run inside another event loop: use a thread")
        asyncio._set_running_loop(self)  # noqa: SLF001  # asyncio exports it for those who write a loop
        try:
            task: asyncio.Task[T] = self.create_task(main)
            try:
                while not task.done():
                    self._turn()
            finally:
                self._clear()
            return task.result()
        finally:
            asyncio._set_running_loop(None)  # noqa: SLF001  # as above

    def _turn(self) -> None:
        """Run what is ready; when nothing is, go on to the next timer."""
        if not self._ready:
            self._advance()
        self._calls_left -= 1
        if self._calls_left < 0:
            raise Stuck(f"more than {self._max_calls} steps by virtual time {self._now:.0f} s: it goes in circles")
        call = self._ready.popleft()
        if not call.cancelled():
            call.run()

    def _advance(self) -> None:
        while self._timers:
            when, _, timer = heapq.heappop(self._timers)
            if timer.cancelled():
                continue
            if when > self._max_seconds:
                raise Stuck(f"more than {self._max_seconds / 86_400:.0f} days of virtual time")
            self._now = max(self._now, when)
            self._ready.append(timer.call)
            return
        waiting = sum(not task.done() for task in self._tasks)
        raise Stuck(f"nothing can happen any more: {waiting} tasks wait, no timer is set and no event is due")

    def _clear(self) -> None:
        """End what is left, so that nothing is destroyed half way."""
        self.left_over = tuple(task.get_name() for task in self._tasks if not task.done())
        self._calls_left = self._max_calls
        for _ in range(_CLEARING_ROUNDS):
            pending = [task for task in self._tasks if not task.done()]
            if not pending:
                break
            for task in pending:
                task.cancel()
            while self._ready and self._calls_left:
                self._turn()
        self._tasks.clear()
        self._timers.clear()
        self._ready.clear()

    # -- what asyncio's tasks, futures and locks need of a loop -------------------------------------------------------

    def time(self) -> float:
        """Seconds since the beginning of the run."""
        return self._now

    def call_soon(
        self, callback: Callable[[Unpack[Args]], object], *args: *Args, context: Context | None = None
    ) -> asyncio.Handle:
        """Call after what is ready already."""
        call = _Call(callback, args, self, context)
        self._ready.append(call)
        return call

    def call_later(
        self,
        delay: float,
        callback: Callable[[Unpack[Args]], object],
        *args: *Args,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Call after `delay` seconds."""
        return self.call_at(self._now + max(delay, 0.0), callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[[Unpack[Args]], object],
        *args: *Args,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Call at the loop's time `when`."""
        timer = _Timer(when, _Call(callback, args, self, context), self)
        self._set += 1
        heapq.heappush(self._timers, (when, self._set, timer))
        return timer

    def create_future(self) -> "asyncio.Future[Any]":
        """Give a future of this loop."""
        return asyncio.Future(loop=self)

    def create_task(self, coro: Any, **options: Any) -> "asyncio.Task[Any]":
        """Start a task; `options` are those of `asyncio.Task`."""
        task: asyncio.Task[Any] = asyncio.Task(coro, loop=self, **options)
        if len(self._tasks) >= self._keep:
            self._tasks = [one for one in self._tasks if not one.done()]
            self._keep = max(_KEPT_TASKS, 2 * len(self._tasks))
        self._tasks.append(task)
        return task

    def get_debug(self) -> bool:
        """Give False: asyncio's debugging watches the wall clock."""
        return False

    def is_running(self) -> bool:
        """Whether the loop runs."""
        return _running() is self

    def is_closed(self) -> bool:
        """Give False: there is nothing to close."""
        return False

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Keep what asyncio complains about."""
        self.complaints.append(f"{context.get('message')}: {context.get('exception')!r}")

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Hear of a cancelled timer; it is dropped when its time comes."""


def virtual_loop(max_calls: int = MAX_CALLS) -> VirtualLoop:
    """Give a new loop."""
    return VirtualLoop(max_calls=max_calls)  # type: ignore[abstract]  # what it lacks touches the outside


def _running() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _nothing() -> None:
    """A timer runs its call, not itself."""
