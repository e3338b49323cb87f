"""An incident's people are told, called when an objective is threatened, and their word counts."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from channels import Inbox, given, serving, settings_with
from lamp import ACTIONS, APPROVED, DIM, GROUP, LOOK, QUEUE, Engine, alert, book, running, time_skipping_server, until
from temporalio.client import WorkflowExecutionStatus, WorkflowHandle, WorkflowUpdateFailedError
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer

import worker
from halon.clients.telling import communication_of
from halon.contracts.alert import Alert
from halon.contracts.audit import AuditKind
from halon.contracts.coordination import CoordinationInput, CoordinationStatus, News, NewsBatch
from halon.contracts.incident import AlertBatch, IncidentResult
from halon.contracts.outcome import Outcome
from halon.contracts.playbook import Playbook
from halon.settings import Settings
from workflows.coordination import Coordination

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


async def test_an_incident_is_told_from_its_beginning_to_how_it_ended(stage: Any) -> None:
    one = await stage(FOLLOWED)
    result = await (await one.fire(book([DIM, LOOK]), alert())).result()
    assert result.outcome is Outcome.REMEDIATED
    await one.over()
    titles, bodies = one.inbox.titles("stage"), [body["message"] for body in one.inbox.of("stage")]
    assert titles[-1] == f"[{FIRST}] Dim the lamp (stage): remediated, changed, confirmed and verified"
    said = ["Incident opened", "Alert LampTooBright from test", "dim: Set the lamp to 1", "Closed as remediated"]
    assert [sum(body.count(one) for body in bodies) for one in said] == [1, 1, 1, 1]


async def test_what_lasts_is_one_thread_that_tells_each_news_once(stage: Any) -> None:
    one = await stage(FOLLOWED)
    handle = await one.fire(book([APPROVED, LOOK]), alert())
    await one.engine.waiting(FIRST)
    await until(lambda: _some(one.inbox.of("stage")))
    await one.fire(book([APPROVED, LOOK]), alert(2))
    await one.engine.signal(FIRST, "deny", {"by": "ana", "comment": "not now"})
    assert (await handle.result()).outcome is Outcome.DENIED
    await one.over()
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
    await one.over()
    assert len(one.inbox.of("tickets")) == 1
    assert one.inbox.of("ana-phone") == one.inbox.of("ben-phone") == []
    told = await one.engine.told(FIRST)
    assert AuditKind.TICKETED in told
    assert AuditKind.PAGED not in told


async def test_a_call_that_nobody_acknowledges_goes_to_the_next_people_and_no_further(stage: Any) -> None:
    one = await stage(PAGED)
    handle = await one.fire(book([{**DIM, "approve": {"within": "40m"}}, LOOK]), critical())
    assert (await handle.result()).outcome is Outcome.EXPIRED
    await one.over()
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
    await one.over()
    assert one.inbox.of("ben-phone") == []
    assert AuditKind.ACKNOWLEDGED in await one.engine.told(FIRST)


async def _some(found: list[Any]) -> list[Any]:
    return found


async def test_an_hour_without_the_channel_loses_nothing_and_repeats_nothing(stage: Any) -> None:
    one = await stage(FOLLOWED)
    one.inbox.down.add("stage")
    await one.alone(alert())
    await one.engine.environment.sleep(timedelta(minutes=10))
    await one.hear(AuditKind.APPROVAL_ASKED, "Waiting for approval")
    await one.engine.environment.sleep(timedelta(minutes=50))
    await one.hear(AuditKind.EXPIRED, "The question expired")
    await one.hear(AuditKind.INCIDENT_CLOSED, "Closed as expired", outcome="expired")
    assert one.inbox.of("stage") == []
    (state,) = [notice for notice in (await one.status()).notices if notice.to == "channel:stage"]
    assert (state.state, "503" in state.reason or "did not accept" in state.reason) == ("failing", True)
    one.inbox.down.clear()
    await one.passed()
    bodies = [body["message"] for body in one.inbox.of("stage")]
    lines = [line for body in bodies for line in body.splitlines() if line.startswith("- ")]
    assert len(lines) == len(set(lines))
    said = ["Incident opened", "Waiting for approval", "The question expired", "Closed as expired"]
    assert [word for word in said if not any(word in line for line in lines)] == []
    told = await one.engine.told(FIRST)
    assert told.count(AuditKind.NOTICE_FAILED) == 1
    assert one.inbox.refused.count("stage") > 8


async def test_who_cannot_be_reached_by_one_channel_is_told_by_the_next(stage: Any) -> None:
    one = await stage(PAGED.replace("[ana-phone]", "[ana-phone, backup]"))
    one.inbox.down.add("ana-phone")
    handle = await one.fire(book([DIM, LOOK]), critical())
    await handle.result()
    await one.over()
    assert len(one.inbox.of("backup")) == 1
    assert one.inbox.of("backup")[0]["type"] == "failure"
    records = await one.engine.store.audit.records(FIRST)
    (fallback,) = [record for record in records if record.kind is AuditKind.NOTICE_FALLBACK]
    assert fallback.data["to"] == "ana"
    assert "told by backup instead: ana-phone" in fallback.message


async def test_those_who_may_decide_are_asked_reminded_and_escalated_by_their_own_channels(stage: Any) -> None:
    one = await stage(PAGED)
    asks = {"from": ["ana"], "within": "30m", "remind": "10m", "escalate": {"after": "15m", "to": ["ben"]}}
    handle = await one.fire(book([{**DIM, "approve": asks}, LOOK]), alert())
    assert (await handle.result()).outcome is Outcome.EXPIRED
    await one.over()
    to_ana, to_ben = one.inbox.of("ana-phone"), one.inbox.of("ben-phone")
    assert [body["title"].partition(":")[0] for body in to_ana] == ["Please decide", "Still waiting for a decision"] + [
        "Still waiting for a decision"
    ] * (len(to_ana) - 2)
    assert to_ben[0]["title"].startswith("Nobody has decided yet")
    assert f"halon approve {FIRST} --plan " in to_ana[0]["message"]
    assert "Set the lamp to 1" in to_ana[0]["message"]


async def test_without_communication_an_incident_starts_nobody_who_tells(engine: Engine) -> None:
    result = await (await engine.fire(book([DIM, LOOK]), alert())).result()
    history = await engine.client.get_workflow_handle(GROUP).fetch_history()
    started = [
        event for event in history.events if event.HasField("start_child_workflow_execution_initiated_event_attributes")
    ]
    assert len(started) == 1
    assert result.outcome is Outcome.REMEDIATED
    assert AuditKind.TICKETED not in await engine.told(FIRST)


async def test_parts_are_taken_handed_over_and_given_up_and_each_is_told(stage: Any) -> None:
    one = await stage(PAGED)
    await one.fire(book([APPROVED, LOOK]), alert())
    await one.engine.waiting(FIRST)
    role = partial(one.people.execute_update, "role")
    assert await role({"by": "ana", "role": "communication"}) == "ana is communication lead"
    assert await role({"by": "ana", "role": "communication", "to": "ben"}) == "ben is communication lead, after ana"
    assert (await one.status()).roles["communication"].person == "ben"
    await until(lambda: _some(one.inbox.of("ben-phone")))
    assert await role({"by": "ben", "role": "communication", "to": "-"}) == "ben is no longer communication lead"
    assert (await one.status()).roles == {}
    for word, why in (
        ({"by": "eve", "role": "commander"}, "nobody is called eve"),
        ({"by": "ana", "role": "commander", "to": "eve"}, "nobody is called eve"),
        ({"by": "ana", "role": "king"}, "role"),
        ("nonsense", "by"),
    ):
        with pytest.raises(WorkflowUpdateFailedError) as caught:
            await role(word)
        assert why in str(caught.value.cause)
    await one.engine.environment.sleep(timedelta(seconds=5))
    told = await one.engine.told(FIRST)
    assert told.count(AuditKind.ROLE_CHANGED) == 3
    assert told.count(AuditKind.WORD_REFUSED) == 4


DUTIES = f"""{PEOPLE}
communication:
  threads: [stage]
  gather: 1s
  deadlines:
    - {{name: gdpr, title: Tell the authority, labels: {{lamp: "1"}}, within: 72h, remind: [24h, 1h], to: [ben]}}
    - {{name: other, title: Not for this one, labels: {{lamp: "7"}}, within: 1h, to: [ben]}}
