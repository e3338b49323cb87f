"""The script that compose runs makes Halon's database, which Halon can then use, and may run again."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "store"))

from postgres_server import PostgresServer

from halon.errors import Misconfigured
from halon.settings.loading import parse_settings
from halon.store.store import open_store

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with PostgresServer(owner="temporal") as server:
        server.stop()
        server.write("hba", "local all temporal trust\nhost all all 127.0.0.1/32 scram-sha-256\n")
        server.configure(hba_file=str(server.directory / "hba"))
        server.start()
        yield server


async def test_the_script_makes_a_database_that_only_the_files_password_opens(
    server: PostgresServer, tmp_path: Path
) -> None:
    file = tmp_path / "store_password"
    url = f"postgresql+asyncpg://halon@127.0.0.1:{server.port}/halon"
    settings = parse_settings(f"store: {{url: '{url}', password: {{file: {file}}}}}", tmp_path / "halon.yaml")
    where = {"PGHOST": str(server.directory), "PGPORT": str(server.port), "PGUSER": "temporal"}
    for password in ("it's a \\secret", "the next one"):
        file.write_text(password + "\n")
        with pytest.raises(Misconfigured, match="password authentication failed"):
            async with open_store(settings):
                pass
        for _ in range(2):
            done = await asyncio.create_subprocess_exec(
                "/bin/sh",
                ROOT / "deploy" / "halon-database.sh",
                env=os.environ | where | {"HALON_PASSWORD_FILE": str(file)},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
            output, _ = await done.communicate()
            assert (done.returncode, output) == (0, b"")
        async with open_store(settings) as store:
            await store.check()
