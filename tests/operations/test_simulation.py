"""A simulation looks at the live systems, shows the real plan, and writes nothing."""

import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

sys.path.insert(0, str(Path(__file__).parents[1] / "activities" / "kubernetes"))

from shop import REGISTRY, Shop, opened

from halon.clients.kubernetes.api import KubernetesApi
from halon.contracts.alert import Alert, AlertStatus
from halon.contracts.base import JsonObject
from halon.contracts.ledger import BreakerCommand, LedgerState, Pause
from halon.contracts.outcome import Outcome
from halon.contracts.people import Electorate, ElectorateRequest
from halon.contracts.plan import ActionCall, Effect, Plan
from halon.contracts.playbook import Playbook
from halon.contracts.run import RunSpec
from halon.core.ledger import Ledger
from halon.core.runtime import ActionFailed
from halon.errors import TransientError
from halon.kit.env import Env
from halon.kit.lifecycle import Lifecycle
from halon.operations.looking import GuardsCopy, Looking, UnkeptEvidence
from halon.operations.simulation import Simulation, simulate
from halon.settings import Settings

ROLLBACK: JsonObject = {
    "id": "rollback",
    "uses": "kubernetes.rollback_deployment",
    "with": {"namespace": "shop", "name": "cart"},
    "approve": {"from": ["group:sre"], "quorum": 2},
}
HISTORY: JsonObject = {
    "id": "history",
    "uses": "kubernetes.get_rollout_history",
    "with": {"namespace": "shop", "name": "cart"},
}
VERIFY: JsonObject = {
    "id": "healthy",
    "verify": {"uses": "kubernetes.rollout_status", "with": {"namespace": "shop", "name": "cart"}},
    "until": "${{ result.complete }}",
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Shop]:
    """A Deployment whose second release has rolled out."""
    async with opened(tmp_path_factory.mktemp("shop")) as one:
        await one.roll_out("cart:2.0")
        one.cluster.journal.clear()
        yield one


pytestmark = pytest.mark.asyncio(loop_scope="module")


def spec_of(*steps: JsonObject, **more: Any) -> RunSpec:
    book = {
        "apiVersion": "halon/v1",
        "kind": "Playbook",
        "metadata": {"name": "roll-back", "title": "Roll back", "owner": "team-a"},
        "target": "k8s/demo/shop/deployment/cart",
        "steps": list(steps),
        **more,
    }
    alert = Alert(
        source="test",
        name="Broken",
        fingerprint="f",
        status=AlertStatus.FIRING,
        labels={"namespace": "shop"},
        starts_at=datetime.now(UTC) - timedelta(minutes=5),
    )
    playbook = Playbook.model_validate(book)
    return RunSpec(incident="s", playbook=playbook, effects=REGISTRY.effects, alerts=(alert,), dry_run=True)


async def anyone(request: ElectorateRequest) -> Electorate:
    assert request.from_ == ("group:sre",)
    return Electorate(anyone=True)


async def run(shop: Shop, spec: RunSpec, state: LedgerState | None = None) -> Simulation:
    lifecycle = Lifecycle(REGISTRY, Env(shop.env.get(KubernetesApi), UnkeptEvidence()))
    return await simulate(spec, lifecycle, GuardsCopy(Settings(), state or LedgerState()), anyone)


async def test_it_reads_plans_with_real_values_and_writes_nothing(shop: Shop) -> None:
    evidence: JsonObject = {
        "id": "evidence",
        "uses": "kubernetes.collect_evidence",
        "with": {"namespace": "shop", "selector": "${{ steps.history.output.selector }}"},
    }
    found = await run(shop, spec_of(HISTORY, evidence, ROLLBACK, VERIFY))
    assert (found.result.outcome, found.result.reason) == (Outcome.DRY_RUN, "1 change planned, none made")
    (planned,) = found.plans
    rows = {row.field: (row.before, row.after) for row in planned.plan.rows}
    assert (planned.step, rows["image of cart"]) == ("rollback", ("cart:2.0", "cart:1.0"))
    assert [one for one in shop.cluster.journal if not one.dry_run] == []
    assert list(shop.evidence._directory.glob("**/*.json")) == []  # nothing was kept
    assert shop.image == "cart:2.0"


