"""A person approves in Temporal's own web UI, with nothing but what its pages say."""

import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from lamp import APPROVED, LOOK, Engine, alert, book, real_server, running
from playwright.async_api import Page, async_playwright, expect

from halon.contracts.outcome import Outcome

FIRST = "dim-0000000000-" + alert().episode[:8]
CHROMIUM = "/usr/bin/chromium"


@pytest.fixture
def ui_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
async def engine(tmp_path: Path, ui_port: int) -> AsyncIterator[Engine]:
    async with running(tmp_path, await real_server(ui_port=ui_port)) as one:
        yield one


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    async with async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = await browser.new_page(viewport={"width": 1400, "height": 1600})
        page.set_default_timeout(20_000)
        yield page
        await browser.close()


async def send(page: Page, kind: str, name: str, data: str) -> None:
    """Fill in the dialog as a person does, and submit it."""
    await page.get_by_role("button", name="More Actions").click()
    await page.get_by_role("menuitem", name=f"Send {kind}").click()
    dialog = page.locator("dialog[open]")
    await dialog.get_by_role("button", name="Select").click()
    await dialog.get_by_role("option", name=name).click()
    editor = dialog.locator(".cm-content")
    await editor.click()
    await page.keyboard.type(data)
    # The editor indents what was typed when it loses the focus, and the button moves with it.
    await editor.blur()
    await dialog.get_by_role("button", name="Submit").click()


async def test_the_page_tells_the_plan_and_takes_the_approval(engine: Engine, page: Page, ui_port: int) -> None:
    handle = await engine.fire(book([APPROVED, LOOK]), alert())
    gate = (await engine.waiting(FIRST)).gates[0]
    await page.goto(f"http://127.0.0.1:{ui_port}/namespaces/default/workflows/{FIRST}-run")
    await page.get_by_role("tab", name="User Metadata").click()
    details = page.frame_locator("iframe >> nth=2")
    await expect(details.get_by_role("heading", name="Waiting for a decision: dim")).to_be_visible()
    await expect(details.get_by_role("cell", name="level")).to_be_visible()
    await expect(details.get_by_text(gate.digest[:12]).first).to_be_visible()
    await send(page, "an Update", "decide", '{"verdict": "approve", "by": "ana@example.com"}')
    assert (await handle.result()).outcome is Outcome.REMEDIATED
    assert engine.lamp.writes == [1]


async def test_a_denial_by_signal_ends_the_run(engine: Engine, page: Page, ui_port: int) -> None:
    handle = await engine.fire(book([APPROVED, LOOK]), alert())
    await engine.waiting(FIRST)
    await page.goto(f"http://127.0.0.1:{ui_port}/namespaces/default/workflows/{FIRST}-run")
    await send(page, "a Signal", "deny", '{"by": "ana@example.com", "comment": "not now"}')
    result = await handle.result()
    assert (result.outcome, "not now" in result.reason) == (Outcome.DENIED, True)
    assert engine.lamp.writes == []