"""


async def test_a_duty_outlives_its_incident_reminds_and_is_missed_when_nobody_does_it(stage: Any) -> None:
    one = await stage(DUTIES)
    await one.alone(alert())
    await one.hear(AuditKind.INCIDENT_CLOSED, "Closed", outcome="remediated")
    await one.engine.environment.sleep(timedelta(hours=73))
    titles = one.inbox.titles("ben-phone")
    words = [title.removeprefix("Tell the authority: ") for title in titles]
    assert words[0].startswith("due 20")
    assert words[1:] == ["due in 1d", "due in 1h", "the deadline has passed"]
    (duty,) = (await one.status()).deadlines
    assert (duty.missed, duty.done_at) == (True, None)
    answer = await one.people.execute_update("done", {"by": "ben", "deadline": "gdpr", "comment": "file 4711"})
    assert answer == "Tell the authority: done by ben after its deadline: file 4711"
    await one.passed()
    told = await one.engine.told(FIRST)
    spine = [AuditKind.DEADLINE_BEGAN, AuditKind.DEADLINE_REMINDED, AuditKind.DEADLINE_MISSED, AuditKind.DEADLINE_DONE]
    kinds = [kind for kind in told if kind in spine]
    assert kinds == [spine[0], spine[1], spine[1], spine[2], spine[3]]


async def test_a_duty_that_was_done_in_time_ends_its_watch(stage: Any) -> None:
    one = await stage(DUTIES)
    await one.alone(alert())
    await one.hear(AuditKind.INCIDENT_CLOSED, "Closed", outcome="remediated")
    await one.people.execute_update("done", {"by": "ben", "deadline": "gdpr"})
    await one.passed()
    assert len(one.inbox.of("ben-phone")) == 1
    assert AuditKind.DEADLINE_MISSED not in await one.engine.told(FIRST)


async def test_the_public_is_told_when_a_person_releases_it_and_when_it_is_over(stage: Any) -> None:
    one = await stage(
        f"""{PEOPLE}
