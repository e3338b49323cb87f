"""A child process that never outlives its parent, not even one that is killed with -9."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import IO

STOP_WITHIN = timedelta(seconds=35)
"""Longer than the guard gives its command."""
_KILLED = 128
_TAIL = 400
"""Characters that are kept of what a process said last."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended."""

    code: int
    """Its exit status; 128 and more, or below 0, when a signal killed it."""
    words: str = ""
    """What it said last, when that was kept."""

    @property
    def killed(self) -> bool:
        """Whether a signal ended it, such as `kill -9`, and not the program itself."""
        return self.code < 0 or self.code > _KILLED

    def __str__(self) -> str:
        return f"exit status {self.code}: {self.words}" if self.words else f"exit status {self.code}"


class Guarded:
    """A command below a guard (`halon.clients.guard`), in a process group of its own.

    Ctrl-C in a terminal does not reach it: whoever started it stops it, in the order that is right.
    """

    def __init__(self, guard: asyncio.subprocess.Process, words: int | None) -> None:
        self._guard = guard
        self._tail = ""
        self._reading = asyncio.create_task(self._read(words))

    @classmethod
    async def start(
        cls,
        command: Sequence[str],
        *,
        log: IO[bytes] | None = None,
        keep_words: bool = False,
        hold: Sequence[int] = (),
        environment: Mapping[str, str] | None = None,
    ) -> "Guarded":
        """Start it. What it says goes to `log`, by default to where its parent's goes; or its last words are kept.

        The file descriptors in `hold` stay open for as long as it lives.
        """
        # A pipe of our own: asyncio's would have `wait` wait for whoever else holds its other end.
        words, told = os.pipe() if keep_words else (None, None)
        starting = asyncio.create_task(
            asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "halon.clients.guard"),
                *command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=log if told is None else told,
                env=environment,
                pass_fds=tuple(hold),
                start_new_session=True,
            )
        )
        try:
            guard = await asyncio.shield(starting)
        except asyncio.CancelledError:  # asyncio would kill the guard only, which may have begun its work
            await cls(await starting, words).stop()
            raise
        finally:
            if told is not None:
                os.close(told)
        return cls(guard, words)

    async def wait(self) -> Ended:
        """Wait until it ends."""
        code = await self._guard.wait()
        self._kill_group()
        await self._reading
        return Ended(code, self._tail)

    async def stop(self) -> None:
        """Stop it, and return when nothing of it is left."""
        if self._guard.returncode is None:
            self._guard.terminate()
            try:
                await asyncio.wait_for(self._guard.wait(), STOP_WITHIN.total_seconds())
            except TimeoutError:
                self._guard.kill()
        await self.wait()

    def _kill_group(self) -> None:
        """End the command, should it have outlived its guard."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._guard.pid, signal.SIGKILL)

    async def _read(self, words: int | None) -> None:
        """Keep reading, or a process that says much would stand still."""
        if words is None:
            return
        reader = asyncio.StreamReader()
        with os.fdopen(words, "rb") as pipe:
            transport, _ = await asyncio.get_running_loop().connect_read_pipe(
                lambda: asyncio.StreamReaderProtocol(reader), pipe
            )
            while chunk := await reader.read(4096):
                self._tail = " ".join((self._tail + chunk.decode(errors="replace")).split())[-_TAIL:]
            transport.close()
