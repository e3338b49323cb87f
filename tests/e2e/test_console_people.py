"""People look after an incident on its page: they acknowledge, take parts and hand them over, and see what is due."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from channels import Inbox, serving
from console_stage import SETTINGS, Stage, form_token, served, telemetry_of_tests
from playwright.async_api import expect

# Apprise's PGP support imports it, on the Python versions that still have it.
pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning"),
]
TELLING = """
notify: {channels: {stage: [{file: channel}]}}
communication:
  threads: [stage]
  tickets: [stage]
  gather: 1s
  page:
    - severities: [critical]
      to: ["group:sre"]
      acknowledge: {within: 5m, then: [{to: [olga], within: 10m}]}
  deadlines:
    - {name: authority, title: Tell the authority, within: 72h, severities: [critical], to: [olga]}
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    directory = tmp_path_factory.mktemp("console")
    async with serving() as inbox:
        (directory / "channel").write_text(address(inbox))
        async with served(directory, telemetry_of_tests(), SETTINGS + TELLING) as one:
            yield one


def address(inbox: Inbox) -> str:
    return f"json://{inbox.address}/stage"


async def test_somebody_looks_after_it_and_hands_the_command_over(stage: Stage) -> None:
    fired = await stage.fire(severity="critical")
    page = await stage.page(at=fired.path, java_script_enabled=False)
    people = page.get_by_role("region", name="Who looks after it")
    await expect(people).to_contain_text("Nobody has acknowledged it. Others are called at")
    await people.get_by_role("button", name="I look after it").click()
    await expect(page.get_by_role("status")).to_contain_text("Acknowledged by ana")
    await expect(people).to_contain_text("ana looks after it since")
    await expect(people).to_contain_text("Incident commander: ana")
    await people.get_by_text("Hand it over: Incident commander").click()
    await people.get_by_label("To whom").fill("ben@example.com")
    await people.get_by_role("button", name="Hand over").click()
    await expect(people).to_contain_text("Incident commander: ben")
    await people.get_by_role("button", name="Take it").first.click()
    await expect(people).to_contain_text("Incident commander: ana")
    await people.get_by_role("button", name="Nobody has it").click()
    await expect(people).to_contain_text("Incident commander: nobody")


async def test_a_duty_is_done_with_a_comment(stage: Stage) -> None:
    fired = await stage.fire(severity="critical")
    page = await stage.page(at=fired.path)
    people = page.get_by_role("region", name="Who looks after it")
    await expect(people).to_contain_text("Tell the authority")
    await people.get_by_text("It is done: Tell the authority").click()
    await people.get_by_label("Comment").fill("file <4711>")
    await people.get_by_role("button", name="It is done").click()
    await expect(people).to_contain_text("Done by ana")
    await expect(people).to_contain_text("file <4711>")


async def test_what_two_people_press_at_once_counts_for_the_first(stage: Stage) -> None:
    fired = await stage.fire(severity="critical")
    async with stage.http("ana") as first, stage.http("ben") as second:
        forms = [{"form": form_token((await one.get(fired.path)).text)} for one in (first, second)]
        assert (await first.post(f"{fired.path}/acknowledge", data=forms[0])).status_code == 303
        answer = await second.post(f"{fired.path}/acknowledge", data=forms[1])
    assert (answer.status_code, "ana acknowledged it" in answer.text) == (409, True)


async def test_who_may_only_look_takes_no_part(stage: Stage) -> None:
    fired = await stage.fire(severity="critical")
    async with stage.http("eve") as http:
        text = (await http.get(fired.path)).text
        assert "Who looks after it" in text
        assert "I look after it" not in text
        for word in ("acknowledge", "role", "done", "publish"):
            answer = await http.post(f"{fired.path}/{word}", data={"form": form_token(text), "role": "commander"})
            assert answer.status_code in {403, 422}, word


async def test_an_open_page_shows_who_took_it(stage: Stage) -> None:
    fired = await stage.fire(severity="critical")
    page = await stage.page(at=fired.path)
    async with stage.http("ben") as http:
        form = {"form": form_token((await http.get(fired.path)).text)}
        assert (await http.post(f"{fired.path}/acknowledge", data=form)).status_code == 303
    await expect(page.get_by_text("ben looks after it")).to_be_visible()


async def test_everybody_can_use_it(stage: Stage) -> None:
    fired = await stage.fire(severity="critical")
    page = await stage.page(at=fired.path, bypass_csp=True)
    await page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert (await Axe().run(page)).response["violations"] == []