communication:
  threads: [stage]
  gather: 1s
  status_page: {{url: "http://INBOX/v1", page: abc, token: {{file: channel-stage}}, incidents: [{{severities: ["*"]}}]}}
"""
    )
    await one.alone(alert())
    await one.hear(AuditKind.APPLIED, "Set the lamp to 1")
    await until(lambda: _held(one))
    assert one.inbox.public == []
    answer = await one.people.execute_update("publish", {"by": "ana"})
    assert answer == "ana released what waited for the status page"
    await one.hear(AuditKind.INCIDENT_CLOSED, "Closed", outcome="remediated")
    await one.passed()
    assert [said["status"] for said in one.inbox.public] == ["identified", "resolved"]
    told = await one.engine.told(FIRST)
    spine = [AuditKind.STATUS_PAGE_HELD, AuditKind.STATUS_PAGE_RELEASED, *[AuditKind.STATUS_PAGE_WRITTEN] * 2]
    assert [kind for kind in told if kind in spine] == spine


async def test_the_public_never_hears_of_what_was_over_before_anybody_released_it(stage: Any) -> None:
    one = await stage(
        f"""{PEOPLE}
communication:
  status_page: {{url: "http://INBOX/v1", page: abc, token: {{file: channel-stage}}, incidents: [{{severities: ["*"]}}]}}
"""
    )
    await one.alone(alert())
    await one.hear(AuditKind.INCIDENT_CLOSED, "Closed", outcome="remediated")
    await one.passed()
    assert one.inbox.public == []


async def _held(one: Stage) -> bool:
    page = (await one.status()).status_page
    return page is not None and page.state == "held"


async def test_what_comes_too_fast_for_a_channel_goes_out_in_a_digest(stage: Any) -> None:
    one = await stage(PAGED.replace("gather: 1s", "gather: 1s\n  per_minute: 1"))
    await one.alone(critical(), alert(2))
    await one.hear(AuditKind.APPROVAL_ASKED, "Waiting for approval", **{"from": ["ana"]})
    await until(lambda: _some(one.inbox.of("ana-phone")))
    await one.hear(AuditKind.INCIDENT_CLOSED, "Closed", outcome="remediated")
    await one.passed()
    await one.engine.environment.sleep(timedelta(minutes=3))
    first, digest = one.inbox.of("ana-phone")
    titles = {first["title"], digest["message"]}
    assert "1 messages of 1 incidents" in digest["title"]
    assert any("Please decide" in one for one in titles)
    assert FIRST in digest["message"]


async def test_who_tells_people_replays_with_its_decisions_inside_the_sandbox(stage: Any) -> None:
    one = await stage(
        PAGED.replace("page:", "deadlines: [{name: d, title: D, severities: ['*'], within: 2h, to: [ben]}]\n  page:")
    )
    one.inbox.down.add("ana-phone")
    await one.alone(critical())
    await one.engine.environment.sleep(timedelta(minutes=30))
    await one.people.execute_update("acknowledge", {"by": "ben"})
    await one.people.execute_update("done", {"by": "ben", "deadline": "d"})
    await one.hear(AuditKind.INCIDENT_CLOSED, "Closed", outcome="failed", left=["lamp on stage"])
    one.inbox.down.clear()
    await one.passed()
    assert any("STILL IN PLACE: lamp on stage" in body["message"] for body in one.inbox.of("stage"))
    replayer = Replayer(
        workflows=[Coordination],
        data_converter=pydantic_data_converter,
        workflow_runner=worker.workflow_runner(guard_core=True),
    )
    await replayer.replay_workflow(await one.people.fetch_history())
