"""An address at which there is no Temporal: one sentence on why, in the time that was given."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta

import pytest

from halon.clients.temporal import TemporalConfig, connect, why_unreachable
from halon.demo.cluster import DemoCluster
from halon.errors import TransientError

PATIENCE = timedelta(seconds=1)


async def why_not(address: str, *, tls: bool = False) -> str:
    """Give the sentence after the address."""
    async with asyncio.timeout(PATIENCE.total_seconds() * 5):
        with pytest.raises(TransientError) as caught:
            await connect(TemporalConfig(address, "default", tls=tls), patience=PATIENCE)
    return str(caught.value).removeprefix(f"Temporal at {address} does not answer: ")


@pytest.fixture
def silent() -> Iterator[str]:
    """Something that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield "{}:{}".format(*server.getsockname())


@pytest.fixture
async def secure() -> AsyncIterator[str]:
    """Something that speaks TLS with a certificate of its own making."""
    async with DemoCluster() as cluster:
        yield cluster.url.removeprefix("https://")


async def test_where_nobody_listens() -> None:
    assert await why_not("127.0.0.1:9") == "the connection is refused, so nothing listens there"


async def test_a_host_that_nobody_knows() -> None:
    assert await why_not("temporal.invalid:7233") == "the name of the host is not known"


async def test_who_says_nothing_is_not_waited_for_any_longer(silent: str) -> None:
    for tls in (False, True):
        assert await why_not(silent, tls=tls) == "the connection is taken, but no answer comes"


async def test_a_certificate_that_nobody_vouches_for(secure: str) -> None:
    assert await why_not(secure, tls=True) == "its certificate is not one that is trusted here (`temporal.tls`)"


async def test_tls_at_one_side_only(secure: str) -> None:
    assert "only one side speaks TLS (`temporal.tls`)" in await why_not(secure)


@pytest.mark.parametrize("kind", ["ConnectionReset", "BrokenPipe"])
def test_a_peer_that_hangs_up_is_told_alike_however_soon_it_does(kind: str) -> None:
    """When it does depends on the machine, and so do the words of the SDK."""
    words = f'call error after connection: Status {{ message: "transport error", source: Io, Kind({kind}) }}'
    assert "only one side speaks TLS (`temporal.tls`)" in why_unreachable(RuntimeError(words))
