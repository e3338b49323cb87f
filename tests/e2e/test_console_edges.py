"""What the console lets nobody do: another site's forms, stolen and old sessions, deceiving text, too many streams."""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
import pytest_asyncio
from console_stage import DESK, TOKENS, Stage, form_token, served, telemetry_of_tests
from playwright.async_api import expect

from halon.contracts.audit import AuditKind
from halon.contracts.incident import IncidentRow
from halon.gateway.console.pages import CONTENT_SECURITY_POLICY
from halon.gateway.console.sessions import IDLE
from halon.gateway.console.stream import MAX_OF_ONE

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    async with served(tmp_path_factory.mktemp("console"), telemetry_of_tests()) as one:
        yield one


PATHS = ["/console/", "/console/sign-in", "/console/nothing", "/console/guards", "/console/static/console.js"]


@pytest.mark.parametrize("path", PATHS)
async def test_every_answer_forbids_code_frames_and_guessing(stage: Stage, path: str) -> None:
    async with stage.http("ana") as http:
        headers = (await http.get(path)).headers
    assert headers["content-security-policy"] == CONTENT_SECURITY_POLICY
    assert "unsafe" not in CONTENT_SECURITY_POLICY
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cache-control"] == ("no-cache" if "static" in path else "no-store")


async def test_pages_have_no_code_and_no_style_in_them(stage: Stage) -> None:
    fired = await stage.fire()
    async with stage.http("olga") as http:
        for path in ("/console/", fired.path, "/console/guards", "/console/runs", "/console/sign-in"):
            text = (await http.get(path)).text
            assert re.findall(r"<script(?![^>]*\ssrc=)|<style|\sstyle=|\son[a-z]+=|javascript:", text) == []


async def test_who_has_not_signed_in_sees_nothing(stage: Stage) -> None:
    fired = await stage.fire()
    async with stage.http() as http:
        answer = await http.get(fired.path)
        assert (answer.status_code, answer.headers["location"]) == (303, f"/console/sign-in?to={fired.path}")
        assert (await http.get(f"{fired.path}/events")).status_code == 204
        assert fired.incident not in answer.text


async def test_the_form_signs_in_and_leads_to_where_one_wanted(stage: Stage) -> None:
    fired = await stage.fire()
    context = await stage.browser.new_context()
    page = await context.new_page()
    await page.goto(f"{stage.base}{fired.path}")
    await page.get_by_label("Token").fill(TOKENS["ana"])
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("heading", name="Set the lamp to 1?")).to_be_visible()
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    await page.goto(f"{stage.base}{fired.path}")
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


@pytest.mark.parametrize(
    "to", ["https://evil.example.com/", "//evil.example.com", "/console/..//evil", "/v1/me", "\\evil"]
)
async def test_signing_in_leads_to_no_other_site(stage: Stage, to: str) -> None:
    async with stage.http() as http:
        token = form_token((await http.get("/console/sign-in", params={"to": to})).text)
        answer = await http.post("/console/sign-in", data={"form": token, "token": TOKENS["ana"], "to": to})
        assert answer.headers["location"] == "/console/"


async def test_a_wrong_token_signs_nobody_in(stage: Stage) -> None:
    async with stage.http() as http:
        token = form_token((await http.get("/console/sign-in")).text)
        answer = await http.post("/console/sign-in", data={"form": token, "token": "halon_nobody"})
        assert answer.status_code == 401
        assert "This token is nobody" in answer.text
        assert (await http.get("/console/")).status_code == 303


