"""The whole way: a crash loop in the demonstration cluster, three processes, and a person with a phone."""

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from console_stage import CHROMIUM, PHONE
from engine import PARTS, Engine, crash_looping, kubeconfig_with_roles
from playwright.async_api import Page, async_playwright, expect
from test_crash import broken

from halon.contracts.audit import AuditKind
from halon.demo.cluster import DemoCluster
from halon.store.store import open_store

PLAYBOOKS = Path(__file__).parent / "playbooks"


@pytest.fixture
async def cluster() -> AsyncIterator[DemoCluster]:
    async with DemoCluster() as one:
        yield one


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    async with async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = await browser.new_page(viewport=PHONE)
        page.set_default_timeout(20_000)
        yield page
        await browser.close()


async def test_a_crash_loop_is_remediated_after_a_tap(tmp_path: Path, cluster: DemoCluster, page: Page) -> None:
    engine = Engine(tmp_path, await kubeconfig_with_roles(cluster, "rbac.yaml"), PLAYBOOKS)
    try:
        await engine.start("temporal")
        await engine.prepare()
        for part in PARTS[1:]:
            await engine.start(part)
        pod = await broken(cluster, "cart")
        await engine.send(crash_looping("shop", pod, "cart"))
        token = (tmp_path / "data" / "keys" / "operator-token").read_text().strip()
        await page.goto(f"http://127.0.0.1:{engine.gateway_port}/")
        await page.get_by_label("Token").fill(token)
        await page.get_by_role("button", name="Sign in").click()
        await page.get_by_role("link", name="Roll back what crash-loops").click()
        await expect(page.get_by_role("heading", name="KubePodCrashLooping")).to_be_visible()
        await expect(page.get_by_role("heading", name="Roll back Deployment shop/cart")).to_be_visible()
        await page.screenshot(path=tmp_path / "asked.png", full_page=True)
        await page.get_by_role("button", name="Approve", exact=True).click()
        await expect(page.locator(".headline")).to_contain_text("remediated", timeout=60_000)
        await page.screenshot(path=tmp_path / "done.png", full_page=True)
        async with open_store(engine.settings) as store:
            (row,) = await store.incidents.list()
            taken = [one for one in await store.audit.records(row.id) if one.kind is AuditKind.DECISION_TAKEN]
        assert (row.outcome, [one.data["authenticated"] for one in taken]) == ("remediated", ["operator"])
        await page.goto(f"http://127.0.0.1:{engine.gateway_port}/console/incidents/{row.id}")
        await page.wait_for_selector("[data-log]")
        began = time.monotonic()
    finally:
        await engine.stop()
    assert time.monotonic() - began < 15, "an open page does not hold the gateway up when it stops"
    assert engine.stubborn == []
