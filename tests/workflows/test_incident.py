"""An incident is one cause, however often and however late it is reported."""

import asyncio
import contextlib
import gc
import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest
from lamp import APPROVED, DIM, LOOK, Engine, alert, book, running, time_skipping_server, until
from temporalio.client import WorkflowExecutionStatus

from halon.contracts.audit import AuditKind
from halon.contracts.outcome import Outcome

FIRST = "dim-0000000000-" + alert().episode[:8]
CANCEL = "workflow_execution_cancel_requested_event_attributes"
TRIGGER = {"alerts": ["LampTooBright"], "group_by": ["service"]}


async def test_an_alert_comes_to_a_verified_remediation_and_its_whole_story_is_kept(engine: Engine) -> None:
    handle = await engine.fire(book([DIM, LOOK], target="stage/${{ alert.labels.lamp }}"), alert())
    result = await handle.result()
    assert (result.incident, result.outcome) == (FIRST, Outcome.REMEDIATED)
    assert engine.lamp.writes == [1]
    row = await engine.store.incidents.get(FIRST)
    assert (row.state, row.outcome, row.service, row.alert_count) == ("closed", "remediated", "stage", 1)
    assert row.target == "stage/1"
    told = await engine.told(FIRST)
    spine = [
        AuditKind.ALERT_RECEIVED,
        AuditKind.INCIDENT_OPENED,
        AuditKind.PLAYBOOK_MATCHED,
        AuditKind.RUN_STARTED,
        AuditKind.PLANNED,
        AuditKind.ATTEMPTED,
        AuditKind.APPLIED,
        AuditKind.CONFIRMED,
        AuditKind.VERIFIED,
        AuditKind.RUN_FINISHED,
        AuditKind.INCIDENT_CLOSED,
    ]
    assert [kind for kind in told if kind in spine] == spine


async def test_repeats_and_a_second_pod_of_the_same_cause_change_nothing_twice(engine: Engine) -> None:
    playbook = book([APPROVED, LOOK])
    handle = await engine.fire(playbook, alert())
    await engine.waiting(FIRST)
    for _ in range(3):
        await engine.fire(playbook, alert(), alert(2))
    await engine.signal(FIRST, "approve", {"by": "ana@example.com"})
    assert (await handle.result()).outcome is Outcome.REMEDIATED
    assert engine.lamp.writes == [1]
    assert (await engine.store.incidents.get(FIRST)).alert_count == 7


async def test_repeats_that_a_gateway_has_counted_are_in_the_story_and_the_sum_is_right(engine: Engine) -> None:
    playbook = book([APPROVED, LOOK])
    handle = await engine.fire(playbook, alert(), alert(2))
    await engine.waiting(FIRST)
    await engine.fire(playbook, alert())
    counts = {"repeats": {alert().episode: 40, alert(2).episode: 7}, "ends": {alert(3).episode: 2}}
    await handle.signal("alerts", counts)
    await engine.signal(FIRST, "approve", {"by": "ana@example.com"})
    await handle.result()
    assert (await engine.store.incidents.get(FIRST)).alert_count == 52
    records = await engine.store.audit.records(FIRST)
    told = [record for record in records if record.kind is AuditKind.ALERT_REPEATED]
    assert [record.data for record in told] == [
        {"times": 50, "episodes": {alert().episode: 41, alert(2).episode: 7, alert(3).episode: 2}}
    ]
    assert told[0].message == "3 alerts came again, 50 times in all"
    assert records.index(told[0]) < [record.kind for record in records].index(AuditKind.INCIDENT_CLOSED)


async def test_counted_repeats_make_up_the_number_that_a_trigger_asks_for(engine: Engine) -> None:
    playbook = book([DIM, LOOK], trigger={**TRIGGER, "after": {"count": 3, "within": "10m"}})
    handle = await engine.fire(playbook, alert())
    await handle.signal("alerts", {"repeats": {alert().episode: 2}})
    assert (await handle.result()).outcome is Outcome.REMEDIATED


async def test_a_late_repeat_of_what_was_handled_starts_nothing_and_is_told(engine: Engine) -> None:
    playbook = book([DIM, LOOK])
    await (await engine.fire(playbook, alert())).result()
    late = await (await engine.fire(playbook, alert())).result()
    assert (late.incident, late.outcome) == (FIRST, None)
    assert engine.lamp.writes == [1]
    assert (await engine.told(FIRST))[-1] is AuditKind.ALERT_SUPPRESSED


async def test_the_condition_that_starts_again_is_a_new_incident(engine: Engine) -> None:
    playbook = book([DIM, LOOK])
    await (await engine.fire(playbook, alert())).result()
    engine.lamp.level = 9
    again = await (await engine.fire(playbook, alert(minutes=30))).result()
    assert again.incident != FIRST
    assert again.outcome is Outcome.REMEDIATED
    assert engine.lamp.writes == [1, 1]


async def test_an_alert_that_clears_ends_a_run_that_still_waits(engine: Engine) -> None:
    handle = await engine.fire(book([APPROVED, LOOK]), alert())
    await engine.waiting(FIRST)
    await handle.signal("alerts", {"alerts": [alert(resolved=True).model_dump(mode="json")]})
    assert (await handle.result()).outcome is Outcome.RESOLVED
    assert engine.lamp.writes == []


async def test_what_happens_to_an_open_incident_is_written_while_it_is_open(real_time_engine: Engine) -> None:
    engine = real_time_engine
    handle = await engine.fire(book([APPROVED, LOOK], on_resolved="continue"), alert(), alert(2))
    await engine.waiting(FIRST)
    await handle.signal("alerts", {"alerts": [alert(2, resolved=True).model_dump(mode="json")]})

    async def told() -> bool:
        return AuditKind.ALERT_RESOLVED in await engine.told(FIRST)

    async def listed() -> list[str]:
        return [row.state for row in await engine.store.incidents.list()]

    await until(told)
    assert await until(listed) == ["open"]
    await engine.signal(FIRST, "deny", {"by": "ana@example.com"})
    assert (await handle.result()).outcome is Outcome.DENIED


