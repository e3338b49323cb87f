"""An incident's people are told, and called when an objective is threatened."""

from datetime import timedelta
from typing import Any

import pytest
from audience import FIRST, FOLLOWED, PAGED, critical, some
from lamp import APPROVED, DIM, GROUP, LOOK, Engine, alert, book, until

from halon.contracts.audit import AuditKind
from halon.contracts.outcome import Outcome

# Apprise's PGP support imports it, on the Python versions that still have it.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


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
    await until(lambda: some(one.inbox.of("stage")))
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


async def test_what_comes_too_fast_for_a_channel_goes_out_in_a_digest(stage: Any) -> None:
    one = await stage(PAGED.replace("gather: 1s", "gather: 1s\n  per_minute: 1"))
    await one.alone(critical(), alert(2))
    await one.hear(AuditKind.APPROVAL_ASKED, "Waiting for approval", **{"from": ["ana"]})
    await until(lambda: some(one.inbox.of("ana-phone")))
    await one.hear(AuditKind.INCIDENT_CLOSED, "Closed", outcome="remediated")
    await one.passed()
    await one.engine.environment.sleep(timedelta(minutes=3))
    first, digest = one.inbox.of("ana-phone")
    titles = {first["title"], digest["message"]}
    assert "1 messages of 1 incidents" in digest["title"]
    assert any("Please decide" in one for one in titles)
    assert FIRST in digest["message"]
