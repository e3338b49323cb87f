"""A rollback goes to a pinned template, never flips back, and says who else writes there."""

from shop import CART, Shop

ROLLBACK = "kubernetes.rollback_deployment"


async def test_a_crash_loop_is_rolled_back_and_the_undo_restores_exactly_what_was_there(shop: Shop) -> None:
    await shop.roll_out("cart:2.0-crash", wait=False)
    broken = shop.there["spec"]["template"]
    plan = await shop.plan(ROLLBACK, **CART)
    shown = {row.field: (row.before, row.after) for row in plan.rows}
    assert shown["revision"] == (2, 1)
    assert shown["image of cart"] == ("cart:2.0-crash", "cart:1.0")
    await shop.apply(plan)
    assert (await shop.confirmed(plan)).state == "settled"
    assert shop.image == "cart:1.0"
    back = await shop.taken_back(plan)
    assert back.kind == "change"
    await shop.apply(back, key="k-undo")
    assert shop.there["spec"]["template"] == broken


async def test_doing_it_again_never_brings_the_bad_version_back(shop: Shop) -> None:
    await shop.roll_out("cart:2.0-crash", wait=False)
    plan = await shop.plan(ROLLBACK, **CART)
    await shop.apply(plan)
    await shop.confirmed(plan)
    again = await shop.plan(ROLLBACK, **CART)
    assert (again.kind, "rolled back from revision 2 already" in again.reason) == ("nothing", True)
    assert (await shop.read("kubernetes.get_rollout_history", **CART))["rolled_back"] is True


async def test_no_value_of_the_template_is_in_a_plan(shop: Shop) -> None:
    await shop.roll_out("cart:2.0")
    plan = await shop.plan(ROLLBACK, **CART)
    assert "planted-in-the-template" not in plan.model_dump_json()


async def test_a_named_revision_is_taken_and_one_that_is_gone_refused(shop: Shop) -> None:
    await shop.roll_out("cart:2.0")
    await shop.roll_out("cart:3.0")
    plan = await shop.plan(ROLLBACK, **CART, to_revision=1)
    assert "cart:1.0" in plan.summary
    gone = await shop.plan(ROLLBACK, **CART, to_revision=9)
    assert (gone.kind, gone.reason) == ("refused", "revision 9 is not kept; there are 1, 2, 3")
    assert (await shop.plan(ROLLBACK, **CART, to_revision=3)).kind == "nothing"


async def test_without_an_earlier_revision_there_is_nothing_to_go_back_to(shop: Shop) -> None:
    plan = await shop.plan(ROLLBACK, **CART)
    assert (plan.kind, plan.reason) == ("refused", "no other revision is kept")


async def test_a_paused_deployment_is_refused(shop: Shop) -> None:
    await shop.roll_out("cart:2.0")
    await shop.roll_out("cart:2.0", paused=True)
    assert "paused" in (await shop.plan(ROLLBACK, **CART)).reason


async def test_the_plan_tells_that_argo_cd_or_flux_may_revert_it(shop: Shop) -> None:
    argo = {"argocd.argoproj.io/tracking-id": "cart-app:apps/Deployment:shop/cart"}
    await shop.roll_out("cart:2.0", annotations=argo)
    plan = await shop.plan(ROLLBACK, **CART)
    assert plan.notes[0].startswith("managed by Argo CD application cart-app")


async def test_a_new_rollout_before_apply_is_drift_and_not_overwritten(shop: Shop) -> None:
    await shop.roll_out("cart:2.0")
    plan = await shop.plan(ROLLBACK, **CART)
    await shop.roll_out("cart:3.0")
    shop.cluster.journal.clear()
    applied = await shop.apply(plan)
    assert applied.status == "drift"
    assert applied.drift is not None
    assert "cart:2.0" in applied.drift.summary
    assert shop.cluster.journal.changes() == []


async def test_an_undo_leaves_what_somebody_else_rolled_out_since(shop: Shop) -> None:
    await shop.roll_out("cart:2.0")
    plan = await shop.plan(ROLLBACK, **CART)
    await shop.apply(plan)
    await shop.confirmed(plan)
    await shop.roll_out("cart:3.0")
    back = await shop.taken_back(plan)
    assert (back.kind, "somebody else changed it" in back.reason) == ("refused", True)


async def test_a_rollback_to_what_crashes_too_is_found_broken(shop: Shop) -> None:
    await shop.roll_out("cart:2.0-crash", wait=False)
    await shop.roll_out("cart:3.0")
    plan = await shop.plan(ROLLBACK, **CART, to_revision=2)
    await shop.apply(plan)
    settlement = await shop.confirmed(plan)
    assert settlement.state == "broken"
    assert "CrashLoopBackOff" in settlement.reason


async def test_a_release_that_says_of_itself_that_it_cannot_be_rolled_back_is_not(shop: Shop) -> None:
    await shop.roll_out("cart:2.0", of_pods={"halon.dev/rollback": "unsafe, it drops a column"})
    why = "revision 2 says of itself that it cannot be rolled back (halon.dev/rollback: unsafe, it drops a column)"
    assert (await shop.read("kubernetes.get_rollout_history", **CART))["unsafe"] == why
    plan = await shop.plan(ROLLBACK, **CART)
    assert (plan.kind, plan.reason.startswith(why), "even_if_unsafe" in plan.reason) == ("refused", True, True)
    await shop.roll_out("cart:3.0", of_pods={"halon.dev/rollback": "safe"})
    assert (await shop.plan(ROLLBACK, **CART)).kind == "change"
    over_it = await shop.plan(ROLLBACK, **CART, to_revision=1)
    assert over_it.reason.startswith(why)
    plan = await shop.plan(ROLLBACK, **CART, to_revision=1, even_if_unsafe=True)
    await shop.apply(plan)
    assert (await shop.confirmed(plan)).state == "settled"
    assert (await shop.taken_back(plan)).kind == "change"
