"""The console over a real engine: Temporal with its worker, a gateway on loopback, people with tokens, a browser."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from pathlib import Path
from typing import Any

import httpx
from lamp import ACTIONS, LOOK, QUEUE, Engine, alert, book, real_server, running, until
from playwright.async_api import Browser, Page, ViewportSize, async_playwright
from temporalio.client import WorkflowHandle

from halon.clients.calendars import Freezes
from halon.clients.roster import Roster
from halon.clients.seals import sealer
from halon.clients.telling import communication_of
from halon.clients.tokens import hash_of
from halon.contracts.alert import Alert
from halon.contracts.audit import AuditKind
from halon.contracts.incident import AlertBatch, IncidentInput, IncidentResult
from halon.contracts.playbook import Playbook
from halon.contracts.run import ALERTS_SIGNAL, INCIDENT_WORKFLOW, RunStatus
from halon.gateway.api.app import install
from halon.gateway.api.parts import Parts
from halon.gateway.app import create_app
from halon.gateway.console.app import add_console
from halon.gateway.dispatch import TemporalDispatcher
from halon.gateway.identity import Identity, operator_of
from halon.gateway.serve import server
from halon.operations.denials import Guard
from halon.operations.rights import Rights
from halon.operations.runs import Repertoire
from halon.settings import Settings
from halon.settings.loading import parse_settings
from halon.telemetry import Telemetry, setup

CHROMIUM = "/usr/bin/chromium"
PHONE: ViewportSize = {"width": 390, "height": 844}
DESK: ViewportSize = {"width": 1280, "height": 900}
TOKENS = {name: f"halon_{name}{'0' * 40}" for name in ("ana", "ben", "olga", "eve", "sam")}
SETTINGS = f"""
data_dir: data
environment: production
temporal: {{task_queue: {QUEUE}}}
gateway: {{port: 0}}
people:
  ana: {{email: ana@example.com, tokens: ["{hash_of(TOKENS["ana"])}"]}}
  ben: {{email: ben@example.com, tokens: ["{hash_of(TOKENS["ben"])}"]}}
  olga: {{tokens: ["{hash_of(TOKENS["olga"])}"]}}
  eve: {{tokens: ["{hash_of(TOKENS["eve"])}"]}}
  sam: {{tokens: ["{hash_of(TOKENS["sam"])}"]}}
groups:
  sre: {{members: [ana, ben]}}
roles:
  responder: {{may: [read, decide, run, pause], to: ["group:sre"]}}
  owner: {{may: [administer], to: [olga]}}
  reader: {{may: [read], to: [eve]}}
  elsewhere: {{may: [read, decide], to: [sam], where: {{service: bar}}}}
"""
DIM: dict[str, Any] = {"id": "dim", "uses": "lamp.dim", "with": {"to": 1}}


@dataclass
class Clock:
    """The gateway's clock, which a test may put forward."""

    ahead: timedelta = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@dataclass