async def test_too_few_alerts_are_refused_and_leave_the_condition_to_be_taken_up_again(engine: Engine) -> None:
    playbook = book([DIM, LOOK], trigger={**TRIGGER, "after": {"count": 2, "within": "10m"}})
    refused = await (await engine.fire(playbook, alert())).result()
    assert refused.outcome is Outcome.REFUSED
    assert "1 of the 2" in refused.reason
    handle = await engine.fire(playbook, alert())
    await engine.fire(playbook, alert())
    assert (await handle.result()).outcome is Outcome.REMEDIATED
    assert engine.lamp.writes == [1]


async def test_what_fires_anew_while_an_incident_closes_is_the_next_incident(engine: Engine) -> None:
    """A store that is slow to take the last record is the time in which such an alert comes."""
    playbook = book([DIM, LOOK])
    write = engine.store.incidents.upsert
    arrived = False

    async def slow(row: object) -> None:
        nonlocal arrived
        if row.state == "closed" and not arrived:  # type: ignore[attr-defined]
            arrived = True
            engine.lamp.level = 9
            await engine.fire(playbook, alert(minutes=30))
        await write(row)  # type: ignore[arg-type]

    engine.store.incidents.upsert = slow  # type: ignore[method-assign,assignment]
    handle = await engine.fire(playbook, alert())
    result = await handle.result()
    assert result.incident != FIRST
    assert result.outcome is Outcome.REMEDIATED
    assert engine.lamp.writes == [1, 1]
    assert (await engine.store.incidents.get(FIRST)).state == "closed"


async def test_cancelling_an_incident_puts_back_what_its_run_changed(real_time_engine: Engine) -> None:
    engine = real_time_engine
    handle = await engine.fire(book([DIM, {"id": "pause", "wait": "1h"}]), alert())

    async def dimmed() -> bool:
        return engine.lamp.writes == [1]

    await until(dimmed)
    await handle.cancel()
    assert (await handle.result()).outcome is Outcome.CANCELLED
    assert engine.lamp.level == 9
    assert (await engine.store.incidents.get(FIRST)).outcome == "cancelled"


async def test_cancelling_a_run_that_has_just_ended_does_not_deny_what_it_did(
    real_time_engine: Engine, tmp_path: Path
) -> None:
    engine = real_time_engine
    handle = await engine.fire(book([DIM, LOOK]), alert())
    await until(lambda: asyncio.sleep(0, engine.lamp.writes == [1]))
    with contextlib.closing(sqlite3.connect(tmp_path / "halon.db")) as busy:
        busy.execute("BEGIN IMMEDIATE")  # so that the run's last records have to wait

        async def ended() -> bool:
            return (await engine.status(FIRST)).result is not None

        async def asked_to_stop() -> bool:
            events = engine.run(FIRST).fetch_history_events()
            return any([event.HasField(CANCEL) async for event in events])

        await until(ended)
        await handle.cancel()
        await until(asked_to_stop)
    assert (await handle.result()).outcome is Outcome.REMEDIATED
    assert engine.lamp.level == 1
    assert (await engine.store.incidents.get(FIRST)).outcome == "remediated"


async def test_a_run_that_takes_too_long_is_undone(engine: Engine) -> None:
    handle = await engine.fire(book([DIM, {"id": "pause", "wait": "1h"}], timeout="10m"), alert())
    assert (await handle.result()).outcome is Outcome.UNDONE
    assert engine.lamp.writes == [1, 9]


async def test_a_run_by_hand_needs_no_alert_and_a_dry_one_changes_nothing(engine: Engine) -> None:
    handle = await engine.by_hand(book([DIM, LOOK]), dry_run=True)
    result = await handle.result()
    assert (result.outcome, result.incident) == (Outcome.DRY_RUN, "dim-0000000000-manual")
    assert engine.lamp.writes == []


async def test_temporals_own_list_can_filter_by_what_halon_knows(engine: Engine) -> None:
    handle = await engine.fire(book([APPROVED, LOOK]), alert())
    await engine.waiting(FIRST)
    described = await engine.run(FIRST).describe()
    found = {pair.key.name: pair.value for pair in described.typed_search_attributes.search_attributes}
    assert found["HalonPlaybook"] == "dim"
    assert found["HalonWaiting"] is True
    assert found["HalonService"] == "stage"
    await engine.signal(FIRST, "deny", {"by": "ana@example.com", "comment": "not now"})
    assert (await handle.result()).outcome is Outcome.DENIED
    after = await handle.describe()
    ended = {pair.key.name: pair.value for pair in after.typed_search_attributes.search_attributes}
    assert (ended["HalonState"], ended["HalonOutcome"]) == ("closed", "denied")
    assert after.status is WorkflowExecutionStatus.COMPLETED
    assert after.close_time
    assert after.close_time - after.start_time < timedelta(minutes=10)


async def test_a_worker_that_stops_throws_a_waiting_run_away_without_a_word(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The run has not ended: another worker takes it up. pytest fails on what it would say."""
    async with running(tmp_path, await time_skipping_server()) as engine:
        await engine.fire(book([APPROVED, LOOK]), alert())
        await engine.waiting(FIRST)
        waiting = engine.run(FIRST)
        described = await waiting.describe()
    gc.collect()
    assert described.status is WorkflowExecutionStatus.RUNNING
    assert [one.message for one in caplog.records if one.levelname == "ERROR"] == []
