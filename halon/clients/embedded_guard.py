"""Runs a command for as long as its own parent lives: `python -m halon.clients.embedded_guard COMMAND…`.

Temporal's server outlives a parent that was killed. The guard holds a pipe to that parent as its standard input: when
it ends, by whatever cause, so does the command.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading


def main() -> int:
    """Run the command; gives its exit status."""
    process = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)  # noqa: S603  # the parent's own command

    def end(*_: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()

    def watch() -> None:
        while os.read(sys.stdin.fileno(), 1):
            pass
        end()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=watch, daemon=True).start()
    return process.wait()


if __name__ == "__main__":
    sys.exit(main())
