"""An engine whose people can be told: what tests of telling act on."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from channels import Inbox, given, serving, settings_with
from lamp import ACTIONS, DIM, GROUP, QUEUE, Engine, alert, book, running, time_skipping_server, until
from temporalio.client import WorkflowExecutionStatus, WorkflowHandle
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.testing import WorkflowEnvironment

from halon.clients.telling import communication_of
from halon.contracts.alert import Alert
from halon.contracts.audit import AuditKind
from halon.contracts.coordination import CoordinationInput, CoordinationStatus, News, NewsBatch
from halon.contracts.incident import AlertBatch, IncidentResult
from halon.contracts.playbook import Playbook
from halon.settings import Settings

FIRST = "dim-0000000000-" + alert().episode[:8]
CHANNELS = ("stage", "tickets", "ana-phone", "ben-phone", "backup")
PEOPLE = """
people:
  ana: {channels: [ana-phone]}
  ben: {channels: [ben-phone]}
groups:
  light: {members: [ana]}
"""
FOLLOWED = (
    f"{PEOPLE}communication: {{threads: [stage], tickets: [tickets], gather: 1s, patience: 2s, per_minute: 1000}}"
)
PAGED = f"""{PEOPLE}
communication:
  threads: [stage]
  tickets: [tickets]
  gather: 1s
  patience: 2s
  page:
    - severities: [critical]
      to: [group:light]
      acknowledge: {{within: 5m, then: [{{to: [ben], within: 10m}}]}}
"""


class Stage:
    """An engine whose people can be told."""

    def __init__(self, engine: Engine, inbox: Inbox, settings: Settings) -> None:
        self.engine, self.inbox, self.settings = engine, inbox, settings
        self.heard = 0

    async def fire(self, playbook: Playbook, *alerts: Alert) -> WorkflowHandle[Any, IncidentResult]:
        return await self.engine.client.start_workflow(
            "Incident",
            given(self.settings, playbook, ACTIONS.effects),
            id=GROUP,
            task_queue=QUEUE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            start_signal="alerts",
            start_signal_args=[AlertBatch(alerts=alerts)],
            result_type=IncidentResult,
        )

    async def alone(self, *alerts: Alert) -> WorkflowHandle[Any, Any]:
        """Start what tells people without an incident, so that a test says what happens when."""
        communication = communication_of(self.settings)
        assert communication is not None
        metadata = book([DIM]).metadata
        now = await self.engine.environment.get_current_time()
        told = CoordinationInput(
            incident=FIRST, communication=communication, metadata=metadata, alerts=alerts, opened_at=now
        )
        return await self.engine.client.start_workflow("Coordination", told, id=self.people.id, task_queue=QUEUE)

    async def hear(self, kind: AuditKind, message: str, **data: Any) -> None:
        """Let it hear something, as the incident does."""
        self.heard += 1
        now = await self.engine.environment.get_current_time()
        news = News(id=f"test/{self.heard}", kind=kind, at=now, message=message, data=data)
        await self.people.signal("news", NewsBatch(news=(news,)))

    async def over(self) -> None:
        """Wait until there is nothing more to tell: in real time, as the server does not skip it for an orphan."""
        await until(self._ended, within=40)

    async def passed(self) -> None:
        """The same without an incident: time passes as it is needed."""
        while not await self._ended():
            await self.engine.environment.sleep(timedelta(minutes=10))

    async def _ended(self) -> bool:
        return (await self.people.describe()).status is not WorkflowExecutionStatus.RUNNING

    @property
    def people(self) -> WorkflowHandle[Any, Any]:
        return self.engine.client.get_workflow_handle(f"{FIRST}-coordination")

    async def status(self) -> CoordinationStatus:
        found: CoordinationStatus = await self.people.query("status", result_type=CoordinationStatus)
        return found


@asynccontextmanager
async def staged(directory: Path, text: str, server: WorkflowEnvironment | None = None) -> AsyncIterator[Stage]:
    """Open one with these settings, on a server that skips time or on this one."""
    async with serving() as inbox:
        settings = settings_with(directory, inbox, CHANNELS, text)
        async with running(directory, server or await time_skipping_server(), settings) as engine:
            yield Stage(engine, inbox, settings)


def critical(number: int = 1) -> Alert:
    return alert(number).model_copy(update={"severity": "critical"})


async def some(found: list[Any]) -> list[Any]:
    return found
