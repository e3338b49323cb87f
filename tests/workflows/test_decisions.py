"""Decisions reach a run by signal and by update, count by the same rules, and leave their trace."""

import asyncio

import pytest
from lamp import APPROVED, LOOK, Engine, alert, book, until
from temporalio.client import WorkflowUpdateFailedError

from halon.contracts.audit import AuditKind
from halon.contracts.outcome import Outcome
from halon.contracts.run import OpenGate

FIRST = "dim-0000000000-" + alert().episode[:8]
QUORUM = {**APPROVED, "approve": {"within": "10m", "quorum": 2}}


async def test_the_question_shows_the_plan_and_the_update_answers_at_once(engine: Engine) -> None:
    handle = await engine.fire(book([APPROVED, LOOK]), alert())
    gate = (await engine.waiting(FIRST)).gates[0]
    assert [(row.field, row.before, row.after) for row in gate.plans[0].rows] == [("level", 9, 1)]
    decision = {"verdict": "approve", "by": "ana@example.com", "plan": gate.digest[:12]}
    answer = await engine.run(FIRST).execute_update("decide", decision)
    assert "taken: approve of dim by ana@example.com" in answer
    assert (await handle.result()).outcome is Outcome.REMEDIATED


@pytest.mark.parametrize(
    ("decision", "why"),
    [
        ({"verdict": "approve", "by": ""}, "by: String should have at least 1 character"),
        ({"verdict": "aprove", "by": "ana@example.com"}, "verdict: Input should be 'approve' or 'deny'"),
        ("ana@example.com", 'must be {"verdict": "approve", "by": "you@example.com"}'),
        ({"verdict": "approve", "by": "ana@example.com", "plan": "ffffffffffff"}, "plan"),
        ({"verdict": "approve", "by": "ana@example.com", "step": "other"}, "no step other waits"),
    ],
)
async def test_a_decision_that_does_not_count_is_told_why_and_audited(
    engine: Engine, decision: object, why: str
) -> None:
    handle = await engine.fire(book([APPROVED, LOOK]), alert())
    await engine.waiting(FIRST)
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await engine.run(FIRST).execute_update("decide", decision)
    assert why in str(refused.value.cause)
    assert engine.lamp.writes == []
    await engine.signal(FIRST, "deny", {"by": "ana@example.com"})
    assert (await handle.result()).outcome is Outcome.DENIED
    assert AuditKind.DECISION_REFUSED in await engine.told(FIRST)


async def test_a_signal_that_is_no_decision_is_refused_and_audited(engine: Engine) -> None:
    handle = await engine.fire(book([APPROVED, LOOK]), alert())
    await engine.waiting(FIRST)
    await engine.run(FIRST).signal("approve")
    await engine.run(FIRST).signal("approve", [1, 2])
    await engine.signal(FIRST, "deny", {"by": "ana@example.com"})
    assert (await handle.result()).outcome is Outcome.DENIED
    assert (await engine.told(FIRST)).count(AuditKind.DECISION_REFUSED) == 2


async def test_one_person_is_no_quorum_of_two_however_often(engine: Engine) -> None:
    handle = await engine.fire(book([QUORUM, LOOK]), alert())
    await engine.waiting(FIRST)
    run = engine.run(FIRST)
    await run.execute_update("decide", {"verdict": "approve", "by": "ana@example.com"})
    with pytest.raises(WorkflowUpdateFailedError):
        await run.execute_update("decide", {"verdict": "approve", "by": "Ana@example.com "})
    assert (await engine.status(FIRST)).gates[0].approved_by == ("ana@example.com",)
    assert engine.lamp.writes == []
    await run.execute_update("decide", {"verdict": "approve", "by": "bo@example.com"})
    assert (await handle.result()).outcome is Outcome.REMEDIATED


async def test_no_decision_in_time_is_never_an_approval(engine: Engine) -> None:
    handle = await engine.fire(book([APPROVED, LOOK]), alert())
    assert (await handle.result()).outcome is Outcome.EXPIRED
    assert engine.lamp.writes == []


async def test_who_started_a_run_by_hand_cannot_approve_it(engine: Engine) -> None:
    handle = await engine.by_hand(book([APPROVED, LOOK]), by="ana@example.com")
    incident = "dim-0000000000-manual"
    await engine.waiting(incident)
    with pytest.raises(WorkflowUpdateFailedError):
        await engine.run(incident).execute_update("decide", {"verdict": "approve", "by": "ana@example.com"})
    await engine.run(incident).execute_update("decide", {"verdict": "approve", "by": "bo@example.com"})
    assert (await handle.result()).outcome is Outcome.REMEDIATED


async def test_drift_after_the_approval_asks_again_on_the_new_plan(engine: Engine) -> None:
    handle = await engine.fire(book([APPROVED, LOOK]), alert())
    first = (await engine.waiting(FIRST)).gates[0]
    engine.lamp.level = 7
    await engine.run(FIRST).execute_update("decide", {"verdict": "approve", "by": "ana@example.com"})

    async def asked_again() -> OpenGate | None:
        gate = (await engine.waiting(FIRST)).gates[0]
        return gate if gate.digest != first.digest else None

    second = await until(asked_again)
    assert engine.lamp.writes == []
    decision = {"verdict": "approve", "by": "ana@example.com", "plan": first.digest}
    with pytest.raises(WorkflowUpdateFailedError):
        await engine.run(FIRST).execute_update("decide", decision)
    decision = {"verdict": "approve", "by": "ana@example.com", "plan": second.digest}
    await engine.run(FIRST).execute_update("decide", decision)
    assert (await handle.result()).outcome is Outcome.REMEDIATED
    assert engine.lamp.writes == [1]


async def test_a_hundred_decisions_at_once_are_bounded_and_the_run_lives(engine: Engine) -> None:
    handle = await engine.fire(book([QUORUM, LOOK]), alert())
    await engine.waiting(FIRST)
    run = engine.run(FIRST)
    await asyncio.gather(*(run.signal("approve", {"by": "ana@example.com"}) for _ in range(120)))

    async def digested() -> bool:
        return (await engine.status(FIRST)).gates[0].approved_by == ("ana@example.com",)

    await until(digested)
    await run.execute_update("decide", {"verdict": "approve", "by": "bo@example.com"})
    assert (await handle.result()).outcome is Outcome.REMEDIATED
    assert engine.lamp.writes == [1]