async def test_the_cookie_cannot_be_read_by_code_and_goes_nowhere_else(stage: Stage) -> None:
    async with stage.http() as http:
        token = form_token((await http.get("/console/sign-in")).text)
        cookie = (await http.post("/console/sign-in", data={"form": token, "token": TOKENS["ana"]})).headers[
            "set-cookie"
        ]
    assert re.search(r"; HttpOnly", cookie)
    assert re.search(r"; SameSite=lax", cookie, re.IGNORECASE)
    assert re.search(r"; Path=/(;|$)", cookie)
    assert re.search(r"; Max-Age=3600", cookie)
    assert TOKENS["ana"] not in cookie


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example.com", "Sec-Fetch-Site": "cross-site"},
        {"Origin": "null", "Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "", "Sec-Fetch-Site": ""},
    ],
)
async def test_a_form_of_another_site_is_refused(stage: Stage, headers: dict[str, str]) -> None:
    fired = await stage.fire()
    async with stage.http("ana") as http:
        token = form_token((await http.get(fired.path)).text)
        form = {"form": token, "verdict": "approve", "plan": fired.digest, "step": "dim"}
        answer = await http.post(f"{fired.path}/decide", data=form, headers=headers)
    assert answer.status_code == 403
    assert "another site sent this form" in answer.text.lower()
    assert (await stage.engine.status(fired.incident)).gates, "it still waits"


@pytest.mark.parametrize("whose", ["nobody", "of another session", "of a visitor"])
async def test_a_form_without_this_sessions_token_is_refused(stage: Stage, whose: str) -> None:
    fired = await stage.fire()
    async with stage.http("ana") as http, stage.http("ben") as other, stage.http() as visitor:
        tokens = {
            "nobody": "",
            "of another session": form_token((await other.get(fired.path)).text),
            "of a visitor": form_token((await visitor.get("/console/sign-in")).text),
        }
        form = {"form": tokens[whose], "verdict": "approve", "plan": fired.digest, "step": "dim"}
        answer = await http.post(f"{fired.path}/decide", data=form)
    assert answer.status_code == 403
    assert "This form is of another session" in answer.text
    assert (await stage.engine.status(fired.incident)).gates


async def test_a_decision_without_the_whole_plan_it_is_for_is_refused(stage: Stage) -> None:
    fired = await stage.fire()
    async with stage.http("ana") as http:
        form = {"form": form_token((await http.get(fired.path)).text), "verdict": "approve", "step": "dim"}
        for plan in ("", fired.digest[:12], "f" * 65, "<script>"):
            answer = await http.post(f"{fired.path}/decide", data={**form, "plan": plan})
            assert answer.status_code == 422, plan
        assert (await http.post(f"{fired.path}/decide", data={**form, "plan": "f" * 64})).status_code == 409
    assert (await stage.engine.status(fired.incident)).gates


async def test_forms_are_bounded(stage: Stage) -> None:
    fired = await stage.fire()
    async with stage.http("ana") as http:
        form = {"form": form_token((await http.get(fired.path)).text)}
        assert (await http.post(f"{fired.path}/decide", data={**form, "comment": "x" * 100_000})).status_code == 413
        assert (await http.post(f"{fired.path}/decide", json=form)).status_code == 415
        many = {f"field{number}": "x" for number in range(100)}
        assert (await http.post(f"{fired.path}/decide", data=form | many)).status_code == 400


async def test_a_session_that_nobody_used_is_over_and_says_so(stage: Stage) -> None:
    fired = await stage.fire()
    page = await stage.page(at=fired.path, java_script_enabled=False)
    try:
        stage.clock.ahead = IDLE + timedelta(seconds=1)
        await page.get_by_role("button", name="Approve", exact=True).click()
        await expect(page.get_by_role("alert")).to_contain_text(
            "Your session was over, and what you sent was not taken"
        )
        await page.get_by_label("Token").fill(TOKENS["ana"])
        await page.get_by_role("button", name="Sign in").click()
        await expect(page.get_by_role("heading", name="Set the lamp to 1?")).to_be_visible()
    finally:
        stage.clock.ahead = timedelta()
    assert (await stage.engine.status(fired.incident)).gates, "it still waits"


