"""What fires again soon after it ended well is the same incident; what fires too often is held back or doubted."""

from datetime import timedelta
from typing import Any

import pytest
from lamp import APPROVED, DIM, GROUP, LOOK, Engine, alert, book, until
from temporalio.client import WorkflowHandle
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.service import RPCError
from temporalio.worker import Replayer

import worker
from halon.contracts.audit import AuditKind
from halon.contracts.incident import IncidentResult
from halon.contracts.outcome import Outcome
from halon.contracts.playbook import Playbook
from halon.contracts.run import RunSpec, RunStatus
from halon.core.flapping import sighting
from halon.core.ids import run_id
from workflows.incident import Incident
from workflows.remediation import Remediation

FIRST = "dim-0000000000-" + alert().episode[:8]
SECOND = "dim-0000000000-" + alert(minutes=30).episode[:8]
TRIGGER: dict[str, Any] = {"alerts": ["LampTooBright"], "group_by": ["service"]}


def lit_again(steps: list[dict[str, Any]] | None = None, **trigger: Any) -> Playbook:
    return book(steps or [DIM, LOOK], trigger={**TRIGGER, **trigger})


async def remedied(engine: Engine, playbook: Playbook, minutes: int = 0) -> IncidentResult:
    """Let the alert fire, with the lamp as bright as it says, and carry the incident to its end."""
    engine.lamp.level = 9
    return await ended(engine, await engine.fire(playbook, alert(minutes=minutes)))


async def ended(engine: Engine, handle: WorkflowHandle[Any, IncidentResult]) -> IncidentResult:
    """Wait for the end in real time: the server that skips time would jump over the look-back."""
    with engine.environment.auto_time_skipping_disabled():
        return await handle.result()


async def spec_of(engine: Engine, incident: str, ordinal: int) -> RunSpec:
    """What a run was started with, as its history has it."""
    history = await engine.client.get_workflow_handle(run_id(incident, ordinal)).fetch_history()
    started = history.events[0].workflow_execution_started_event_attributes
    (spec,) = await pydantic_data_converter.decode(started.input.payloads, [RunSpec])
    assert isinstance(spec, RunSpec)
    return spec


async def messages(engine: Engine, incident: str, kind: AuditKind) -> list[str]:
    return [record.message for record in await engine.store.audit.records(incident) if record.kind is kind]


async def test_an_alert_that_fires_again_soon_after_success_reopens_its_incident(engine: Engine) -> None:
    playbook = lit_again()
    assert (await remedied(engine, playbook)).incident == FIRST
    await engine.environment.sleep(timedelta(minutes=3))
    again = await remedied(engine, playbook, minutes=30)
    assert (again.incident, again.outcome) == (FIRST, Outcome.REMEDIATED)
    assert engine.lamp.writes == [1, 1]
    row = await engine.store.incidents.get(FIRST)
    assert (row.state, row.outcome, row.reopened, row.runs) == ("closed", "remediated", 1, 2)
    assert row.reopened_at
    assert row.reopened_at - row.opened_at > timedelta(minutes=2)
    assert [one.id for one in await engine.store.incidents.list()] == [FIRST]
    spec = await spec_of(engine, FIRST, 2)
    assert spec.ordinal == 2
    assert spec.recurrence.startswith("the alert fired again 3m")
    assert spec.recurrence.endswith("after run 1 of this incident ended as remediated")
    assert (await spec_of(engine, FIRST, 1)).recurrence == ""


