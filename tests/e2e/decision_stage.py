"""The ways by which people decide from outside, over a real engine: Temporal with its worker, a gateway on loopback."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI
from lamp import LOOK, QUEUE, Engine, alert, book, real_server, running
from temporalio.client import WorkflowHandle

from halon.clients.calendars import Freezes
from halon.clients.links import Link, link_maker
from halon.clients.roster import Roster
from halon.clients.seals import sealer
from halon.contracts.audit import StoredRecord
from halon.contracts.incident import IncidentResult
from halon.contracts.run import OpenGate
from halon.core.ids import run_id
from halon.gateway.api.app import install
from halon.gateway.api.parts import Parts
from halon.gateway.app import create_app
from halon.gateway.console.app import add_console
from halon.gateway.dispatch import TemporalDispatcher
from halon.gateway.identity import Identity, operator_of
from halon.gateway.links import add_links
from halon.gateway.serve import server
from halon.operations.denials import Guard
from halon.operations.rights import Rights
from halon.operations.runs import Repertoire
from halon.settings import Settings
from halon.settings.loading import parse_settings
from halon.telemetry import Telemetry

SETTINGS = f"""
data_dir: data
environment: production
temporal: {{task_queue: {QUEUE}}}
gateway: {{port: 0, public_url: "https://halon.example.com/halon"}}
approvals: {{trust: signed}}
people:
  ana: {{name: Ana Lopez, email: ana@example.com, slack: U0ANA}}
  ben: {{email: ben@example.com, slack: U0BEN}}
  eve: {{slack: U0EVE}}
groups: {{sre: {{members: [ana, ben]}}}}
"""
DIM: dict[str, Any] = {"id": "dim", "uses": "lamp.dim", "with": {"to": 1}}


@dataclass
class Clock:
    """The gateway's clock, which a test may put forward."""

    ahead: timedelta = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@dataclass
class Fired:
    """An incident that waits."""

    incident: str
    handle: "WorkflowHandle[Any, IncidentResult]"
    gate: OpenGate

    @property
    def run(self) -> str:
        return run_id(self.incident)

    @property
    def until(self) -> datetime:
        return self.gate.asked_at + self.gate.within


@dataclass
class Stage:
    """What a test acts on."""

    engine: Engine
    settings: Settings
    http: httpx.AsyncClient
    clock: Clock
    fired: int = field(default=0)

    async def fire(self, approve: dict[str, Any] | None = None) -> Fired:
        """Fire an alert whose remedy waits for people; gives its incident once somebody is asked."""
        self.fired += 1
        group = f"dim-{self.fired:010x}"
        self.engine.lamp.level, self.engine.lamp.mark = 9, ""
        self.engine.lamp.writes.clear()
        one = alert(self.fired)
        asked = {**DIM, "approve": {"within": "10m", "from": ["group:sre"], **(approve or {})}}
        handle = await self.engine.fire(book([asked, LOOK]), one, group=group)
        incident = f"{group}-{one.episode[:8]}"
        return Fired(incident, handle, (await self.engine.waiting(incident)).gates[0])

    def link(self, fired: Fired, person: str = "ana", **changed: Any) -> str:
        """The path of the link that a worker would send."""
        maker = link_maker(self.settings)
        assert maker is not None
        gate = fired.gate
        link = Link(person=person, run=fired.run, step=gate.step, plan=gate.digest, until=fired.until)
        url = maker.url(link.model_copy(update=changed))
        return url.removeprefix("https://halon.example.com/halon")

    async def records(self, incident: str) -> list[StoredRecord]:
        return list(await self.engine.store.audit.records(incident))


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


Ways = Callable[[FastAPI, Parts], None]


@asynccontextmanager
async def served(
    directory: Path,
    telemetry: Telemetry,
    text: str = SETTINGS,
    *,
    add: Sequence[Callable[[FastAPI, Parts], None]] = (add_links,),
) -> AsyncIterator[Stage]:
    """A stage, which is gone at the end."""
    settings = parse_settings(text, directory / "halon.yaml")
    clock = Clock()
    async with running(directory, await real_server(), settings) as engine:
        dispatcher = TemporalDispatcher(engine.client, QUEUE, {}, {}, timedelta(seconds=5))
        app = create_app(settings, {}, dispatcher, engine.store, telemetry, clock)
        parts = parts_of(settings, engine, clock)
        add_console(app, parts, install(app, parts))
        for one in add:
            one(app, parts)
        uvicorn = server(app, settings.gateway)
        serving = asyncio.create_task(uvicorn.serve())
        while not uvicorn.started:  # noqa: ASYNC110  # uvicorn has no event for it
            await asyncio.sleep(0.01)
        port = uvicorn.servers[0].sockets[0].getsockname()[1]
        try:
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=20) as http:
                yield Stage(engine, settings, http, clock)
        finally:
            uvicorn.should_exit = True
            await serving
