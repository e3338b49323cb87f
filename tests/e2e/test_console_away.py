"""The console when Temporal is away, behind https, and without its key."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from console_stage import TOKENS, Clock, form_token, parts_of, telemetry_of_tests
from temporalio.client import Client

from halon.clients.embedded import free_port
from halon.clients.ledger import LedgerClient
from halon.clients.temporal import TemporalConfig, connect_later
from halon.clients.tokens import hash_of
from halon.contracts.incident import IncidentRow
from halon.gateway.api.app import install
from halon.gateway.app import create_app
from halon.gateway.console.app import add_console
from halon.gateway.dispatch import TemporalDispatcher
from halon.gateway.serve import server
from halon.settings.loading import parse_settings
from halon.store.engine import open_database
from halon.store.store import Store

INCIDENT = "dim-0000000001-00000001"
SETTINGS = f"""
data_dir: data
gateway: {{port: 0, public_url: "https://halon.example.com/ops"}}
people: {{ana: {{tokens: ["{hash_of(TOKENS["ana"])}"]}}}}
"""
PUBLIC = {"Host": "halon.example.com", "Origin": "https://halon.example.com", "Sec-Fetch-Site": "same-origin"}


@dataclass
class Alone:
    """A gateway's connections, of which only the store answers."""

    client: Client
    store: Store
    ledger: LedgerClient


@asynccontextmanager
async def gateway(directory: Path, text: str = SETTINGS) -> AsyncIterator[httpx.AsyncClient]:
    settings = parse_settings(text, directory / "halon.yaml")
    client = await connect_later(TemporalConfig(f"127.0.0.1:{free_port()}", "default"))
    store = Store(await open_database(settings.store_url))
    alone = Alone(client, store, LedgerClient(client, "halon"))
    began = datetime(2026, 1, 2, 3, 0, tzinfo=UTC)
    row = IncidentRow(
        id=INCIDENT,
        group="dim-0000000001",
        playbook="dim",
        playbook_digest="0" * 64,
        workflow_id="dim-0000000001",
        run_id="1",
        state="open",
        title="Dim the lamp",
        opened_at=began,
        runs=1,
    )
    try:
        await store.incidents.upsert(row)
        dispatcher = TemporalDispatcher(client, "halon", {}, {}, timedelta(seconds=1))
        app = create_app(settings, {}, dispatcher, store, telemetry_of_tests())
        parts = parts_of(settings, alone, Clock())
        add_console(app, parts, install(app, parts))
        uvicorn = server(app, settings.gateway)
        serving = asyncio.create_task(uvicorn.serve())
        while not uvicorn.started:  # noqa: ASYNC110  # uvicorn has no event for it
            await asyncio.sleep(0.01)
        port = uvicorn.servers[0].sockets[0].getsockname()[1]
        try:
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=20) as http:
                yield http
        finally:
            uvicorn.should_exit = True
            await serving
    finally:
        await store.close()


@pytest.fixture
async def http(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with gateway(tmp_path) as one:
        yield one


async def sign_in(http: httpx.AsyncClient, **headers: str) -> httpx.Response:
    http.headers.update({"Origin": str(http.base_url).rstrip("/"), "Sec-Fetch-Site": "same-origin"} | headers)
    page = await http.get("/console/sign-in")
    cookies = {"Cookie": page.headers["set-cookie"].partition(";")[0]}
    form = {"form": form_token(page.text), "token": TOKENS["ana"], "to": f"/console/incidents/{INCIDENT}"}
    answer = await http.post("/console/sign-in", data=form, headers=cookies)
    assert answer.status_code == 303, answer.text
    http.headers["Cookie"] = answer.headers["set-cookie"].partition(";")[0]
    return answer


async def test_what_is_recorded_is_shown_while_temporal_is_away_and_nothing_can_be_decided(
    http: httpx.AsyncClient,
) -> None:
    await sign_in(http)
    listed = await http.get("/console/")
    assert (listed.status_code, "Dim the lamp" in listed.text) == (200, True)
    assert "Open incidents are shown as they were last recorded" in listed.text
    shown = await http.get(f"/console/incidents/{INCIDENT}")
    assert shown.status_code == 200
    assert "nothing can be decided until a worker answers" in shown.text
    assert "Approve</button>" not in shown.text
    form = {"form": form_token(shown.text), "verdict": "approve", "plan": "0" * 64, "step": "dim"}
    decided = await http.post(f"/console/incidents/{INCIDENT}/decide", data=form)
    for answer in (decided, await http.get("/console/runs"), await http.get("/console/guards")):
        assert (answer.status_code, "retry-after" in answer.headers) == (503, True)
        assert "Halon cannot answer now" in answer.text
        assert "look before you send it again" in answer.text
        assert "Traceback" not in answer.text


async def test_behind_https_the_cookie_goes_nowhere_else_and_links_keep_the_path(http: httpx.AsyncClient) -> None:
    answer = await sign_in(http, **PUBLIC)
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-halon-session=")
    for flag in ("; Secure", "; HttpOnly", "; Path=/", "; SameSite=lax"):
        assert flag in cookie
    assert "Domain" not in cookie
    assert answer.headers["location"] == f"/ops/console/incidents/{INCIDENT}"
    text = (await http.get("/console/")).text
    own = re.findall(r'(?:href|src|action|data-stream)="(/[^"]*)"', text)
    assert len(own) > 5
    assert [one for one in own if not one.startswith("/ops/console/")] == []


async def test_a_form_from_plain_http_is_not_one_of_the_https_page(http: httpx.AsyncClient) -> None:
    page = await http.get("/console/sign-in", headers=PUBLIC)
    cookie = {"Cookie": page.headers["set-cookie"].partition(";")[0]}
    form = {"form": form_token(page.text), "token": TOKENS["ana"]}
    plain = PUBLIC | cookie | {"Origin": "http://halon.example.com"}
    assert (await http.post("/console/sign-in", data=form, headers=plain)).status_code == 403


async def test_without_its_key_the_console_says_so_and_alerts_are_taken_all_the_same(tmp_path: Path) -> None:
    text = f"{SETTINGS}approvals: {{signing_key: {{file: missing.pem}}}}\n"
    async with gateway(tmp_path, text) as http:
        answer = await http.get("/console/")
        assert (answer.status_code, "The gateway is not set up for this" in answer.text) == (303, False)
        answer = await http.get("/console/sign-in")
        assert (answer.status_code, "The gateway is not set up for this" in answer.text) == (500, True)
        assert "missing.pem" not in answer.text
        assert (await http.get("/healthz")).status_code == 200