async def test_the_runs_of_one_incident_stand_in_its_chain_in_order_with_keys_of_their_own(engine: Engine) -> None:
    playbook = lit_again()
    for number in range(3):
        await remedied(engine, playbook, minutes=30 * number)
    records = await engine.store.audit.records(FIRST)
    marks = [
        (record.kind, record.message)
        for record in records
        if record.kind in {AuditKind.INCIDENT_OPENED, AuditKind.INCIDENT_REOPENED, AuditKind.INCIDENT_CLOSED}
    ]
    assert [kind for kind, _ in marks] == [
        AuditKind.INCIDENT_OPENED,
        AuditKind.INCIDENT_CLOSED,
        AuditKind.INCIDENT_REOPENED,
        AuditKind.INCIDENT_CLOSED,
        AuditKind.INCIDENT_REOPENED,
        AuditKind.INCIDENT_CLOSED,
    ]
    assert "after it ended as remediated: reopened for the 1st time" in marks[2][1]
    assert "reopened for the 2nd time" in marks[4][1]
    keys = [record.data["key"] for record in records if record.kind is AuditKind.APPLIED]
    assert len(set(map(str, keys))) == len(keys) == 3
    runs = [record.writer.partition(":")[0] for record in records if record.kind is AuditKind.RUN_STARTED]
    assert runs == [run_id(FIRST), run_id(FIRST, 2), run_id(FIRST, 3)]
    assert (await engine.store.audit.verify()).ok


async def test_after_the_look_back_it_is_a_new_incident_that_names_the_one_before(engine: Engine) -> None:
    playbook = lit_again(reopen_within="10m")
    await remedied(engine, playbook)
    await engine.environment.sleep(timedelta(minutes=11))
    again = await remedied(engine, playbook, minutes=30)
    assert again.incident == SECOND
    (opened,) = await messages(engine, SECOND, AuditKind.INCIDENT_OPENED)
    assert f"the one before it, {FIRST}, ended as remediated 11m" in opened
    assert (await spec_of(engine, SECOND, 1)).recurrence == ""
    await engine.environment.sleep(timedelta(days=2))
    third = await remedied(engine, playbook, minutes=60)
    assert await messages(engine, third.incident, AuditKind.INCIDENT_OPENED) == [
        f"Incident {third.incident} opened by its alert"
    ]


async def test_after_another_end_than_success_it_is_a_new_incident(engine: Engine) -> None:
    engine.lamp.lit = False
    failed = await (await engine.fire(lit_again(), alert())).result()
    assert failed.outcome is Outcome.UNDONE
    engine.lamp.lit = True
    assert (await remedied(engine, lit_again(), minutes=30)).incident == SECOND


async def test_no_look_back_means_no_reopening(engine: Engine) -> None:
    await remedied(engine, lit_again(reopen_within="0s"))
    assert (await remedied(engine, lit_again(reopen_within="0s"), minutes=30)).incident == SECOND


async def test_a_run_by_hand_reopens_nothing(engine: Engine) -> None:
    await remedied(engine, lit_again())
    handle = await engine.by_hand(lit_again(), pending=(alert(minutes=30),))
    assert (await ended(engine, handle)).incident == SECOND


async def test_a_repeat_of_what_reopened_is_told_in_the_incident_that_it_reopened(engine: Engine) -> None:
    playbook = lit_again()
    await remedied(engine, playbook)
    await remedied(engine, playbook, minutes=30)
    late = await ended(engine, await engine.fire(playbook, alert(minutes=30)))
    assert (late.incident, late.outcome) == (FIRST, None)
    assert (await engine.told(FIRST))[-1] is AuditKind.ALERT_SUPPRESSED
    assert await engine.store.audit.records(SECOND) == []


async def test_too_few_alerts_after_a_success_keep_the_look_back_and_use_up_no_run(engine: Engine) -> None:
    await remedied(engine, lit_again())
    playbook = lit_again(after={"count": 2, "within": "10m"})
    engine.lamp.level = 9
    handle = await engine.fire(playbook, alert(minutes=30))
    await engine.environment.sleep(timedelta(minutes=11))
    few = await ended(engine, handle)
    assert (few.incident, few.outcome) == (FIRST, Outcome.REFUSED)
    handle = await engine.fire(playbook, alert(minutes=30))
    await engine.fire(playbook, alert(minutes=30))
    assert ((await ended(engine, handle)).incident, engine.lamp.writes) == (FIRST, [1, 1])
    row = await engine.store.incidents.get(FIRST)
    assert (row.outcome, row.reopened, row.runs) == ("remediated", 2, 2)


async def test_what_comes_and_goes_counts_towards_the_alerts_that_are_asked_for(engine: Engine) -> None:
    playbook = lit_again(after={"count": 2, "within": "10m"})
    handle = await engine.fire(playbook, alert(), alert(resolved=True))
    await engine.environment.sleep(timedelta(minutes=5))
    await engine.fire(playbook, alert(minutes=30))
    assert (await ended(engine, handle)).outcome is Outcome.REMEDIATED


