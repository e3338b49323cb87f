"""What stops a run, tripped one by one on a real server, and what people are told then."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from lamp import (
    ACTIONS,
    APPROVED,
    DIM,
    GROUP,
    LOOK,
    QUEUE,
    Engine,
    alert,
    book,
    real_server,
    running,
    time_skipping_server,
    until,
)

from halon.clients.ledger import LedgerClient
from halon.contracts.audit import AuditKind
from halon.contracts.incident import IncidentInput
from halon.contracts.ledger import (
    LEDGER_ID,
    RESET_UPDATE,
    RESUME_UPDATE,
    TRIP_UPDATE,
    UNLOCK_UPDATE,
    AdmissionRequest,
    BreakerCommand,
    Holder,
    LedgerState,
    Pause,
    Resume,
    Unlock,
)
from halon.contracts.outcome import Outcome
from halon.contracts.run import INCIDENT_WORKFLOW, RunStatus
from halon.settings import Settings

OTHER = "blink-0000000000"
FIRST = f"{GROUP}-{alert().episode[:8]}"
SECOND = f"{OTHER}-{alert(2).episode[:8]}"
LOCKED: dict[str, Any] = {"target": "stage/lamp", "guard": {"lock": "target"}}


async def state(engine: Engine) -> LedgerState:
    return await engine.ledger.state()


async def test_two_incidents_that_come_to_one_target_meet_at_its_lock(real_time_engine: Engine) -> None:
    engine = real_time_engine
    first = await engine.fire(book([APPROVED, LOOK], **LOCKED), alert())
    await engine.waiting(FIRST)
    second = await (await engine.fire(book([DIM, LOOK], **LOCKED), alert(2), group=OTHER)).result()
    assert second.outcome is Outcome.REFUSED
    assert f"the lock stage/lamp is held by dim for incident {FIRST} since" in second.reason
    assert AuditKind.RUN_REFUSED in await engine.told(SECOND)
    assert engine.lamp.writes == []

    await engine.signal(FIRST, "approve", {"by": "ana@example.com"})
    assert (await first.result()).outcome is Outcome.REMEDIATED
    await until(lambda: _free(engine))
    third = await (await engine.fire(book([DIM, LOOK], **LOCKED), alert(3), group=OTHER)).result()
    assert third.outcome is Outcome.UNNECESSARY
    [admitted] = [
        one.message for one in await engine.store.audit.records(third.incident) if one.kind is AuditKind.RUN_ADMITTED
    ]
    assert f"as remediated (incident {FIRST})" in admitted


async def _free(engine: Engine) -> bool:
    return not (await state(engine)).locks


async def test_a_pause_holds_a_run_in_flight_before_its_next_change(real_time_engine: Engine) -> None:
    engine = real_time_engine
    handle = await engine.fire(book([APPROVED, LOOK]), alert())
    await engine.waiting(FIRST)
    answer = await engine.ledger.pause(Pause(by="ben@example.com", reason="the API is being moved"))
    assert answer.message.startswith("everything is paused by ben@example.com since ")
    await engine.signal(FIRST, "approve", {"by": "ana@example.com"})

    async def held() -> bool:
        return any("Held before its next change: everything is paused" in one for one in await _story(engine))

    await until(held)
    assert engine.lamp.writes == []
    await engine.ledger.command(RESUME_UPDATE, Resume(by="ben@example.com"))
    assert (await handle.result()).outcome is Outcome.REMEDIATED
    assert engine.lamp.writes == [1]
    told = await engine.told(FIRST)
    assert told.index(AuditKind.HELD) < told.index(AuditKind.HOLD_ENDED) < told.index(AuditKind.APPLIED)


async def _story(engine: Engine) -> tuple[str, ...]:
    return (await engine.status(FIRST)).story


async def test_an_alert_that_clears_while_its_run_is_held_ends_it(real_time_engine: Engine) -> None:
    engine = real_time_engine
    playbook = book([APPROVED, LOOK])
    handle = await engine.fire(playbook, alert())
    await engine.waiting(FIRST)
    await engine.ledger.pause(Pause(by="ben@example.com", reason="the API is being moved"))
    await engine.signal(FIRST, "approve", {"by": "ana@example.com"})
    await until(lambda: _is_held(engine))
    await engine.fire(playbook, alert(resolved=True))
    result = await handle.result()
    assert (result.outcome, engine.lamp.writes) == (Outcome.RESOLVED, [])


async def _is_held(engine: Engine) -> bool:
    return any("Held" in one for one in await _story(engine))


async def test_a_new_run_is_refused_while_everything_is_paused_also_when_the_store_is_down(engine: Engine) -> None:
    await engine.ledger.pause(Pause(by="ben@example.com", reason="the API is being moved", target="stage/"))
    result = await (await engine.fire(book([DIM, LOOK], **LOCKED), alert())).result()
    assert result.outcome is Outcome.REFUSED
    assert "targets under stage/ is paused by ben@example.com since" in result.reason
    assert "the API is being moved" in result.reason
    chain = f"guards-{datetime.now(UTC):%Y-%m}"
    assert AuditKind.PAUSED in await until(lambda: engine.told(chain))


async def test_a_breaker_opens_after_failures_lets_one_trial_through_and_closes(engine: Engine) -> None:
    guard = {"breaker": {"failures": 2, "within": "1d", "cooldown": "30m"}}
    failing = book(
        [DIM, {"id": "bad", "verify": {"uses": "lamp.look"}, "until": "${{ false }}", "within": "5s"}], guard=guard
    )
    for number in (1, 2):
        result = await (await engine.fire(failing, alert(number, minutes=number))).result()
        assert result.outcome is Outcome.UNDONE
    refused = await (await engine.fire(failing, alert(3, minutes=3))).result()
    assert refused.outcome is Outcome.REFUSED
    assert "the circuit breaker of dim is open until" in refused.reason
    assert "2 failures within 1d" in refused.reason

    await engine.environment.sleep(timedelta(minutes=31))
    good = book([DIM, LOOK], guard=guard)
    assert (await (await engine.fire(good, alert(4, minutes=40))).result()).outcome is Outcome.REMEDIATED
    assert (await until(lambda: _closed(engine))) is True


async def _closed(engine: Engine) -> bool:
    return (await state(engine)).breakers["dim"].state == "closed"


async def test_a_person_trips_and_resets_a_breaker(engine: Engine) -> None:
    command = BreakerCommand(by="ana@example.com", reason="it made things worse", key="dim")
    assert (await engine.ledger.command(TRIP_UPDATE, command)).done
    refused = await (await engine.fire(book([DIM, LOOK]), alert())).result()
    assert "open until a person resets it: tripped by ana@example.com: it made things worse" in refused.reason
    assert (await engine.ledger.command(RESET_UPDATE, command)).done
    assert (await (await engine.fire(book([DIM, LOOK]), alert(2))).result()).outcome is Outcome.REMEDIATED


async def test_a_run_whose_lock_a_person_freed_writes_no_more(real_time_engine: Engine) -> None:
    engine = real_time_engine
    handle = await engine.fire(book([APPROVED, LOOK], **LOCKED), alert())
    await engine.waiting(FIRST)
    await engine.ledger.command(UNLOCK_UPDATE, Unlock(by="ben", reason="it hangs", lock="stage/lamp"))
    await engine.signal(FIRST, "approve", {"by": "ana@example.com"})
    result = await handle.result()
    assert result.outcome is Outcome.REFUSED
    assert "the lock stage/lamp (number 1) is no longer this run's" in result.reason
    assert engine.lamp.writes == []


async def test_a_terminated_run_writes_nothing_and_keeps_its_lock_for_now(real_time_engine: Engine) -> None:
    engine = real_time_engine
    engine.lamp.stuck = asyncio.Event()
    first = await engine.fire(book([DIM, LOOK], **LOCKED), alert())
    await engine.lamp.looked.wait()
    engine.lamp.looked.clear()
    planning, engine.lamp.stuck = engine.lamp.stuck, asyncio.Event()
    planning.set()
    await engine.lamp.looked.wait()  # the apply looks at what is there, and stops before it writes
    await engine.run(FIRST).terminate("to see whether it writes")
    engine.lamp.stuck.set()
    result = await first.result()
    assert result.outcome is Outcome.FAILED
    refused = await (await engine.fire(book([DIM, LOOK], **LOCKED), alert(2), group=OTHER)).result()
    assert refused.outcome is Outcome.REFUSED, "something of the terminated run might still write"
    assert engine.lamp.writes == []


async def test_what_a_run_held_that_is_gone_comes_free_when_nothing_can_write_any_more(engine: Engine) -> None:
    gone = AdmissionRequest(
        holder=Holder(workflow="gone-run", run="00000000-0000-4000-8000-000000000000"),
        incident="gone",
        playbook="dim",
        target="stage/lamp",
        lock="stage/lamp",
        holds_for=timedelta(hours=1),
        automatic=True,
    )
    assert (await engine.ledger.admit(gone)).granted
    refused = await (await engine.fire(book([DIM, LOOK], **LOCKED), alert())).result()
    assert "is held by dim for incident gone" in refused.reason
    await engine.environment.sleep(timedelta(minutes=3))
    await until(lambda: _free(engine))
    assert (await (await engine.fire(book([DIM, LOOK], **LOCKED), alert(2))).result()).outcome is Outcome.REMEDIATED


async def test_a_pause_holds_also_when_the_store_is_down(real_time_engine: Engine, tmp_path: Path) -> None:
    engine = real_time_engine
    await engine.fire(book([APPROVED, LOOK]), alert())
    await engine.waiting(FIRST)
    await engine.store.close()
    await asyncio.to_thread(_without_a_database, tmp_path)
    answer = await engine.ledger.pause(Pause(by="ben@example.com", reason="the store is down"))
    assert answer.done
    await engine.signal(FIRST, "approve", {"by": "ana@example.com"})
    await until(lambda: _is_held(engine))
    assert engine.lamp.writes == []


async def test_a_storm_is_told_once_and_its_runs_wait_for_people(tmp_path: Path) -> None:
    channels = {"on-call": [{"env": "NOWHERE"}]}
    given = {"storm": {"incidents": 2, "within": "10m", "notify": ["on-call"]}, "notify": {"channels": channels}}
    async with running(tmp_path, await real_server(), Settings.model_validate(given)) as engine:
        for number, group in enumerate(("one", "two"), start=1):
            handle = await engine.fire(book([DIM, LOOK]), alert(number), group=f"{group}-0000000000")
            assert (await handle.result()).outcome in {Outcome.REMEDIATED, Outcome.UNNECESSARY}
        for number, group in enumerate(("three", "four"), start=3):
            await engine.fire(book([{**DIM, "with": {"to": number}}, LOOK]), alert(number), group=f"{group}-0000000000")
            status = await engine.waiting(f"{group}-0000000000-{alert(number).episode[:8]}")
            assert "there is a storm of incidents since" in status.gates[0].message
        await until(lambda: _told(engine))
        assert engine.lamp.writes == [1]
        told = "on-call: A storm: more than 2 new incidents within 10m; automatic changes need a person's approval"
        assert engine.lamp.told == [f"{told} until it has passed"]


async def _told(engine: Engine) -> bool:
    return bool(engine.lamp.told)


async def test_a_ledger_that_was_terminated_goes_on_with_what_it_knew(real_time_engine: Engine) -> None:
    engine = real_time_engine
    await engine.ledger.pause(Pause(by="ben@example.com", reason="the API is being moved"))
    await engine.client.get_workflow_handle(LEDGER_ID).terminate("by mistake")
    result = await (await engine.fire(book([DIM, LOOK]), alert())).result()
    assert result.outcome is Outcome.REFUSED
    assert "paused by ben@example.com" in result.reason


async def test_a_ledger_is_continued_with_all_that_it_knows_and_answers_meanwhile(real_time_engine: Engine) -> None:
    engine = real_time_engine
    handle = await engine.fire(book([APPROVED, LOOK], **LOCKED), alert())
    await engine.waiting(FIRST)
    before = await engine.client.get_workflow_handle(LEDGER_ID).describe()
    client: LedgerClient = engine.ledger
    trip = BreakerCommand(by="ana", reason="again and again", key="other")
    for _ in range(21):
        await asyncio.gather(*(client.command(TRIP_UPDATE, trip) for _ in range(50)))
    after = await engine.client.get_workflow_handle(LEDGER_ID).describe()
    assert after.run_id != before.run_id
    found = await state(engine)
    assert found.locks["stage/lamp"].incident == FIRST
    await engine.signal(FIRST, "approve", {"by": "ana@example.com"})
    assert (await handle.result()).outcome is Outcome.REMEDIATED
    await until(lambda: _free(engine))


async def test_a_lock_is_kept_also_when_the_ledger_was_terminated_before(
    real_time_engine: Engine,
) -> None:
    engine = real_time_engine
    gate, more = {"id": "more", "approve": {"within": "10m"}}, {**DIM, "id": "dimmer", "with": {"to": 0}}
    handle = await engine.fire(book([{**DIM, "undo": "never"}, gate, more], **LOCKED), alert())
    await engine.waiting(FIRST)
    await engine.client.get_workflow_handle(LEDGER_ID).terminate("by mistake")
    await engine.run(FIRST).signal("deny", {"by": "ana@example.com"})
    assert (await handle.result()).outcome is Outcome.FAILED
    found = await state(engine)
    assert found.locks["stage/lamp"].kept
    assert not found.holders


async def test_a_pause_of_a_playbook_holds_it_within_another(real_time_engine: Engine) -> None:
    engine = real_time_engine
    inner = book([APPROVED]).model_copy(update={"metadata": book([DIM]).metadata.model_copy(update={"name": "inner"})})
    outer = book([{"id": "call", "playbook": "inner"}, LOOK])
    given = {"group": GROUP, "playbook": outer, "effects": ACTIONS.effects, "library": {"inner": inner}}
    await engine.client.start_workflow(
        INCIDENT_WORKFLOW, IncidentInput(**given, pending=(alert(),)), id=GROUP, task_queue=QUEUE
    )
    await engine.waiting(FIRST)
    await engine.ledger.pause(Pause(by="ben@example.com", reason="it does harm", playbook="inner"))
    await engine.signal(FIRST, "approve", {"by": "ana@example.com"})
    await until(lambda: _is_held(engine))
    assert engine.lamp.writes == []


async def test_a_freeze_stops_a_change_of_its_target_whatever_the_playbooks_target(tmp_path: Path) -> None:
    frozen = Settings.model_validate(
        {"data_dir": tmp_path, "freeze": [{**everything_is_frozen(), "targets": ["lamp"]}]}
    )
    async with running(tmp_path, await real_server(), frozen) as engine:
        result = await (await engine.fire(book([DIM, LOOK]), alert())).result()
        assert (result.outcome, engine.lamp.writes) == (Outcome.REFUSED, [])
        assert "change freeze year end" in result.reason


def _without_a_database(directory: Path) -> None:
    """A closed store opens its file anew when it is asked: nothing can be opened here."""
    for file in directory.glob("halon.db*"):
        file.unlink()
    (directory / "halon.db").mkdir()


async def test_a_store_that_is_down_does_not_keep_the_ledger_from_being_continued(
    real_time_engine: Engine, tmp_path: Path
) -> None:
    engine, trip = real_time_engine, BreakerCommand(by="ana", reason="again and again", key="other")
    await engine.ledger.pause(Pause(by="ben@example.com", reason="the store is down"))
    before = await engine.client.get_workflow_handle(LEDGER_ID).describe()
    await engine.store.close()
    await asyncio.to_thread(_without_a_database, tmp_path)
    client = engine.ledger
    for _ in range(21):
        await asyncio.gather(*(client.command(TRIP_UPDATE, trip) for _ in range(50)))

    async def continued() -> bool:
        return (await engine.client.get_workflow_handle(LEDGER_ID).describe()).run_id != before.run_id

    await until(continued, within=20)
    assert [one.reason for one in (await state(engine)).pauses] == ["the store is down"]


def everything_is_frozen() -> dict[str, Any]:
    return {
        "name": "year end",
        "reason": "the books are closed",
        "from": "2020-01-01T00:00:00Z",
        "until": "2100-01-01T00:00:00Z",
    }


async def test_a_freeze_refuses_and_says_until_when(tmp_path: Path) -> None:
    frozen = Settings.model_validate({"data_dir": tmp_path, "freeze": [everything_is_frozen()]})
    async with running(tmp_path, await time_skipping_server(), frozen) as engine:
        result = await (await engine.fire(book([DIM, LOOK], **LOCKED), alert())).result()
        assert result.outcome is Outcome.REFUSED
        assert "change freeze year end until 2100-01-01 00:00:00 UTC: the books are closed" in result.reason
        assert not (await state(engine)).locks


async def test_a_playbook_that_overrides_a_freeze_asks_a_person(tmp_path: Path) -> None:
    frozen = Settings.model_validate({"data_dir": tmp_path, "freeze": [everything_is_frozen()]})
    async with running(tmp_path, await real_server(), frozen) as engine:
        handle = await engine.fire(book([DIM, LOOK], guard={"freeze": "override"}), alert())
        status = await engine.waiting(FIRST)
        assert "it overrides the change freeze year end" in status.gates[0].message
        assert engine.lamp.writes == []
        await engine.signal(FIRST, "approve", {"by": "ana@example.com"})
        assert (await handle.result()).outcome is Outcome.REMEDIATED


async def test_no_playbook_can_loosen_the_policy(tmp_path: Path) -> None:
    rules = [
        {"name": "not to zero", "if": "${{ step.after.level == 0 }}", "deny": "a dark stage is dangerous"},
        {"name": "two people", "if": "${{ environment == 'production' }}", "require": {"quorum": 2}},
    ]
    strict = Settings.model_validate({"data_dir": tmp_path, "policy": rules, "environment": "production"})
    async with running(tmp_path, await real_server(), strict) as engine:
        dark = {**DIM, "with": {"to": 0}}
        result = await (await engine.fire(book([dark, LOOK]), alert(2), group=OTHER)).result()
        assert result.outcome is Outcome.REFUSED
        assert "policy 'not to zero': a dark stage is dangerous" in result.reason

        handle = await engine.fire(book([{"approve": {"quorum": 1}}, DIM, LOOK]), alert())
        await engine.waiting(FIRST)
        await engine.run(FIRST).signal("approve", {"by": "ana@example.com"})

        async def asked_about_the_change() -> RunStatus | None:
            status = await engine.status(FIRST)
            return status if status.gates and status.gates[0].step == "dim" else None

        status = await until(asked_about_the_change)
        assert (status.gates[0].step, status.gates[0].quorum) == ("dim", 2)
        await engine.run(FIRST).signal("approve", {"by": "ana@example.com"})
        await engine.signal(FIRST, "approve", {"by": "ben@example.com"})
        assert (await handle.result()).outcome is Outcome.REMEDIATED