async def test_it_says_whom_it_would_ask_and_what_it_leaves_out(shop: Shop) -> None:
    page: JsonObject = {"id": "tell", "uses": "notify.page", "with": {"to": "ops", "summary": "going to roll back"}}
    found = await run(shop, spec_of(page, {"wait": "5m"}, ROLLBACK, VERIFY))
    (question,) = found.questions
    assert (question.step, question.approve.quorum, question.who) == ("rollback", 2, Electorate(anyone=True))
    assert question.plans == (found.plans[0].plan.summary,)
    assert found.left_out == [
        "tell: tells people by notify.page",
        "wait_2: waits 5m",
        "healthy: verifies by kubernetes.rollout_status that ${{ result.complete }} within 10m",
    ]


async def test_gates_before_other_steps_are_told_too(shop: Shop) -> None:
    gate: JsonObject = {"id": "gate", "approve": {"from": ["group:sre"]}}
    found = await run(shop, spec_of(gate, {**HISTORY, "approve": {"from": ["group:sre"]}}))
    assert [(one.step, one.plans) for one in found.questions] == [("gate", ()), ("history", ())]


async def test_a_schedule_that_does_not_answer_is_told(shop: Shop) -> None:
    async def nobody(_: ElectorateRequest) -> Electorate:
        raise TransientError("the schedule does not answer")

    guards = GuardsCopy(Settings(), LedgerState())
    found = await simulate(spec_of(ROLLBACK), shop.lifecycle, guards, nobody)
    assert (found.questions[0].who, found.questions[0].problem) == (None, "the schedule does not answer")


async def test_what_hangs_on_a_change_that_was_not_made_is_not_known(shop: Shop) -> None:
    late: JsonObject = {
        "id": "late",
        "if": "${{ steps.rollback.outcome == 'applied' }}",
        "stop": {"outcome": "refused", "reason": "x"},
    }
    after: JsonObject = {**HISTORY, "id": "again"}
    use: JsonObject = {"id": "use", "set": {"ready": "${{ steps.healthy.output.ready }}"}}
    found = await run(shop, spec_of(ROLLBACK, VERIFY, late, after, use))
    assert found.stale == ["again"]
    assert found.unknown[0] == "late: whether it runs hangs on what `rollback` comes to"
    assert found.unknown[1].startswith("use: it needs what `healthy` comes to (")


async def test_guards_answer_from_a_copy_of_their_state(shop: Shop) -> None:
    ledger, now = Ledger(), datetime.now(UTC)
    ledger.pause(Pause(by="ana", reason="audit", playbook="roll-back"), now)
    ledger.trip(BreakerCommand(by="ana", reason="no trust", key="roll-back"), now)
    breaker: JsonObject = {"failures": 3, "within": "1h", "cooldown": "30m"}
    state = ledger.state
    found = await run(shop, spec_of(ROLLBACK, guard={"lock": "target", "breaker": breaker}), state)
    assert found.admission is not None
    assert not found.admission.granted
    assert "roll-back is paused by ana" in found.admission.reason
    assert "circuit breaker" in found.admission.reason
    assert found.plans[0].plan.kind == "change"
    assert (ledger.state, state.locks) == (state, {})


async def test_a_failure_of_a_live_system_is_told_at_its_step(shop: Shop) -> None:
    missing: JsonObject = {**HISTORY, "with": {"namespace": "shop", "name": "basket"}}
    found = await run(shop, spec_of(missing, ROLLBACK))
    assert (found.result.outcome, found.plans) == (Outcome.FAILED, [])
    assert found.result.reason.startswith("history: ")
    assert "basket" in found.result.reason


async def test_only_a_dry_run_can_be_simulated(shop: Shop) -> None:
    spec = spec_of(ROLLBACK).model_copy(update={"dry_run": False})
    with pytest.raises(ValueError, match="dry run"):
        await run(shop, spec)


async def test_its_runtime_has_no_way_to_write_or_tell(shop: Shop) -> None:
    runtime = Looking(spec_of(ROLLBACK), shop.lifecycle, GuardsCopy(Settings(), LedgerState()))
    plan = Plan(kind="change", action="a.b", params={}, effect=Effect.CHANGE, target="t", summary="s")
    for call in (
        runtime.apply(plan, "s", "k"),
        runtime.confirm(plan, "s", timedelta(seconds=1)),
        runtime.read(ActionCall(action="notify.page", params={"to": "ops", "summary": "s"}), "s", None),
        runtime.read(ActionCall(action="kubernetes.rollback_deployment", params={}), "s", None),
    ):
        with pytest.raises(ActionFailed, match="writes nothing"):
            await call