async def test_the_alerts_that_are_asked_for_count_in_any_window(engine: Engine) -> None:
    """The second comes too late for the first, the third in time for the second."""
    playbook = lit_again(after={"count": 2, "within": "10m"})
    handle = await engine.fire(playbook, alert())
    await engine.environment.sleep(timedelta(minutes=9))
    await handle.signal("alerts", {"alerts": [alert(resolved=True).model_dump(mode="json")]})
    await engine.environment.sleep(timedelta(minutes=2))
    assert (await ended(engine, handle)).outcome is Outcome.RESOLVED
    assert engine.lamp.writes == []
    three = lit_again(after={"count": 3, "within": "10m"})
    handle = await engine.fire(three, alert(minutes=30))
    await engine.environment.sleep(timedelta(minutes=8))
    for number in (2, 3):
        await engine.fire(three, alert(number, minutes=30))
        await engine.environment.sleep(timedelta(minutes=11))
    assert (await ended(engine, handle)).outcome is Outcome.REFUSED
    handle = await engine.fire(three, alert(minutes=60))
    await engine.environment.sleep(timedelta(minutes=8))
    await engine.fire(three, alert(2, minutes=60))
    await engine.environment.sleep(timedelta(minutes=5))
    await engine.fire(three, alert(3, minutes=60))
    await engine.fire(three, alert(4, minutes=60))
    assert (await ended(engine, handle)).outcome is Outcome.REMEDIATED


async def test_once_within_a_time_refuses_the_next_one_and_lets_a_later_repeat_act(engine: Engine) -> None:
    playbook = lit_again(once={"within": "1h"})
    await remedied(engine, playbook)
    await engine.environment.sleep(timedelta(minutes=5))
    refused = await remedied(engine, playbook, minutes=30)
    assert (refused.incident, refused.outcome) == (SECOND, Outcome.REFUSED)
    assert f"incident {FIRST} acted 5m" in refused.reason
    assert "one run within 1h: not before 20" in refused.reason
    (told,) = await messages(engine, SECOND, AuditKind.ALERT_SUPPRESSED)
    assert told == f"Not acted on: {refused.reason}"
    assert engine.lamp.writes == [1]
    assert (await engine.store.incidents.get(FIRST)).outcome == "remediated"
    await engine.environment.sleep(timedelta(minutes=56))
    repeat = await remedied(engine, playbook, minutes=30)
    assert (repeat.incident, repeat.outcome, engine.lamp.writes) == (SECOND, Outcome.REMEDIATED, [1, 1])


async def test_once_until_resolved_waits_for_the_end_that_the_gateway_hears_of(engine: Engine) -> None:
    playbook = lit_again(once="until_resolved")
    await remedied(engine, playbook)
    refused = await remedied(engine, playbook, minutes=30)
    assert refused.outcome is Outcome.REFUSED
    assert "one run until resolved: 1 alert of the group did not resolve" in refused.reason
    row = await engine.store.incidents.get(FIRST)
    assert row.closed_at
    assert row.cleared_at is None
    end = row.closed_at + timedelta(minutes=1)
    await engine.store.groups.resolved({GROUP: [sighting(alert(minutes=30, resolved=True), end)]})
    assert (await engine.store.incidents.get(FIRST)).cleared_at == end
    acts = await remedied(engine, playbook, minutes=60)
    assert (acts.incident, acts.outcome) == (FIRST, Outcome.REMEDIATED)
    assert engine.lamp.writes == [1, 1]


async def test_once_until_resolved_knows_an_end_that_comes_along_with_the_next_alert(engine: Engine) -> None:
    playbook = lit_again(once="until_resolved")
    await remedied(engine, playbook)
    engine.lamp.level = 9
    result = await ended(engine, await engine.fire(playbook, alert(resolved=True), alert(2)))
    assert (result.incident, result.outcome) == (FIRST, Outcome.REMEDIATED)


