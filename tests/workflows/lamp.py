"""The smallest world that can be remedied: a lamp with a level, and what tests do with an engine that acts on it."""

import asyncio
import sysconfig
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.client import Client, WorkflowHandle
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.service import RPCError
from temporalio.testing import WorkflowEnvironment

import worker
from halon.clients.credentials import Credentials
from halon.clients.ledger import LedgerClient
from halon.clients.slack import Slack
from halon.clients.temporal import SEARCH_ATTRIBUTES
from halon.contracts.alert import Alert, AlertStatus
from halon.contracts.audit import AuditKind
from halon.contracts.base import JsonObject
from halon.contracts.incident import AlertBatch, IncidentInput, IncidentResult
from halon.contracts.plan import Row, Settlement
from halon.contracts.playbook import Playbook
from halon.contracts.run import ALERTS_SIGNAL, INCIDENT_WORKFLOW, RunStatus
from halon.core.ids import run_id
from halon.kit.action import Change, Notice, Output, Proposal, Read, State
from halon.kit.env import Env
from halon.kit.registry import Registry
from halon.settings import Settings
from halon.store.engine import open_database
from halon.store.store import Store

GROUP = "dim-0000000000"
QUEUE = "lamp"
_SCRIPTS = Path(sysconfig.get_path("scripts"))
STARTED = datetime(2026, 1, 2, 3, 0, tzinfo=UTC)


@dataclass
class Lamp:
    """What the action acts on, with its own record of writes."""

    level: int = 9
    mark: str = ""
    writes: list[int] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    lit: bool = True
    """Whether looking at it shows what it should."""
    stuck: asyncio.Event | None = None
    """Whoever looks at it waits until this is set."""
    looked: asyncio.Event = field(default_factory=asyncio.Event)
    """Somebody has looked, or waits to."""


class Level(State):
    level: int
    mark: str


class Dim(Change[Level]):
    """Set the lamp's level."""

    example: ClassVar[JsonObject] = {"to": 1}
    to: int

    def target(self) -> str:
        return "lamp"

    async def observe(self, env: Env) -> Level:
        lamp = env.get(Lamp)
        lamp.looked.set()
        if lamp.stuck is not None:
            await lamp.stuck.wait()
        return Level(level=lamp.level, mark=lamp.mark)

    def plan(self, state: Level, now: datetime) -> Proposal:
        rows = [Row(field="level", before=state.level, after=self.to)]
        return Proposal(f"Set the lamp to {self.to}", {"level": state.level}, {"level": self.to}, rows)

    def owned(self, state: Level) -> JsonObject:
        return {"level": state.level}

    def mark(self, state: Level) -> str:
        return state.mark

    async def apply(self, env: Env, after: JsonObject, state: Level, key: str) -> None:
        lamp = env.get(Lamp)
        lamp.level, lamp.mark = self.to, key
        lamp.writes.append(self.to)

    def settled(self, state: Level, after: JsonObject) -> Settlement:
        return Settlement(state="settled")

    def undo(self, before: JsonObject, after: JsonObject) -> "Dim":
        return Dim.model_validate({"to": before["level"]})


class Seen(Output):
    lit: bool


class Look(Read[Seen]):
    """Look whether the lamp shows what it should."""

    example: ClassVar[JsonObject] = {}

    def target(self) -> str:
        return "lamp"

    async def run(self, env: Env) -> Seen:
        return Seen(lit=env.get(Lamp).lit)


class Told(Output):
    addresses: int


class Tell(Notice[Told]):
    """Tell a channel, as `notify.send` does."""

    example: ClassVar[JsonObject] = {"to": "stage", "title": "It is dark"}
    to: str
    title: str
    severity: str = "info"

    def target(self) -> str:
        return f"notify/{self.to}"

    async def run(self, env: Env) -> Told:
        env.get(Lamp).told.append(f"{self.to}: {self.title}")
        return Told(addresses=1)


ACTIONS = Registry({"lamp.dim": Dim, "lamp.look": Look, "notify.send": Tell})
DIM: dict[str, Any] = {"id": "dim", "uses": "lamp.dim", "with": {"to": 1}}
LOOK: dict[str, Any] = {
    "id": "look", "verify": {"uses": "lamp.look"}, "until": "${{ result.lit }}", "every": "1s", "within": "5s"
}  # fmt: skip
APPROVED: dict[str, Any] = {**DIM, "approve": {"within": "10m"}}


def book(steps: list[dict[str, Any]], **more: Any) -> Playbook:
    metadata = {"name": "dim", "title": "Dim the lamp", "owner": "team-light"}
    return Playbook.model_validate(
        {"apiVersion": "halon/v1", "kind": "Playbook", "metadata": metadata, "steps": steps, **more}
    )


