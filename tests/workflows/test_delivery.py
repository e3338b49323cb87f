"""Messages go to real servers over HTTP and SMTP: what one address has taken it is not told again."""

import asyncio
import email
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email.message import Message
from email.policy import default
from pathlib import Path

import pytest
from channels import serving
from lamp import DIM, QUEUE, alert, book, real_server, running, until

from halon.clients.telling import communication_of
from halon.contracts.coordination import CoordinationInput
from halon.settings.loading import parse_settings

# Apprise's PGP support imports it, on the Python versions that still have it.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


@asynccontextmanager
async def mail_server(taken: list[Message]) -> AsyncIterator[int]:
    """A server that takes mail: as much of SMTP as a sender needs."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        def say(line: str) -> None:
            writer.write(f"{line}\r\n".encode())

        say("220 here")
        while line := (await reader.readline()).decode().strip():
            word = line.split(" ")[0].split(":")[0].upper()
            if word == "DATA":
                say("354 go on")
                raw = (await reader.readuntil(b"\r\n.\r\n")).removesuffix(b"\r\n.\r\n")
                taken.append(email.message_from_bytes(raw, policy=default))
            say("221 bye" if word == "QUIT" else "250 ok")
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def test_an_address_that_took_it_is_not_told_again_because_another_one_was_down(tmp_path: Path) -> None:
    taken: list[Message] = []
    async with serving() as inbox, mail_server(taken) as port:
        for name in ("one", "two"):
            (tmp_path / name).write_text(f"json://{inbox.address}/{name}")
        (tmp_path / "mail").write_text(
            f"mailto://127.0.0.1:{port}?from=halon@example.com&to=ops@example.com&mode=insecure"
        )
        text = """
notify: {channels: {stage: [{file: one}, {file: two}], tickets: [{file: mail}]}}
communication: {threads: [stage], tickets: [tickets], gather: 1s, patience: 30s}
"""
        settings = parse_settings(text, tmp_path / "halon.yaml")
        inbox.down.add("two")
        communication = communication_of(settings)
        assert communication is not None
        async with running(tmp_path, await real_server(), settings) as engine:
            told = CoordinationInput(
                incident="dim-1",
                communication=communication,
                metadata=book([DIM]).metadata,
                alerts=(alert(),),
                opened_at=datetime.now(UTC),
            )
            await engine.client.start_workflow("Coordination", told, id="dim-1-coordination", task_queue=QUEUE)
            await until(lambda: asyncio.sleep(0, inbox.refused.count("two") >= 2))
            inbox.down.clear()
            await until(lambda: asyncio.sleep(0, bool(inbox.of("two"))), within=30)
            await until(lambda: asyncio.sleep(0, bool(taken)))
    assert (len(inbox.of("one")), len(inbox.of("two"))) == (1, 1)
    assert inbox.of("one")[0]["message"] == inbox.of("two")[0]["message"]
    (mail,) = taken
    assert mail["subject"] == "Dim the lamp"
    assert mail["to"] == "ops@example.com"
    assert "No objective is threatened" in str(mail)
