"""Runs a command for as long as its own parent lives: `python -m halon.clients.guard COMMAND…`.

What a killed process had started lives on, and holds its ports and files. The guard holds a pipe to that process as its
standard input: when the pipe ends, by whatever cause, so does the command.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading

GRACE = 30.0
"""Seconds that a command has to end in when it is told to."""


def main() -> int:
    """Run the command; gives its exit status."""
    # What the parent handed down, such as a lock, the command holds too: it is free when the last of them has ended.
    process = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, close_fds=False)  # noqa: S603  # the parent's own

    def end(*_: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        late = threading.Timer(GRACE, process.kill)
        late.daemon = True
        late.start()

    def watch() -> None:
        while os.read(sys.stdin.fileno(), 1):
            pass
        end()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=watch, daemon=True).start()
    code = process.wait()
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main())
