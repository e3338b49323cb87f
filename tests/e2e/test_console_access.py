"""Everybody can use the console: axe finds nothing, nothing is scrolled sideways, what is pressed is large enough."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from console_stage import DESK, PHONE, Stage, served, telemetry_of_tests
from playwright.async_api import Page, ViewportSize

from halon.contracts.ledger import Pause

pytestmark = pytest.mark.asyncio(loop_scope="module")
_OPEN = "document.querySelectorAll('details').forEach(one => one.open = true)"
_SMALL = """() => [...document.querySelectorAll('button, .button, nav a, summary, input:not([type=hidden]), textarea')]
    .map(one => [one.innerText || one.id, one.getBoundingClientRect()])
    .filter(([, box]) => box.width && box.height < 44)
    .map(([name, box]) => `${name}: ${box.height}`)"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    async with served(tmp_path_factory.mktemp("console"), telemetry_of_tests()) as one:
        yield one


async def look(page: Page, width: int) -> list[str]:
    """What is wrong with a page, all of it unfolded."""
    await page.evaluate(_OPEN)
    found = (await Axe().run(page)).response["violations"]
    problems = [f"{one['id']}: {node['html']}" for one in found for node in one["nodes"]]
    if await page.evaluate("document.documentElement.scrollWidth") > width:
        problems.append("wider than the screen")
    return problems + await page.evaluate(_SMALL)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("screen", [PHONE, DESK], ids=["phone", "desk"])
async def test_every_page_can_be_used_by_everybody(stage: Stage, screen: ViewportSize, scheme: str) -> None:
    waiting = await stage.fire({"from": ["group:sre"], "quorum": 2, "message": "Only while nobody sits there."})
    denied = await stage.fire(labels={"a" * 60: "b" * 400, "service": "s" * 300})
    await stage.engine.signal(denied.incident, "deny", {"by": "ana", "comment": "not " + "n" * 500})
    await denied.handle.result()
    pause = Pause(by="ana", reason="the API is being moved " * 20, target="k8s/" + "e" * 200)
    await stage.engine.ledger.pause(pause)
    # Its own code would not run under the pages' policy; the pages are the same.
    page = await stage.page("olga", viewport=screen, color_scheme=scheme, bypass_csp=True)
    places = ["/console/", "/console/?state=closed", "/console/runs", "/console/guards", waiting.path, denied.path]
    found: dict[str, list[str]] = {}
    for place in [*places, "/console/incidents/nothing", "/console/sign-in?over=1"]:
        await page.goto(f"{stage.base}{place}")
        problems = await look(page, screen["width"])
        if problems:
            found[place] = problems
    assert found == {}
