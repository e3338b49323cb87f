"""An alert that clears while a run waits for people, on the real server."""

from typing import Any

from lamp import APPROVED, DIM, LOOK, Engine, alert, book, until
from temporalio.client import WorkflowHandle

from halon.contracts.audit import AuditKind
from halon.contracts.incident import IncidentResult
from halon.contracts.outcome import Outcome
from halon.core.ids import run_id

FIRST = "dim-0000000000-" + alert().episode[:8]
TRIGGER = {"alerts": ["LampTooBright"], "group_by": ["service"]}
LATER: dict[str, Any] = {**APPROVED, "id": "later", "with": {"to": 2}}


async def send(handle: WorkflowHandle[Any, IncidentResult], *alerts: Any) -> None:
    await handle.signal("alerts", {"alerts": [one.model_dump(mode="json") for one in alerts]})


async def told(engine: Engine, kind: AuditKind) -> None:
    async def is_told() -> bool:
        return kind in await engine.told(FIRST)

    await until(is_told)


async def test_a_run_that_changed_nothing_yet_ends_as_resolved(real_time_engine: Engine) -> None:
    engine = real_time_engine
    handle = await engine.fire(book([APPROVED, LOOK], trigger=TRIGGER), alert(), alert(2))
    await engine.waiting(FIRST)
    await send(handle, alert(resolved=True))
    await told(engine, AuditKind.ALERT_RESOLVED)
    assert (await engine.status(FIRST)).gates
    await send(handle, alert(2, resolved=True))
    result = await handle.result()
    assert (result.outcome, engine.lamp.writes) == (Outcome.RESOLVED, [])
    row = await engine.store.incidents.get(FIRST)
    assert (row.outcome, row.settled_as) == ("resolved", "resolved")
    assert row.cleared_at
    assert row.acted_at is None


async def test_a_run_that_changed_something_already_goes_on(real_time_engine: Engine) -> None:
    engine = real_time_engine
    handle = await engine.fire(book([DIM, LATER, LOOK], trigger=TRIGGER), alert())
    await engine.waiting(FIRST)
    await send(handle, alert(resolved=True))
    await told(engine, AuditKind.ALERT_RESOLVED)
    assert [gate.step for gate in (await engine.status(FIRST)).gates] == ["later"]
    await engine.signal(FIRST, "approve", {"by": "ana@example.com"})
    assert (await handle.result()).outcome is Outcome.REMEDIATED
    assert engine.lamp.writes == [1, 2]


async def test_a_playbook_that_says_so_goes_on(real_time_engine: Engine) -> None:
    engine = real_time_engine
    handle = await engine.fire(book([APPROVED, LOOK], trigger=TRIGGER, on_resolved="continue"), alert())
    await engine.waiting(FIRST)
    await send(handle, alert(resolved=True))
    await told(engine, AuditKind.ALERT_RESOLVED)
    assert (await engine.status(FIRST)).gates
    await engine.signal(FIRST, "approve", {"by": "ana@example.com"})
    assert (await handle.result()).outcome is Outcome.REMEDIATED


async def test_what_resolves_and_fires_again_before_anybody_is_asked_is_still_asked_about(
    real_time_engine: Engine,
) -> None:
    engine = real_time_engine
    seen: dict[str, Any] = {"id": "seen", "verify": {"uses": "lamp.look"}, "until": "${{ result.lit }}"}
    steps = [{**seen, "every": "100ms", "within": "1m"}, APPROVED, LOOK]
    engine.lamp.lit = False
    handle = await engine.fire(book(steps, trigger=TRIGGER), alert())
    await told(engine, AuditKind.RUN_STARTED)
    await send(handle, alert(resolved=True))
    await told(engine, AuditKind.ALERT_RESOLVED)
    await send(handle, alert(minutes=1))

    async def both() -> bool:
        return (await engine.told(FIRST)).count(AuditKind.ALERT_RECEIVED) == 2

    await until(both)
    engine.lamp.lit = True
    await engine.waiting(FIRST)
    await engine.signal(FIRST, "approve", {"by": "ana@example.com"})
    assert (await handle.result()).outcome is Outcome.REMEDIATED


async def test_an_end_and_a_new_beginning_in_one_batch_end_nothing(real_time_engine: Engine) -> None:
    engine = real_time_engine
    handle = await engine.fire(book([APPROVED, LOOK], trigger=TRIGGER), alert())
    await engine.waiting(FIRST)
    await send(handle, alert(resolved=True), alert(minutes=1))
    await told(engine, AuditKind.ALERT_RESOLVED)
    assert (await engine.status(FIRST)).gates
    await engine.signal(FIRST, "deny", {"by": "ana@example.com"})
    assert (await handle.result()).outcome is Outcome.DENIED


async def test_what_fires_again_while_a_run_ends_as_resolved_reopens_the_incident(real_time_engine: Engine) -> None:
    """The run has ended, the incident is about to close: nobody may lose the alert that comes now."""
    engine = real_time_engine
    write = engine.store.audit.append
    handle = await engine.fire(book([APPROVED, LOOK], trigger=TRIGGER), alert())
    await engine.waiting(FIRST)

    async def slow(records: Any, **more: Any) -> Any:
        if any(record.kind is AuditKind.RUN_FINISHED for record in records):
            await send(handle, alert(minutes=1))
        return await write(records, **more)

    engine.store.audit.append = slow  # type: ignore[method-assign]
    await send(handle, alert(resolved=True))
    second = engine.client.get_workflow_handle(run_id(FIRST, 2))

    async def asked() -> bool:
        return (await engine.told(FIRST)).count(AuditKind.APPROVAL_ASKED) == 2

    async def reopened() -> bool:
        return AuditKind.INCIDENT_REOPENED in await engine.told(FIRST)

    await until(reopened)
    await until(asked)
    row = (await engine.store.incidents.list())[0]
    assert (row.id, row.state, row.reopened, row.runs) == (FIRST, "open", 1, 2)
    await second.signal("approve", {"by": "ana@example.com"})
    result = await engine.client.get_workflow_handle(handle.id, result_type=IncidentResult).result()
    assert (result.incident, result.outcome, engine.lamp.writes) == (FIRST, Outcome.REMEDIATED, [1])
