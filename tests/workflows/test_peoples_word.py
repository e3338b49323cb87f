"""What people say to an incident counts: that they look after it, their part, a duty, words for the public."""

from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from audience import FIRST, PAGED, PEOPLE, Stage, critical, some
from lamp import APPROVED, DIM, LOOK, alert, book, until
from temporalio.client import WorkflowUpdateFailedError
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer

import worker
from halon.contracts.audit import AuditKind
from halon.contracts.outcome import Outcome
from workflows.coordination import Coordination

# Apprise's PGP support imports it, on the Python versions that still have it.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


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
    await until(lambda: some(one.inbox.of("ana-phone")))
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


async def test_parts_are_taken_handed_over_and_given_up_and_each_is_told(stage: Any) -> None:
    one = await stage(PAGED)
    await one.fire(book([APPROVED, LOOK]), alert())
    await one.engine.waiting(FIRST)
    role = partial(one.people.execute_update, "role")
    assert await role({"by": "ana", "role": "communication"}) == "ana is communication lead"
    assert await role({"by": "ana", "role": "communication", "to": "ben"}) == "ben is communication lead, after ana"
    assert (await one.status()).roles["communication"].person == "ben"
    await until(lambda: some(one.inbox.of("ben-phone")))
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
