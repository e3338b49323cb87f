"""An incident's people are told, called when an objective is threatened, and their word counts."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from channels import Inbox, given, serving, settings_with
from lamp import ACTIONS, APPROVED, DIM, GROUP, LOOK, QUEUE, Engine, alert, book, running, time_skipping_server, until
from temporalio.client import WorkflowHandle
from temporalio.common import WorkflowIDConflictPolicy

from halon.contracts.alert import Alert
from halon.contracts.audit import AuditKind
from halon.contracts.coordination import CoordinationStatus
from halon.contracts.incident import AlertBatch, IncidentResult
from halon.contracts.outcome import Outcome
from halon.contracts.playbook import Playbook
from halon.settings import Settings

# Apprise's PGP support imports it, on the Python versions that still have it.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

FIRST = "dim-0000000000-" + alert().episode[:8]
CHANNELS = ("stage", "tickets", "ana-phone", "ben-phone", "backup")
PEOPLE = """
people:
  ana: {channels: [ana-phone]}
  ben: {channels: [ben-phone]}
groups:
  light: {members: [ana]}
"""
FOLLOWED = f"{PEOPLE}communication: {{threads: [stage], tickets: [tickets], gather: 5s}}"
PAGED = f"""{PEOPLE}
communication:
  threads: [stage]
  tickets: [tickets]
  gather: 5s
  page:
    - severities: [critical]
      to: [group:light]
      acknowledge: {{within: 5m, then: [{{to: [ben], within: 10m}}]}}
"""


class Stage:
    """An engine whose people can be told."""

    def __init__(self, engine: Engine, inbox: Inbox, settings: Settings) -> None:
        self.engine, self.inbox, self.settings = engine, inbox, settings

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

    @property
    def people(self) -> WorkflowHandle[Any, Any]:
        return self.engine.client.get_workflow_handle(f"{FIRST}-coordination")

    async def status(self) -> CoordinationStatus:
        found: CoordinationStatus = await self.people.query("status", result_type=CoordinationStatus)
        return found


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Callable[[str], Any]]:
    async with AsyncExitStack() as ends:
        inbox = await ends.enter_async_context(serving())

        async def opened(text: str) -> Stage:
            settings = settings_with(tmp_path, inbox, CHANNELS, text)
            engine = await ends.enter_async_context(running(tmp_path, await time_skipping_server(), settings))
            return Stage(engine, inbox, settings)

        yield opened


def critical(number: int = 1) -> Alert:
    return alert(number).model_copy(update={"severity": "critical"})


async def test_what_is_over_in_seconds_is_told_in_one_message(stage: Any) -> None:
    one = await stage(FOLLOWED)
    result = await (await one.fire(book([DIM, LOOK]), alert())).result()
    assert result.outcome is Outcome.REMEDIATED
    await one.people.result()
    (told,) = one.inbox.of("stage")
    assert told["title"] == f"[{FIRST}] Dim the lamp (stage): remediated, changed, confirmed and verified"
    said = ["Incident opened", "Alert LampTooBright from test", "dim: Set the lamp to 1", "Closed as remediated"]
    assert [one for one in said if one not in told["message"]] == []


async def test_what_lasts_is_one_thread_that_tells_each_news_once(stage: Any) -> None:
    one = await stage(FOLLOWED)
    handle = await one.fire(book([APPROVED, LOOK]), alert())
    await one.engine.waiting(FIRST)
    await until(lambda: _some(one.inbox.of("stage")))
    await one.fire(book([APPROVED, LOOK]), alert(2))
    await one.engine.signal(FIRST, "deny", {"by": "ana", "comment": "not now"})
    assert (await handle.result()).outcome is Outcome.DENIED
    await one.people.result()
    bodies = [body["message"] for body in one.inbox.of("stage")]
    lines = [line for body in bodies for line in body.splitlines() if line.startswith("- ")]
    assert len(lines) == len(set(lines))
    assert len([line for line in lines if "LampTooBright" in line]) == 2
    assert "not now" in bodies[-1]
    assert "denied" in one.inbox.titles("stage")[-1]
    assert [body.splitlines()[-1] for body in bodies] == sorted({body.splitlines()[-1] for body in bodies})


async def test_what_threatens_no_objective_is_a_ticket_and_nobody_is_called(stage: Any) -> None:
    one = await stage(PAGED)
    await (await one.fire(book([DIM, LOOK]), alert())).result()
    await one.people.result()
    assert len(one.inbox.of("tickets")) == 1
    assert one.inbox.of("ana-phone") == one.inbox.of("ben-phone") == []
    told = await one.engine.told(FIRST)
    assert AuditKind.TICKETED in told
    assert AuditKind.PAGED not in told


async def test_a_call_that_nobody_acknowledges_goes_to_the_next_people_and_no_further(stage: Any) -> None:
    one = await stage(PAGED)
    handle = await one.fire(book([{**DIM, "approve": {"within": "40m"}}, LOOK]), critical())
    assert (await handle.result()).outcome is Outcome.EXPIRED
    await one.people.result()
    pages = [[body["title"] for body in one.inbox.of(name)] for name in ("ana-phone", "ben-phone")]
    assert [len(one) for one in pages] == [1, 1]
    assert one.inbox.of("tickets") == []
    told = await one.engine.told(FIRST)
    spine = [AuditKind.PAGED, AuditKind.ACKNOWLEDGEMENT_ESCALATED, AuditKind.ACKNOWLEDGEMENT_MISSED]
    assert [kind for kind in told if kind in spine] == spine


async def test_who_acknowledges_stops_the_clock_and_commands(stage: Any) -> None:
    one = await stage(PAGED)
    handle = await one.fire(book([APPROVED, LOOK]), critical())
    await one.engine.waiting(FIRST)
    await until(lambda: _some(one.inbox.of("ana-phone")))
    answer = await one.people.execute_update("acknowledge", {"by": "ANA", "comment": "on it"})
    assert answer.startswith("Acknowledged by ana")
    status = await one.status()
    assert status.acknowledgement is not None
    assert (status.acknowledgement.by, status.acknowledgement.due) == ("ana", None)
    assert status.roles["commander"].person == "ana"
    await one.engine.signal(FIRST, "approve", {"by": "ana"})
    await handle.result()
    await one.people.result()
    assert one.inbox.of("ben-phone") == []
    assert AuditKind.ACKNOWLEDGED in await one.engine.told(FIRST)


async def _some(found: list[Any]) -> list[Any]:
    return found