async def test_a_page_that_is_only_open_keeps_no_session_alive(stage: Stage) -> None:
    fired = await stage.fire()
    async with stage.http("ana") as http:
        try:
            stage.clock.ahead = IDLE - timedelta(minutes=1)
            refreshed = await http.get(fired.path, headers={"Halon-Refresh": "1"})
            assert (refreshed.status_code, "set-cookie" in refreshed.headers) == (200, False)
            stage.clock.ahead = IDLE + timedelta(minutes=1)
            assert (await http.get(fired.path)).status_code == 303
        finally:
            stage.clock.ahead = timedelta()


async def test_a_copied_cookie_is_worth_nothing_after_signing_out(stage: Stage) -> None:
    async with stage.http("ana") as http:
        copy = httpx.Cookies(http.cookies)
        await http.post("/console/sign-out", data={"form": form_token((await http.get("/console/")).text)})
        async with httpx.AsyncClient(base_url=stage.base, cookies=copy) as thief:
            assert (await thief.get("/console/")).status_code == 303


@pytest.mark.parametrize("host", ["evil.example.com", "halon.internal:8080"])
async def test_under_a_name_of_somebody_else_nothing_is_served(stage: Stage, host: str) -> None:
    async with stage.http("ana") as http:
        answer = await http.get("/console/", headers={"Host": host})
    assert answer.status_code == 421
    assert "gateway.public_url" in answer.text


async def test_who_may_only_read_has_no_buttons_and_is_refused_and_recorded(stage: Stage) -> None:
    fired = await stage.fire()
    async with stage.http("eve") as http:
        text = (await http.get(fired.path)).text
        assert "Set the lamp to 1?" in text
        assert "Approve</button>" not in text
        assert "Break glass" not in text
        assert "Cancel the run" not in text
        guards = (await http.get("/console/guards")).text
        assert "Pause" not in re.findall(r"<button[^>]*>([^<]*)", guards)
        form = {"form": form_token(text), "verdict": "approve", "plan": fired.digest, "step": "dim"}
        assert (await http.post(f"{fired.path}/decide", data=form)).status_code == 403
        form = {"form": form_token(text), "reason": "mischief"}
        assert (await http.post("/console/guards/pause", data=form)).status_code == 403
    chains = (fired.incident, f"access-{datetime.now(UTC):%Y-%m}")
    told = [one for chain in chains for one in await stage.engine.store.audit.records(chain)]
    denied = [one.message for one in told if one.kind is AuditKind.ACCESS_DENIED and one.actor == "eve"]
    assert [f"approve at incident {fired.incident}" in one or "pause" in one for one in denied] == [True, True]
    assert (await stage.engine.status(fired.incident)).gates
    assert (await stage.engine.ledger.state()).pauses == ()


async def test_who_sees_another_teams_incidents_alone_does_not_see_this_one(stage: Stage) -> None:
    fired = await stage.fire()
    async with stage.http("sam") as http:
        assert fired.incident not in (await http.get("/console/?state=open")).text
        assert fired.incident not in (await http.get("/console/runs")).text
        assert (await http.get(fired.path)).status_code == 403
        assert (await http.get(f"{fired.path}/events")).status_code == 403


async def test_only_who_has_the_right_may_break_the_glass_and_must_say_why(stage: Stage) -> None:
    fired = await stage.fire({"from": ["group:sre"], "quorum": 2})
    async with stage.http("ana") as http:
        text = (await http.get(fired.path)).text
        assert "Break glass" not in text
        form = {
            "form": form_token(text),
            "verdict": "approve",
            "plan": fired.digest,
            "step": "dim",
            "break_glass": "yes",
        }
        assert (await http.post(f"{fired.path}/decide", data={**form, "comment": "now"})).status_code == 403
    async with stage.http("olga") as http:
        text = (await http.get(fired.path)).text
        assert "You are not among those who are asked" in text
        form = form | {"form": form_token(text)}
        assert (await http.post(f"{fired.path}/decide", data={**form, "comment": " "})).status_code == 422
        assert (
            await http.post(f"{fired.path}/decide", data={**form, "comment": "the stage is on fire"})
        ).status_code == 303
    await fired.handle.result()
    assert AuditKind.GLASS_BROKEN in await stage.engine.told(fired.incident)


