"""A person decides in the console: on a phone, by keyboard, without JavaScript, and on what they have read alone."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from console_stage import Fired, Stage, served, telemetry_of_tests
from playwright.async_api import Page, expect

from halon.contracts.audit import AuditKind
from halon.contracts.outcome import Outcome

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    async with served(tmp_path_factory.mktemp("console"), telemetry_of_tests()) as one:
        yield one


async def approve(page: Page) -> None:
    await page.get_by_role("button", name="Approve", exact=True).click()


async def outcome(fired: Fired) -> Outcome | None:
    return (await fired.handle.result()).outcome


async def test_a_person_approves_in_two_taps(stage: Stage) -> None:
    fired = await stage.fire()
    page = await stage.page(has_touch=True)
    await page.locator(f"a[href$='{fired.incident}']").tap()
    await expect(page.get_by_role("heading", name="Set the lamp to 1?")).to_be_visible()
    await expect(page.get_by_role("row", name="level")).to_have_text("level91")
    await page.get_by_role("button", name="Approve", exact=True).tap()
    await expect(page.get_by_role("status")).to_contain_text("Your approval was taken")
    assert await outcome(fired) is Outcome.REMEDIATED


async def test_what_is_asked_and_both_buttons_are_on_the_first_screen_of_a_phone(stage: Stage) -> None:
    fired = await stage.fire()
    page = await stage.page(at=fired.path)
    for shown in (page.get_by_role("table"), page.get_by_role("button", name="Deny")):
        box = await shown.first.bounding_box()
        assert box is not None
        assert box["y"] + box["height"] <= 844


async def test_the_keyboard_alone_will_do(stage: Stage) -> None:
    fired = await stage.fire()
    page = await stage.page(at=fired.path)
    for _ in range(30):
        await page.keyboard.press("Tab")
        if await page.evaluate("document.activeElement.value") == "approve":
            break
    outline = await page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid", "what has the focus shows it"
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("status")).to_be_visible()
    assert await outcome(fired) is Outcome.REMEDIATED


async def test_it_works_without_javascript(stage: Stage) -> None:
    fired = await stage.fire()
    page = await stage.page(java_script_enabled=False)
    await page.locator(f"a[href$='{fired.incident}']").click()
    await expect(page.get_by_text("approval asked")).to_be_visible()
    await approve(page)
    await expect(page.get_by_role("status")).to_contain_text("Your approval was taken")
    assert await outcome(fired) is Outcome.REMEDIATED
    await page.get_by_role("link", name="Draft the post-mortem").click()
    await expect(page.get_by_text("## Who decided")).to_be_visible()


async def test_a_denial_takes_its_comment_along_and_shows_it_literally(stage: Stage) -> None:
    fired = await stage.fire()
    page = await stage.page(at=fired.path)
    comment = "<img src=x onerror=document.title='taken'> not in the interval"
    await page.get_by_label("Comment").fill(comment)
    await page.get_by_role("button", name="Deny").click()
    assert await outcome(fired) is Outcome.DENIED
    await page.goto(f"{stage.base}{fired.path}")
    await expect(page.get_by_text(comment).first).to_be_visible()
    assert await page.locator("img").count() == 0
    assert "taken" not in await page.title()


async def test_the_audit_says_who_decided_and_the_decision_was_sealed_for_the_plan_that_the_page_showed(
    stage: Stage,
) -> None:
    fired = await stage.fire()
    page = await stage.page(at=fired.path)
    await approve(page)
    await fired.handle.result()
    (taken,) = [
        one for one in await stage.engine.store.audit.records(fired.incident) if one.kind is AuditKind.DECISION_TAKEN
    ]
    assert taken.actor == "ana"
    assert fired.digest in str(taken.data) or fired.digest[:12] in str(taken.data)


async def test_a_plan_that_changed_meanwhile_is_not_approved_but_shown(stage: Stage) -> None:
    fired = await stage.fire()
    page = await stage.page(at=fired.path, java_script_enabled=False)
    await page.get_by_label("Comment").fill("as discussed")
    stage.engine.lamp.level = 7  # drift: what is approved now is planned and asked again
    await stage.engine.run(fired.incident).signal("approve", {"by": "ben"})
    await stage.asked_again(fired)
    await approve(page)
    await expect(page.get_by_role("alert")).to_contain_text("Your decision was not taken")
    await expect(page.get_by_role("row", name="level")).to_have_text("level71")
    await expect(page.get_by_label("Comment")).to_have_value("as discussed")
    assert stage.engine.lamp.level == 7
    await approve(page)
    await expect(page.get_by_role("status")).to_contain_text("Your approval was taken")
    assert await outcome(fired) is Outcome.REMEDIATED


async def test_what_somebody_else_has_decided_is_not_decided_again(stage: Stage) -> None:
    fired = await stage.fire()
    page = await stage.page(at=fired.path, java_script_enabled=False)
    await stage.engine.signal(fired.incident, "deny", {"by": "ben", "comment": "wait for the morning"})
    await approve(page)
    await expect(page.get_by_role("alert")).to_contain_text("Your decision was not taken")
    await expect(page.get_by_role("button", name="Approve", exact=True)).to_have_count(0)
    assert await outcome(fired) is Outcome.DENIED


async def test_an_open_page_tells_what_happens_and_never_exchanges_the_plan_under_a_thumb(stage: Stage) -> None:
    fired = await stage.fire()
    page = await stage.page(at=fired.path)
    await page.get_by_label("Comment").fill("half a sente")
    await page.evaluate("window.stays = true")
    await stage.engine.run(fired.incident).signal("approve", {"by": "ben"})
    await expect(page.locator("[data-log]")).to_contain_text("approved")
    await expect(page.get_by_role("alert")).to_contain_text("What is asked here has changed")
    await expect(page.locator("[data-log] > li").first).to_contain_text("incident closed")
    await expect(page.locator(".headline")).to_contain_text("remediated")
    await expect(page.get_by_label("Comment")).to_have_value("half a sente")
    assert await page.evaluate("window.stays"), "without loading the page again"


async def test_a_question_that_comes_while_the_page_is_open_appears_on_it(stage: Stage) -> None:
    fired = await stage.fire({"quorum": 2})
    page = await stage.page(at=fired.path)
    await expect(page.locator("[data-live='tally-1']")).to_contain_text("0 of 2 approvals")
    await stage.engine.run(fired.incident).signal("approve", {"by": "ben"})
    await expect(page.locator("[data-live='tally-1']")).to_contain_text("1 of 2 approvals (ben)")
    await approve(page)
    assert await outcome(fired) is Outcome.REMEDIATED


async def test_the_list_follows_what_happens(stage: Stage) -> None:
    page = await stage.page(at="/console/?state=waiting")
    fired = await stage.fire()
    link = page.locator(f"a[href$='{fired.incident}']")
    await expect(link).to_be_visible()
    await stage.engine.signal(fired.incident, "deny", {"by": "ben"})
    await expect(link).to_have_count(0)


async def test_a_run_is_cancelled_with_a_reason(stage: Stage) -> None:
    fired = await stage.fire()
    page = await stage.page("olga", at=fired.path)
    await page.get_by_text("Cancel the run").first.click()
    await page.get_by_label("Reason").last.fill("done by hand")
    await page.get_by_role("button", name="Cancel the run").click()
    await expect(page.get_by_role("status")).to_contain_text("asked to stop")
    assert await outcome(fired) is Outcome.CANCELLED


async def test_changes_are_paused_and_resumed_with_a_reason(stage: Stage) -> None:
    page = await stage.page(at="/console/guards")
    await page.get_by_text("Pause: the kill switch").click()
    await page.get_by_label("Reason").fill("the API is being moved")
    await page.get_by_label("Only targets that begin so").fill("k8s/eu-1/")
    await page.get_by_role("button", name="Pause").click()
    await expect(page.get_by_role("status")).to_contain_text("targets under k8s/eu-1/ is paused by ana")
    (pause,) = (await stage.engine.ledger.state()).pauses
    assert (pause.by, pause.reason, pause.target) == ("ana", "the API is being moved", "k8s/eu-1/")
    await page.get_by_role("button", name="Resume").click()
    await expect(page.get_by_text("Nothing is paused.")).to_be_visible()
    assert (await stage.engine.ledger.state()).pauses == ()


async def test_a_breaker_is_tripped_and_reset_with_a_reason(stage: Stage) -> None:
    page = await stage.page("olga", at="/console/guards")
    await page.get_by_text("Trip a breaker").click()
    await page.get_by_role("textbox", name="Breaker").fill("dim")
    await page.get_by_label("Reason").last.fill("it dims the wrong lamp")
    await page.get_by_role("button", name="Trip", exact=True).click()
    await expect(page.get_by_text("it dims the wrong lamp")).to_be_visible()
    await page.get_by_text("Reset it").click()
    await page.get_by_label("Reason").nth(-2).fill("mended")
    await page.get_by_role("button", name="Reset dim").click()
    await expect(page.get_by_role("status")).to_contain_text("dim")
    assert (await stage.engine.ledger.state()).breakers.get("dim") is None or (
        await stage.engine.ledger.state()
    ).breakers["dim"].state == "closed"
