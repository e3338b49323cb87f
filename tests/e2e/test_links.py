"""A person decides by a link that was sent to them: once, on the plan that it was sent with, and never by looking."""

import base64
import json
import logging
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import jwt
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from decision_stage import Stage, served
from lamp import until
from opentelemetry.instrumentation.utils import suppress_http_instrumentation
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from playwright.async_api import async_playwright, expect
from temporalio.client import WorkflowUpdateFailedError
from temporalio.contrib.opentelemetry import create_tracer_provider

from halon.clients.links import TYPE
from halon.clients.seals import Sealer, sealer
from halon.contracts.audit import AuditKind
from halon.contracts.outcome import Outcome
from halon.settings.loading import parse_settings
from halon.telemetry import Telemetry, setup

pytestmark = pytest.mark.asyncio(loop_scope="module")
SPANS = InMemorySpanExporter()


@pytest.fixture(scope="module")
def telemetry() -> Telemetry:
    """As the gateway has it, with spans that are kept."""
    made = setup("gateway", parse_settings("telemetry: {log_level: info}", Path("halon.yaml")))
    tracing = create_tracer_provider()
    tracing.add_span_processor(SimpleSpanProcessor(SPANS))
    return Telemetry(tracing, made.meter_provider, made._registry)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory, telemetry: Telemetry) -> AsyncIterator[Stage]:
    async with served(tmp_path_factory.mktemp("links"), telemetry) as one:
        yield one


async def test_looking_shows_the_question_and_decides_nothing_and_deciding_counts_once(stage: Stage) -> None:
    fired = await stage.fire()
    link = stage.link(fired)
    for _ in range(3):
        page = await stage.http.get(link)
        assert page.status_code == 200
        assert (await stage.http.head(link)).status_code == 200
    for shown in (
        "Ana Lopez, you are asked",
        "Set the lamp to 1?",
        "Dim the lamp, stage",
        ">9<",
        ">1<",
        "Approve",
        "Deny",
    ):
        assert shown in page.text
    assert stage.engine.lamp.writes == []
    done = await stage.http.post(link, data={"verdict": "approve", "comment": "go on"})
    assert (done.status_code, "<h1>Approved</h1>" in done.text) == (200, True), done.text
    assert (await fired.handle.result()).outcome is Outcome.REMEDIATED
    taken = next(one for one in await stage.records(fired.incident) if one.kind is AuditKind.DECISION_TAKEN)
    assert (taken.actor, taken.data["authenticated"], taken.data["comment"]) == ("ana", "link", "go on")
    again = await stage.http.post(link, data={"verdict": "deny"})
    assert (again.status_code, "Nothing waits any more" in again.text) == (410, True)
    assert (await stage.http.get(link)).status_code == 410


async def test_denying_changes_nothing(stage: Stage) -> None:
    fired = await stage.fire()
    done = await stage.http.post(stage.link(fired, "ben"), data={"verdict": "deny", "comment": ""})
    assert "<h1>Denied</h1>" in done.text
    assert (await fired.handle.result()).outcome is Outcome.DENIED
    assert stage.engine.lamp.writes == []


async def test_one_of_two_who_must_approve_counts_once_however_often_they_press(stage: Stage) -> None:
    fired = await stage.fire({"quorum": 2})
    link = stage.link(fired)
    assert (await stage.http.post(link, data={"verdict": "approve"})).status_code == 200
    again = await stage.http.post(link, data={"verdict": "approve"})
    assert (again.status_code, "You have approved this already" in again.text) == (409, True)
    assert "1 of 2 approvals" in (await stage.http.get(link)).text
    assert (await stage.http.post(stage.link(fired, "ben"), data={"verdict": "approve"})).status_code == 200
    assert (await fired.handle.result()).outcome is Outcome.REMEDIATED


async def test_the_run_itself_refuses_a_link_that_two_gateways_hand_in(stage: Stage) -> None:
    """What a gateway makes of a link is a seal with the link's id, which counts once in the run."""
    fired = await stage.fire({"quorum": 2})
    assert (await stage.http.post(stage.link(fired), data={"verdict": "approve"})).status_code == 200
    history = await stage.engine.run(fired.incident).fetch_history()
    updates = [one.workflow_execution_update_accepted_event_attributes for one in history.events]
    sent = next(one.accepted_request.input.args.payloads[0].data for one in updates if one.accepted_request.input.name)
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await stage.engine.run(fired.incident).execute_update("decide", json.loads(sent))
    assert "its seal was used before" in str(refused.value.cause)


@pytest.mark.parametrize("changed", [{"plan": "0" * 64}, {"step": "elsewhere"}, {"run": "dim-0000000000-00000000-run"}])
async def test_a_link_for_something_else_decides_nothing(stage: Stage, changed: dict[str, str]) -> None:
    fired = await stage.fire()
    link = stage.link(fired, **changed)
    for answer in (await stage.http.get(link), await stage.http.post(link, data={"verdict": "approve"})):
        assert answer.status_code in {409, 410}
        assert "Approve" not in answer.text
    assert (await stage.engine.waiting(fired.incident)).gates[0].approved_by == ()


