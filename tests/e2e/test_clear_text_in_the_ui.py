"""Temporal's own web UI shows payloads in clear to those who may see them, and to nobody else."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fastapi import FastAPI, Request
from playwright.async_api import Page, async_playwright, expect

from halon.clients.codec import Keyring, new_key, read_key
from halon.clients.embedded import EmbeddedTemporal, free_port
from halon.clients.oncall import directory_of
from halon.clients.temporal import TemporalConfig, connect
from halon.contracts.people import Method, Principal
from halon.gateway.codec import CODEC_PATH, Readers, add_codec, ui_origins
from halon.gateway.identity import Identity
from halon.gateway.serve import server
from halon.operations.denials import Guard
from halon.operations.rights import Rights
from halon.settings.loading import parse_settings
from halon.store.store import open_store

CHROMIUM = "/usr/bin/chromium"
PATIENCE = 20_000
"""Milliseconds."""
WORKFLOW = "one-1"
CLEAR = "planted-clear-for-some"
SEALED = re.compile(r"^\s*\"[A-Za-z0-9+/=\s]{60,}\"\s*$")
SETTINGS = """
data_dir: data
temporal: {{ui_url: "{ui}"}}
gateway: {{port: {port}}}
people: {{ana: {{}}, ben: {{}}}}
roles: {{reader: {{may: [decrypt], to: [ana]}}}}
"""


def now() -> datetime:
    return datetime.now(UTC)


def signed_in(request: Request) -> Principal | None:
    """Stand in for the console's sessions, which have tests of their own."""
    person = request.cookies.get("session")
    return Principal(person=person, method=Method.OIDC) if person else None


@asynccontextmanager
async def codec_server(directory: Path, ui: str, port: int, config: TemporalConfig) -> AsyncIterator[None]:
    settings = parse_settings(SETTINGS.format(ui=ui, port=port), directory / "halon.yaml")
    async with open_store(settings) as store:
        guard = Guard(Rights(lambda: directory_of(settings), settings.environment, now), store, now)
        app = FastAPI()
        assert config.codec is not None
        readers = Readers(settings, Identity(settings, None), guard, signed_in)
        add_codec(app, config.codec, ui_origins(settings.temporal), readers)
        uvicorn = server(app, settings.gateway)
        serving = asyncio.create_task(uvicorn.serve())
        while not uvicorn.started:  # noqa: ASYNC110  # it tells nobody
            await asyncio.sleep(0.01)
        yield
        uvicorn.should_exit = True
        await serving


@pytest.fixture
async def ui(tmp_path: Path) -> AsyncIterator[tuple[str, str]]:
    """A workflow with an encrypted input and summary; gives the address of its page, and that of the codec server."""
    port = free_port()
    keyring = Keyring("k1", {"k1": read_key(new_key(), "k1")})
    endpoint = f"http://127.0.0.1:{port}{CODEC_PATH}"
    async with EmbeddedTemporal(None, codec=endpoint) as temporal:
        config = TemporalConfig(temporal.address, temporal.namespace, keyring=keyring)
        client = await connect(config, patience=timedelta(seconds=10))
        await client.start_workflow(
            "Nobody", {"text": CLEAR}, id=WORKFLOW, task_queue="none", static_summary="a private summary"
        )
        async with codec_server(tmp_path, temporal.ui_url, port, config):
            yield f"{temporal.ui_url}/namespaces/{temporal.namespace}/workflows/{WORKFLOW}", endpoint


@asynccontextmanager
async def opened(ui: tuple[str, str], person: str) -> AsyncIterator[Page]:
    """The page, in the browser of somebody who has signed in to the console and has the UI send cookies along."""
    address, endpoint = ui
    chosen = {"endpoint": endpoint, "includeCredentials": True, "overrideRemoteCodecConfiguration": True}
    async with async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        context = await browser.new_context(viewport={"width": 1400, "height": 1100})
        context.set_default_timeout(PATIENCE)
        if person:
            await context.add_cookies([{"name": "session", "value": person, "domain": "127.0.0.1", "path": "/"}])
        page = await context.new_page()
        # What the UI's own dialog on codec servers remembers.
        await page.add_init_script(
            f"for (const [name, value] of Object.entries({json.dumps(chosen)}))"
            "  localStorage.setItem(name, JSON.stringify(value));"
        )
        await page.goto(address)
        yield page
        await browser.close()


async def test_who_may_decrypt_reads_the_input_and_the_summary_in_clear(ui: tuple[str, str]) -> None:
    async with opened(ui, "ana") as page:
        await expect(page.get_by_text(CLEAR).first).to_be_visible(timeout=PATIENCE)
        await page.get_by_role("tab", name="User Metadata").click()
        summary = page.frame_locator("iframe >> nth=0")
        await expect(summary.get_by_text("a private summary")).to_be_visible(timeout=PATIENCE)


@pytest.mark.parametrize("person", ["ben", ""])
async def test_anybody_else_sees_what_was_encrypted(ui: tuple[str, str], person: str) -> None:
    async with opened(ui, person) as page:
        told = page.get_by_text("Codec Server could not connect").filter(visible=True)
        await expect(told.first).to_be_visible(timeout=PATIENCE)
        await expect(page.get_by_role("textbox", name="Input")).to_contain_text(SEALED, timeout=PATIENCE)
        assert CLEAR not in await page.content()