HOSTILE = {
    "lamp": "\"><script>document.title='taken'</script>",
    "service": "<img src=x onerror=alert(1)>",
    "'><svg onload=alert(1)>": "javascript:alert(1)",
    "turned": "\u202egnp.exe",
    "long": "y" * 1_000_000,
}


async def test_text_of_alerts_is_shown_literally_and_bounded(stage: Stage) -> None:
    fired = await stage.fire(labels=HOSTILE, severity="<b>critical</b>", name="<i>Bright</i>")
    page = await stage.page(at=fired.path)
    await expect(page.get_by_role("heading", level=1)).to_have_text("<i>Bright</i>")
    assert await page.locator("main script, main img, main svg, main b, main i").count() == 0
    await expect(page.get_by_text(HOSTILE["lamp"])).to_be_visible()
    assert await page.title() != "taken"
    content = await page.content()
    assert len(content) < 60_000
    assert "\u202e" not in content
    await page.goto(f"{stage.base}/console/")
    assert await page.locator("main script, main img, main svg, main b").count() == 0


async def test_five_hundred_incidents_are_listed_quickly_and_by_pages(stage: Stage) -> None:
    began = datetime(2026, 1, 2, tzinfo=UTC)
    for number in range(500):
        row = IncidentRow(
            id=f"old-{number:010x}-00000000",
            group=f"old-{number:010x}",
            playbook="old",
            playbook_digest="0" * 64,
            workflow_id=f"old-{number:010x}",
            run_id=str(number),
            state="closed",
            outcome="remediated",
            title=f"Old one {number}",
            service="stage",
            opened_at=began + timedelta(minutes=number),
            closed_at=began + timedelta(minutes=number + 5),
        )
        await stage.engine.store.incidents.upsert(row)
    page = await stage.page(at="/console/?state=closed", viewport=DESK)
    seen: set[str] = set()
    loop = asyncio.get_running_loop()
    for _ in range(10):
        before = loop.time()
        await page.reload()
        assert loop.time() - before < 3
        seen |= set(await page.locator(".card h2").all_inner_texts())
        older = page.get_by_role("link", name="Older ones")
        if not await older.count():
            break
        await older.click()
    assert {f"Old one {number}" for number in range(500)} <= seen


async def test_a_gateway_keeps_a_bounded_number_of_streams_and_news_go_on_where_they_stopped(stage: Stage) -> None:
    fired = await stage.fire()
    async with stage.http("ana") as http:
        open_ones = []
        for _ in range(MAX_OF_ONE):
            stream = http.stream("GET", f"{fired.path}/events?after=0")
            answer = await stream.__aenter__()
            assert answer.headers["content-type"].startswith("text/event-stream")
            open_ones.append((stream, answer.aiter_text()))
            assert "retry:" in await anext(open_ones[-1][1])
        refused = await http.get(f"{fired.path}/events")
        assert (refused.status_code, "retry-after" in refused.headers) == (503, True)
        for stream, _ in open_ones:
            await stream.__aexit__(None, None, None)

        async def again() -> str:
            async with http.stream("GET", f"{fired.path}/events", headers={"Last-Event-ID": "2"}) as answer:
                text = ""
                async for part in answer.aiter_text():
                    text += part
                    if "event: line" in text:
                        return text
            return ""

        async with asyncio.timeout(10):
            while "id: 3\n" not in await again():  # noqa: ASYNC110  # what changes is in another process
                await asyncio.sleep(0.1)


async def test_what_is_not_there_says_so(stage: Stage) -> None:
    async with stage.http("ana") as http:
        for path in ("/console/incidents/nothing", "/console/nothing", "/console/?state=lost", "/console/?before=x"):
            answer = await http.get(path)
            assert answer.status_code in {404, 422}, path
            assert answer.headers["content-type"].startswith("text/html")
            assert "To the incidents" in answer.text
        home = await http.get("/")
        assert (home.status_code, home.headers["location"]) == (303, "console/")
