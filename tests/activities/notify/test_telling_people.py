import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from pydantic import SecretStr

from activities.notify.page import Page
from activities.notify.send import Send
from halon.clients.environment import open_env
from halon.clients.notify import Notifier
from halon.errors import Misconfigured, TransientError
from halon.settings import SecretRef
from halon.settings.model import NotifySettings, Settings

# Apprise's PGP support imports it, on the Python versions that still have it.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

KEY = "k3y-that-nobody-sees"


class Inbox:
    """A service that takes Apprise's JSON."""

    def __init__(self, status: int = 200) -> None:
        self.status = status
        self.received: list[dict[str, Any]] = []
        self.paths: list[str] = []

    async def handle(self, request: web.Request) -> web.Response:
        self.received.append(json.loads(await request.read()))
        self.paths.append(request.path)
        return web.Response(status=self.status)


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
async def address(serve: Any, inbox: Inbox) -> str:
    return f"{(await serve(inbox.handle)).replace('http', 'json')}/hooks/{KEY}"


def channel(*addresses: str, name: str = "team-shop") -> Notifier:
    def reading(text: str) -> Callable[[], SecretStr]:
        return lambda: SecretStr(text)

    return Notifier({name: [reading(one) for one in addresses]})


async def test_a_message_reaches_every_address_of_its_channel(run: Any, inbox: Inbox, address: str) -> None:
    notifier = channel(address, f"{address}/2")
    answer = await run(Send, notifier, to="team-shop", title="Cart was\nrolled back", body="to 41", severity="warning")
    assert answer == {"addresses": 2}
    assert sorted(inbox.paths) == [f"/hooks/{KEY}", f"/hooks/{KEY}/2"]
    assert inbox.received[0]["title"] == "Cart was rolled back"
    assert inbox.received[0]["message"] == "to 41"
    assert inbox.received[0]["type"] == "warning"


async def test_a_page_is_critical_and_its_summary_alone_is_enough(run: Any, inbox: Inbox, address: str) -> None:
    await run(Page, channel(address), to="team-shop", summary="Rollback of cart failed")
    assert inbox.received[0]["type"] == "failure"
    assert inbox.received[0]["title"] == "Rollback of cart failed"


async def test_a_long_message_is_cut_and_what_looks_like_a_secret_is_masked(
    run: Any, inbox: Inbox, address: str
) -> None:
    await run(Page, channel(address), to="team-shop", summary="x" * 60_000, details=f"password=hunter22 {'y' * 60_000}")
    assert len(inbox.received[0]["title"]) < 300
    assert len(inbox.received[0]["message"]) < 8100
    assert "hunter22" not in inbox.received[0]["message"]


async def test_a_channel_that_is_not_configured_says_how_to_configure_it(run: Any, address: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        await run(Page, channel(address), to="team-light", summary="dark")
    assert "team-light" in str(caught.value)
    assert "it names: team-shop" in str(caught.value)
    assert "notify: {channels: {team-light:" in str(caught.value)


async def test_what_was_not_delivered_may_be_tried_again_and_the_address_stays_secret(
    run: Any, inbox: Inbox, address: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    inbox.status = 500
    with pytest.raises(TransientError, match=r"1 of the 1 addresses of channel 'team-shop'.*JSON") as caught:
        await run(Page, channel(address), to="team-shop", summary="dark")
    assert KEY not in str(caught.value) + caplog.text
    inbox.status = 200
    await run(Page, channel(address), to="team-shop", summary="dark")
    assert KEY not in caplog.text


async def test_an_address_that_is_none_is_named_by_its_place(run: Any, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(Misconfigured, match=r"notify\.channels\.team-shop\[0\]") as caught:
        await run(Send, channel(f"nonsense {KEY}"), to="team-shop", title="hello")
    assert KEY not in str(caught.value) + caplog.text


async def test_settings_name_the_address_and_it_is_read_where_it_is_used(
    run: Any, inbox: Inbox, address: str, tmp_path: Path
) -> None:
    file = tmp_path / "team-shop"
    settings = Settings(notify=NotifySettings(channels={"team-shop": (SecretRef(file=file),)}))
    async with open_env(settings) as env:
        notifier = env.get(Notifier)
        with pytest.raises(Misconfigured, match=r"notify\.channels\.team-shop\[0\]"):
            await run(Send, notifier, to="team-shop", title="hello")
        file.write_text(f"{address}\n")
        await run(Send, notifier, to="team-shop", title="hello")
    assert [one["title"] for one in inbox.received] == ["hello"]
