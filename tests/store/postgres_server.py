"""A PostgreSQL server of the tests' own: in a temporary directory, as an unprivileged user, gone when they end."""

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Self

STARTS_WITHIN = 30
_DEBIAN = Path("/usr/lib/postgresql")
_UNPRIVILEGED = "nobody"
SETTINGS = {
    "fsync": "off",  # nothing here outlives the machine
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "shared_buffers": "16MB",
    "max_connections": "60",
    "autovacuum": "off",
}


def program(name: str) -> str:
    """Where a program of PostgreSQL is; Debian keeps the server's out of the path."""
    newest = sorted(_DEBIAN.glob(f"*/bin/{name}"), key=lambda file: int(file.parts[-3]))
    found = str(newest[-1]) if newest else shutil.which(name)
    assert found, f"{name} is not installed: apt-get install postgresql"
    return found


class PostgresServer:
    """One server, on a socket in its directory and on a port of the loopback."""

    def __init__(self, owner: str = "halon") -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="halon-pg-"))
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.port = int(listener.getsockname()[1])
        self._options: dict[str, str] = {}
        self._running: subprocess.Popen[bytes] | None = None
        self._name = owner
        self._owner = None
        if os.getuid() == 0:
            self._owner = pwd.getpwnam(_UNPRIVILEGED)
            os.chown(self.directory, self._owner.pw_uid, self._owner.pw_gid)
        made = [program("initdb"), "-D", "data", "-U", owner, "-A", "trust", "--no-sync", "-E", "UTF8"]
        self._run([*made, "--locale=C.UTF-8"])

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self.directory)

    def url(self, database: str = "postgres") -> str:
        """Where a database is, over the socket."""
        return f"postgresql+asyncpg://{self._name}@/{database}?host={self.directory}&port={self.port}"

    def configure(self, **options: str) -> None:
        """Options for the next start."""
        self._options.update(options)

    def write(self, name: str, text: str) -> None:
        """Put a file beside the data that only the server's user may read."""
        file = self.directory / name
        file.write_text(text)
        file.chmod(0o600)
        if self._owner:
            os.chown(file, self._owner.pw_uid, self._owner.pw_gid)

    def start(self) -> None:
        """Start it, and return when it takes connections. It ends with this process, however that ends."""
        options = (
            SETTINGS
            | self._options
            | {
                "port": str(self.port),
                "listen_addresses": "127.0.0.1",
                "unix_socket_directories": str(self.directory),
            }
        )
        flags = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        guard = [sys.executable, "-m", "halon.clients.guard"]
        command = [*guard, *self._as_owner(), program("postgres"), "-D", str(self.directory / "data"), *flags]
        with (self.directory / "log").open("ab") as log:
            self._running = subprocess.Popen(  # noqa: S603  # our own
                command, stdin=subprocess.PIPE, stdout=log, stderr=log, cwd=Path(__file__).parents[2]
            )
        ready = [program("pg_isready"), "--quiet", "--host", str(self.directory), "--port", str(self.port)]
        deadline = time.monotonic() + STARTS_WITHIN
        while subprocess.run(ready, check=False).returncode:  # noqa: S603  # our own
            assert self._running.poll() is None, (self.directory / "log").read_text()
            assert time.monotonic() < deadline, (self.directory / "log").read_text()
            time.sleep(0.02)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop it: SIGINT ends sessions, SIGQUIT is a crash."""
        if self._running is None:
            return
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            os.kill(int((self.directory / "data" / "postmaster.pid").read_text().splitlines()[0]), how)
        self._running.wait(timeout=STARTS_WITHIN)
        assert self._running.stdin
        self._running.stdin.close()
        self._running = None

    def sql(self, statement: str, database: str = "postgres") -> str:
        """Run statements as the owner, each by itself, and give what they print."""
        command = [program("psql"), "-XAtq", "-v", "ON_ERROR_STOP=1", "-h", str(self.directory), "-p", str(self.port)]
        return self._run([*command, "-U", self._name, "-d", database], statement).stdout

    def _as_owner(self) -> list[str]:
        if self._owner is None:
            return []
        return ["setpriv", f"--reuid={self._owner.pw_uid}", f"--regid={self._owner.pw_gid}", "--clear-groups"]

    def _run(self, command: list[str], text: str | None = None) -> "subprocess.CompletedProcess[str]":
        done = subprocess.run(  # noqa: S603  # our own
            [*self._as_owner(), *command],
            cwd=self.directory,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"},
            input=text,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done