def alert(number: int = 1, *, minutes: int = 0, resolved: bool = False) -> Alert:
    return Alert(
        source="test",
        name="LampTooBright",
        fingerprint=f"lamp-{number}",
        status=AlertStatus.RESOLVED if resolved else AlertStatus.FIRING,
        severity="warning",
        labels={"lamp": str(number), "service": "stage"},
        starts_at=STARTED + timedelta(minutes=minutes),
    )


@dataclass
class Engine:
    """A running engine, and what a test asks of it."""

    environment: WorkflowEnvironment
    client: Client
    store: Store
    lamp: Lamp

    async def fire(self, playbook: Playbook, *alerts: Alert, group: str = GROUP) -> WorkflowHandle[Any, IncidentResult]:
        """Hand over alerts as the gateway does."""
        return await self.client.start_workflow(
            INCIDENT_WORKFLOW,
            IncidentInput(group=group, playbook=playbook, effects=ACTIONS.effects),
            id=group,
            task_queue=QUEUE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            start_signal=ALERTS_SIGNAL,
            start_signal_args=[AlertBatch(alerts=alerts)],
            result_type=IncidentResult,
        )

    async def by_hand(self, playbook: Playbook, by: str = "ana@example.com", **more: Any) -> WorkflowHandle[Any, Any]:
        given = IncidentInput(group=GROUP, playbook=playbook, effects=ACTIONS.effects, started_by=by, **more)
        return await self.client.start_workflow(
            INCIDENT_WORKFLOW, given, id=GROUP, task_queue=QUEUE, result_type=IncidentResult
        )

    def run(self, incident: str) -> WorkflowHandle[Any, Any]:
        return self.client.get_workflow_handle(run_id(incident))

    @property
    def ledger(self) -> LedgerClient:
        return LedgerClient(self.client, QUEUE)

    async def status(self, incident: str) -> RunStatus:
        found: RunStatus = await self.run(incident).query("status", result_type=RunStatus)
        return found

    async def waiting(self, incident: str) -> RunStatus:
        """The run's status as soon as somebody is asked."""

        async def asked() -> RunStatus | None:
            try:
                status = await self.status(incident)
            except RPCError:  # the run has not begun
                return None
            return status if status.gates else None

        return await until(asked)

    async def signal(self, incident: str, name: str, *given: Any) -> None:
        """Decide by signal, and wait until it counts: the server that skips time would else let the question expire."""
        await self.run(incident).signal(name, *given)

        async def answered() -> bool:
            return not (await self.status(incident)).gates

        await until(answered)

    async def told(self, incident: str) -> list[AuditKind]:
        return [record.kind for record in await self.store.audit.records(incident)]


async def until(look: Callable[[], Any], within: float = 10) -> Any:
    """Look until there is something to see."""
    async with asyncio.timeout(within):
        while not (found := await look()):  # noqa: ASYNC110  # what changes is in another process
            await asyncio.sleep(0.02)
        return found


@asynccontextmanager
async def running(
    directory: Path, environment: WorkflowEnvironment, settings: Settings | None = None
) -> AsyncIterator[Engine]:
    """An engine on a Temporal server, which it stops at the end."""
    lamp = Lamp()
    ends = AsyncExitStack()
    store = Store(await open_database(f"sqlite+aiosqlite:///{directory / 'halon.db'}"))
    ends.push_async_callback(store.close)
    async with ends, environment:
        # The server that skips time has no call that lists them, which `halon setup` would ask first.
        request = AddSearchAttributesRequest(namespace="default", search_attributes=SEARCH_ATTRIBUTES)
        await environment.client.operator_service.add_search_attributes(request)
        env = Env(lamp)
        if settings is not None and settings.slack is not None:
            token = Credentials(settings.credentials).named(settings.slack.token, "slack.token")
            slack = Slack(settings.slack, token)
            ends.push_async_callback(slack.close)
            env = Env(lamp, slack)
        built = worker.build(environment.client, store, env, task_queue=QUEUE, actions=ACTIONS, settings=settings)
        async with built:
            yield Engine(environment, environment.client, store, lamp)


async def time_skipping_server() -> WorkflowEnvironment:
    """The server that jumps over waits. It hangs when a child workflow is cancelled."""
    return await WorkflowEnvironment.start_time_skipping(
        test_server_existing_path=str(_SCRIPTS / "temporal-test-server"), data_converter=pydantic_data_converter
    )


async def real_server(*, ui_port: int | None = None) -> WorkflowEnvironment:
    """The real server, in real time; with its web UI when that has a port."""
    return await WorkflowEnvironment.start_local(
        dev_server_existing_path=str(_SCRIPTS / "temporal"),
        data_converter=pydantic_data_converter,
        ui=ui_port is not None,
        ui_port=ui_port,
    )