class Stage:
    """What a test acts on."""

    engine: Engine
    settings: Settings
    base: str
    clock: Clock
    browser: Browser
    fired: int = field(default=0)

    async def fire(self, approve: dict[str, Any] | None = None, **changes: Any) -> "Fired":
        """Fire an alert whose remedy waits for people; gives its incident once somebody is asked."""
        self.fired += 1
        group = f"dim-{self.fired:010x}"
        self.engine.lamp.level = 9
        one = alert(self.fired).model_copy(update=changes)
        asked = {**DIM, "approve": {"within": "10m", **(approve or {})}}
        handle = await self._start(group, book([asked, LOOK]), one)
        incident = f"{group}-{one.episode[:8]}"
        status = await self.engine.waiting(incident)

        async def recorded() -> bool:
            return AuditKind.APPROVAL_ASKED in await self.engine.told(incident)

        await until(recorded)
        return Fired(incident, handle, status)

    async def _start(self, group: str, playbook: Playbook, one: Alert) -> "WorkflowHandle[Any, IncidentResult]":
        """Hand the alert over as the gateway does, with whom to tell."""
        telling = communication_of(self.settings)
        return await self.engine.client.start_workflow(
            INCIDENT_WORKFLOW,
            IncidentInput(group=group, playbook=playbook, effects=ACTIONS.effects, communication=telling),
            id=group,
            task_queue=QUEUE,
            start_signal=ALERTS_SIGNAL,
            start_signal_args=[AlertBatch(alerts=(one,))],
            result_type=IncidentResult,
        )

    async def asked_again(self, fired: "Fired") -> None:
        """Wait until another plan is asked for."""

        async def asked() -> bool:
            gates = (await self.engine.status(fired.incident)).gates
            return bool(gates) and gates[0].digest != fired.digest

        await until(asked)

    async def page(self, who: str = "ana", at: str = "", viewport: ViewportSize | None = None, **context: Any) -> Page:
        """Give a page of somebody who has signed in, on a phone unless told otherwise."""
        opened = await self.browser.new_context(viewport=viewport or PHONE, **context)
        async with self.http(who) as http:
            await opened.add_cookies(
                [{"name": one.name, "value": one.value or "", "url": self.base} for one in http.cookies.jar]
            )
        page = await opened.new_page()
        page.set_default_timeout(15_000)
        await page.goto(f"{self.base}{at or '/console/'}")
        return page

    @asynccontextmanager
    async def http(self, who: str = "") -> AsyncIterator[httpx.AsyncClient]:
        """Give a client that has signed in when `who` says who."""
        headers = {"Origin": self.base, "Sec-Fetch-Site": "same-origin"}
        async with httpx.AsyncClient(base_url=self.base, headers=headers, timeout=20) as client:
            if who:
                token = form_token((await client.get("/console/sign-in")).text)
                answer = await client.post("/console/sign-in", data={"form": token, "token": TOKENS[who]})
                assert answer.status_code == 303, answer.text
            yield client


@dataclass
class Fired:
    """An incident that waits."""

    incident: str
    handle: "WorkflowHandle[Any, IncidentResult]"
    status: RunStatus

    @property
    def path(self) -> str:
        return f"/console/incidents/{self.incident}"

    @property
    def digest(self) -> str:
        return self.status.gates[0].digest


def form_token(text: str) -> str:
    """The token of a page's forms."""
    return text.split('name="form" value="', 1)[1].split('"', 1)[0]


@asynccontextmanager
async def served(directory: Path, telemetry: Telemetry, settings: str = SETTINGS) -> AsyncIterator[Stage]:
    """A stage, which is gone at the end."""
    parsed = parse_settings(settings, directory / "halon.yaml")
    clock = Clock()
    async with running(directory, await real_server(), parsed) as engine, async_playwright() as driver:
        dispatcher = TemporalDispatcher(engine.client, QUEUE, {}, {}, timedelta(seconds=5))
        app = create_app(parsed, {}, dispatcher, engine.store, telemetry, clock)
        parts = parts_of(parsed, engine, clock)
        add_console(app, parts, install(app, parts))
        uvicorn = server(app, parsed.gateway)
        serving = asyncio.create_task(uvicorn.serve())
        while not uvicorn.started:  # noqa: ASYNC110  # uvicorn has no event for it
            await asyncio.sleep(0.01)
        port = uvicorn.servers[0].sockets[0].getsockname()[1]
        browser = await driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        try:
            yield Stage(engine, parsed, f"http://127.0.0.1:{port}", clock, browser)
        finally:
            await browser.close()
            uvicorn.should_exit = True
            await serving


def parts_of(settings: Settings, engine: Engine, clock: Clock) -> Parts:
    """What the gateway is made of."""
    return Parts(
        settings=settings,
        identity=Identity(settings, operator_of(settings)),
        guard=Guard(Rights(Roster(settings), settings.environment, clock), engine.store, clock),
        store=engine.store,
        client=engine.client,
        ledger=engine.ledger,
        repertoire=Repertoire({}, {}),
        sealer=cache(partial(sealer, settings)),
        freezes=cache(partial(Freezes, settings.freeze)),
        clock=clock,
    )


def telemetry_of_tests() -> Telemetry:
    """Set up as the gateway's, without logs."""
    return setup("gateway", parse_settings("telemetry: {log_level: error}", Path("halon.yaml")))
