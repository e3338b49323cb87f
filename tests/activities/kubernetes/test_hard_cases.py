"""What remediation meets in the field: crash loops, lost revisions, denied permissions, overtaken writes."""

import json

import pytest
from shop import CART, Shop, autoscaler, opened_as, until

from activities.kubernetes._deployment import Workload
from activities.kubernetes.scale_deployment import ScaleDeployment
from halon.demo.cluster import READ_VERBS, Fault, FaultKind, Rule
from halon.errors import PermissionDenied, TransientError

SCALE = "kubernetes.scale_deployment"
ROLLBACK = "kubernetes.rollback_deployment"


async def test_what_crash_loops_is_scaled_away(shop: Shop) -> None:
    await shop.roll_out("cart:2.0-crash", wait=False)
    await shop.in_trouble()
    plan = await shop.plan(SCALE, **CART, replicas=0)
    await shop.apply(plan)
    assert (await shop.confirmed(plan)).state == "settled"


async def test_pods_that_crash_loop_on_their_way_out_do_not_break_scaling_to_none(shop: Shop) -> None:
    scale = ScaleDeployment(**CART, replicas=0)
    seen = await scale.observe(shop.env)
    assert isinstance(seen.workload, Workload)
    spec = seen.workload.deployment.spec.model_copy(update={"replicas": 0})
    there = seen.workload.deployment.model_copy(update={"spec": spec})
    troubles = ("cart-1/cart is in CrashLoopBackOff",)
    leaving = seen.model_copy(
        update={"workload": seen.workload.model_copy(update={"deployment": there, "troubles": troubles})}
    )
    found = scale.settled(leaving, {"replicas": 0})
    assert (found.state, found.reason) == ("waiting", "2 replicas too many are still there")


async def test_two_bad_rollouts_in_a_row_lead_to_the_one_that_still_serves(shop: Shop) -> None:
    await shop.roll_out("cart:2.0-crash", wait=False)
    await shop.roll_out("cart:3.0-crash", wait=False)
    assert "cart:1.0" in (await shop.plan(ROLLBACK, **CART)).summary


async def test_the_same_number_twice_is_the_same_revision(shop: Shop) -> None:
    await shop.roll_out("cart:2.0")
    plan = await shop.plan(ROLLBACK, **CART, to_revision=1)
    await shop.apply(plan)
    await shop.confirmed(plan)
    again = await shop.plan(ROLLBACK, **CART, to_revision=1)
    assert (again.kind, again.reason) == ("nothing", "Deployment shop/cart runs revision 3 already")


async def test_gone_back_to_what_fails_too_is_refused_and_no_success(shop: Shop) -> None:
    await shop.roll_out("cart:2.0-crash", wait=False)
    await shop.roll_out("cart:3.0-crash", wait=False)
    plan = await shop.plan(ROLLBACK, **CART, to_revision=2)
    await shop.apply(plan)
    await shop.in_trouble()
    again = await shop.plan(ROLLBACK, **CART)
    assert (again.kind, "fails too" in again.reason) == ("refused", True)


async def test_a_revision_that_was_pruned_is_refused_with_those_that_are_kept(shop: Shop) -> None:
    for number in (2, 3):
        await shop.roll_out(f"cart:{number}.0", revisionHistoryLimit=1)
    await until(lambda: len(shop.cluster.list("apps/v1", "ReplicaSet", "shop")) == 2)
    plan = await shop.plan(ROLLBACK, **CART, to_revision=1)
    assert (plan.kind, plan.reason) == ("refused", "revision 1 is not kept; there are 2, 3")


async def test_an_undo_whose_revision_was_pruned_is_refused(shop: Shop) -> None:
    await shop.roll_out("cart:2.0")
    plan = await shop.plan(ROLLBACK, **CART)
    await shop.apply(plan)
    await shop.confirmed(plan)
    await shop.roll_out("cart:1.0", revisionHistoryLimit=0)
    await until(lambda: len(shop.cluster.list("apps/v1", "ReplicaSet", "shop")) == 1)
    back = await shop.taken_back(plan)
    assert (back.kind, back.reason) == ("refused", "the revision that was there before is not kept any more")