async def test_an_expired_link_decides_nothing(stage: Stage) -> None:
    fired = await stage.fire()
    link = stage.link(fired)
    stage.clock.ahead = timedelta(minutes=10)
    try:
        answer = await stage.http.post(link, data={"verdict": "approve"})
    finally:
        stage.clock.ahead = timedelta()
    assert (answer.status_code, "This link has expired" in answer.text) == (410, True)
    assert (await stage.engine.waiting(fired.incident)).gates[0].approved_by == ()


async def test_who_is_not_asked_or_not_there_any_more_decides_nothing(stage: Stage) -> None:
    fired = await stage.fire()
    eve = await stage.http.post(stage.link(fired, "eve"), data={"verdict": "approve"})
    assert (eve.status_code, "eve is not among those who are asked" in eve.text) == (409, True)
    gone = await stage.http.get(stage.link(fired, "dan"))
    assert (gone.status_code, "dan is not under" in gone.text) == (403, True)

    async def audited() -> bool:
        kinds = {one.kind for one in await stage.records(fired.incident)}
        return {AuditKind.ACCESS_DENIED, AuditKind.DECISION_REFUSED} <= kinds

    await until(audited)


def encoded(claims: dict[str, object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")


async def test_a_forged_link_is_none(stage: Stage) -> None:
    fired = await stage.fire()
    link = stage.link(fired)
    head, body, signature = link.removeprefix("/d/").split(".")
    claims = json.loads(base64.urlsafe_b64decode(f"{body}=="))
    stranger = Sealer(Ed25519PrivateKey.generate())
    own = sealer(stage.settings)
    forged = [
        f"{head}.{encoded(claims | {'sub': 'ben'})}.{signature}",
        link.removeprefix("/d/")[:-4],
        stranger.sign(claims, TYPE),
        own.sign(claims, "halon-decision+jwt"),
        own.sign(claims | {"more": 1}, TYPE),
        jwt.encode(claims, "", algorithm="none", headers={"kid": "x", "typ": TYPE}),
        jwt.encode(claims, "k" * 32, algorithm="HS256", headers={"typ": TYPE}),
        "x" * 5000,
        "%00",
    ]
    for token in forged:
        answer = await stage.http.post(f"/d/{token}", data={"verdict": "approve"})
        assert (answer.status_code, "This is no link" in answer.text) == (404, True), token
    assert (await stage.engine.waiting(fired.incident)).gates[0].approved_by == ()


@pytest.mark.parametrize(
    "data",
    [
        {"verdict": ""},
        {"verdict": "maybe"},
        {"verdict": "approve", "comment": "x" * 4097},
        {"verdict": "approve", "comment": "\N{FIRE}" * 4096},
    ],
)
async def test_a_form_that_says_nothing_or_too_much_decides_nothing(stage: Stage, data: dict[str, str]) -> None:
    fired = await stage.fire()
    assert (await stage.http.post(stage.link(fired), data=data)).status_code == 422
    assert (await stage.http.post(stage.link(fired), json={"verdict": "approve"})).status_code == 415
    assert (await stage.http.put(stage.link(fired))).status_code == 405


async def test_every_answer_keeps_the_link_to_itself(stage: Stage) -> None:
    fired = await stage.fire()
    for path in (stage.link(fired), stage.link(fired, plan="0" * 64), "/d/nonsense-token"):
        answer = await stage.http.get(path)
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["x-robots-tag"] == "noindex, nofollow, noarchive"
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "<script>" not in answer.text
        assert path.removeprefix("/d/") not in answer.text


async def test_a_link_is_in_no_log_trace_or_metric(
    stage: Stage, telemetry: Telemetry, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    fired = await stage.fire()
    link = stage.link(fired)
    SPANS.clear()
    with suppress_http_instrumentation():  # else the spans of our own client say that nothing is kept
        await stage.http.get("/v1/alerts/seen")
        await stage.http.get(link)
        await stage.http.get(f"{link}x")
        await stage.http.post(link, data={"verdict": "approve"})
    await fired.handle.result()
    signature = link.rpartition(".")[2]
    spans = [span.to_json() for span in SPANS.get_finished_spans()]
    assert any("/v1/alerts" in one for one in spans)
    assert not [one for one in spans if signature in one]
    captured = capfd.readouterr()
    # The test's own client logs what it asks for, and pytest alone listens to the server's access log.
    strangers = ("httpx", "httpcore", "uvicorn.access")
    assert logging.getLogger("uvicorn.access").propagate is False
    logged = [one.getMessage() for one in caplog.records if not one.name.startswith(strangers)]
    said = "\n".join([captured.out, captured.err, *logged, telemetry.render_metrics()[0].decode()])
    assert signature not in said


async def test_it_works_without_javascript_on_a_phone(stage: Stage) -> None:
    fired = await stage.fire()
    async with async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        context = await browser.new_context(viewport={"width": 390, "height": 844}, java_script_enabled=False)
        page = await context.new_page()
        page.set_default_timeout(15_000)
        await page.goto(f"{str(stage.http.base_url).rstrip('/')}{stage.link(fired)}")
        await page.get_by_label("Comment").fill("woken <b>up</b>")
        await page.get_by_role("button", name="Approve").click()
        await expect(page.get_by_role("heading", name="Approved")).to_be_visible()
        await browser.close()
    assert (await fired.handle.result()).outcome is Outcome.REMEDIATED