async def test_an_end_that_comes_along_with_a_late_repeat_is_not_lost(engine: Engine) -> None:
    playbook = lit_again()
    await ended(engine, await engine.fire(playbook, alert(), alert(2)))
    late = await ended(engine, await engine.fire(playbook, alert(), alert(2, resolved=True)))
    assert late.outcome is None
    row = await engine.store.incidents.get(FIRST)
    assert row.closed_at
    assert row.cleared_at is None
    end = row.closed_at + timedelta(minutes=1)
    await engine.store.groups.resolved({GROUP: [sighting(alert(resolved=True), end)]})
    assert (await engine.store.incidents.get(FIRST)).cleared_at == end


async def test_once_until_resolved_knows_an_end_that_came_while_it_was_open(engine: Engine) -> None:
    playbook = lit_again([APPROVED, LOOK], once="until_resolved")
    playbook = playbook.model_copy(update={"on_resolved": "continue"})
    handle = await engine.fire(playbook, alert())
    await engine.waiting(FIRST)
    await handle.signal("alerts", {"alerts": [alert(resolved=True).model_dump(mode="json")]})
    await engine.signal(FIRST, "approve", {"by": "ana@example.com"})
    assert (await ended(engine, handle)).outcome is Outcome.REMEDIATED
    assert (await engine.store.incidents.get(FIRST)).cleared_at
    engine.lamp.level = 9
    handle = await engine.fire(playbook, alert(minutes=30))
    await approved(engine, 2)
    assert (await ended(engine, handle)).incident == FIRST


async def approved(engine: Engine, ordinal: int) -> RunStatus:
    """Approve what a run of the first incident asks, as soon as it does. Gives what was asked."""
    run = engine.client.get_workflow_handle(run_id(FIRST, ordinal))

    async def asks() -> RunStatus | None:
        try:
            status: RunStatus = await run.query("status", result_type=RunStatus)
        except RPCError:  # the run has not begun
            return None
        return status if status.gates else None

    asked: RunStatus = await until(asks)
    await run.signal("approve", {"by": "ana@example.com"})
    return asked


@pytest.mark.parametrize("within", ["one incident", "several"])
async def test_an_alert_that_comes_and_goes_is_told_and_makes_changes_ask(engine: Engine, within: str) -> None:
    playbook = lit_again()
    if within == "several":
        for minutes in range(2):
            await remedied(engine, playbook, minutes=minutes)
            at = (await engine.store.incidents.get(FIRST)).closed_at
            assert at
            await engine.store.groups.resolved({GROUP: [sighting(alert(minutes=minutes, resolved=True), at)]})
    else:
        gone = [alert(minutes=minutes, resolved=resolved) for minutes in range(2) for resolved in (False, True)]
        waiting = lit_again(after={"count": 3, "within": "10m"})
        await engine.fire(waiting, *gone)
        playbook = waiting
    engine.lamp.level = 9
    handle = await engine.fire(playbook, alert(minutes=2))
    ordinal = 3 if within == "several" else 1
    assert [gate.step for gate in (await approved(engine, ordinal)).gates] == ["dim"]
    assert (await ended(engine, handle)).outcome is Outcome.REMEDIATED
    row = await engine.store.incidents.get(FIRST)
    assert (row.flapping, row.runs) == (True, ordinal)
    spec = await spec_of(engine, FIRST, ordinal)
    assert spec.caution == "Alert LampTooBright flaps: it changed 4 times within 15m"
    assert await messages(engine, FIRST, AuditKind.ALERT_FLAPPING) == [
        f"{spec.caution}: while it does, each change needs a person's approval"
    ]


async def test_what_decides_on_a_reopening_is_in_the_history(engine: Engine) -> None:
    playbook = lit_again(once={"within": "1s"})
    await remedied(engine, playbook)
    await engine.environment.sleep(timedelta(seconds=2))
    await remedied(engine, playbook, minutes=30)
    replayer = Replayer(
        workflows=[Incident, Remediation],
        data_converter=pydantic_data_converter,
        workflow_runner=worker.workflow_runner(guard_core=True),
    )
    for workflow_id in (GROUP, run_id(FIRST, 2)):
        history = await engine.client.get_workflow_handle(workflow_id).fetch_history()
        await replayer.replay_workflow(history)