async def test_keda_is_not_fought_even_at_none(shop: Shop) -> None:
    scaled = autoscaler(1, 6)
    scaled["metadata"]["labels"] = {"scaledobject.keda.sh/name": "cart-queue"}
    await shop.cluster.apply(scaled)
    plan = await shop.plan(SCALE, **CART, replicas=0)
    assert (plan.kind, "ScaledObject cart-queue" in plan.reason) == ("refused", True)


async def test_a_recreate_strategy_is_told_before_it_is_an_outage(shop: Shop) -> None:
    await shop.roll_out("cart:2.0", strategy={"type": "Recreate", "rollingUpdate": None})
    assert any("Recreate" in note for note in (await shop.plan(ROLLBACK, **CART)).notes)


async def test_a_plan_is_refused_a_permission_before_anybody_approves_it(shop: Shop) -> None:
    allowed = [Rule(verbs=READ_VERBS)]
    async with opened_as(shop, allowed) as limited:
        with pytest.raises(PermissionDenied, match="'patch' on 'deployments' in API group 'apps', namespace shop"):
            await limited.plan(SCALE, **CART, replicas=1)


async def test_a_write_that_was_overtaken_looks_again_and_is_made_once(shop: Shop) -> None:
    plan = await shop.plan(SCALE, **CART, replicas=3)
    shop.cluster.journal.clear()
    shop.cluster.faults.inject(Fault(kind=FaultKind.STATUS, status=409, method="PATCH", count=2))
    assert (await shop.apply(plan)).status == "applied"
    assert len(shop.cluster.journal.changes()) == 1


@pytest.mark.parametrize("kind", [FaultKind.LOSE_REQUEST, FaultKind.LOSE_REPLY])
async def test_a_worker_that_dies_in_the_write_leaves_one_change(shop: Shop, kind: FaultKind) -> None:
    await shop.roll_out("cart:2.0")
    plan = await shop.plan(ROLLBACK, **CART)
    shop.cluster.journal.clear()
    shop.cluster.faults.inject(Fault(kind=kind, method="PATCH"))
    with pytest.raises(TransientError):
        await shop.apply(plan)
    again = await shop.apply(plan)
    assert again.ours
    assert len(shop.cluster.journal.changes()) == 1
    assert shop.image == "cart:1.0"


async def test_what_somebody_changed_after_the_write_is_not_overwritten(shop: Shop) -> None:
    plan = await shop.plan(SCALE, **CART, replicas=3)
    await shop.apply(plan)
    await shop.roll_out("cart:1.0", replicas=5)
    again = await shop.apply(plan)
    assert (again.status, "changed by somebody else since" in again.reason) == ("already", True)
    assert (await shop.confirmed(plan)).state == "broken"


async def test_secrets_in_logs_events_and_states_are_masked_in_the_evidence(shop: Shop) -> None:
    token = "ghp_0123456789abcdefghij0123"
    await shop.roll_out(f"cart:{token}-crash", wait=False)
    await shop.in_trouble()
    pod = next(one for one in shop.pods() if token in str(one["spec"]))["metadata"]["name"]
    event = {"metadata": {"name": "leak", "namespace": "shop"}, "message": "login with password=planted123 failed"}
    about = {"kind": "Pod", "name": pod, "namespace": "shop"}
    await shop.cluster.apply({"apiVersion": "v1", "kind": "Event", **event, "involvedObject": about})
    found = await shop.read("kubernetes.collect_evidence", namespace="shop", selector="app=cart")
    kept = (await shop.evidence.get(found["digest"])).decode()
    assert "login with password" in kept
    assert "planted123" not in kept
    assert token not in kept
    assert any("starting cart" in one["text"] for one in json.loads(kept)["logs"])
