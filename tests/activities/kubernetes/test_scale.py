"""Scaling sets the number, and never fights an autoscaler."""

from shop import CART, Shop, autoscaler

SCALE = "kubernetes.scale_deployment"


async def test_it_scales_down_and_its_undo_brings_the_number_back(shop: Shop) -> None:
    plan = await shop.plan(SCALE, **CART, replicas=0)
    await shop.apply(plan)
    assert (await shop.confirmed(plan)).state == "settled"
    back = await shop.taken_back(plan)
    await shop.apply(back, key="k-undo")
    assert (await shop.confirmed(back)).state == "settled"
    assert shop.there["spec"]["replicas"] == 2


async def test_the_number_that_is_there_needs_no_change(shop: Shop) -> None:
    assert (await shop.plan(SCALE, **CART, replicas=2)).kind == "nothing"


async def test_an_autoscaler_is_not_fought(shop: Shop) -> None:
    await shop.cluster.apply(autoscaler(2, 6))
    plan = await shop.plan(SCALE, **CART, replicas=4)
    assert plan.kind == "refused"
    assert "autoscaler cart-scaler sets the replicas (2 to 6)" in plan.reason


async def test_going_to_none_pauses_the_autoscaler_and_the_way_back_is_open(shop: Shop) -> None:
    await shop.cluster.apply(autoscaler(2, 6))
    plan = await shop.plan(SCALE, **CART, replicas=0)
    assert any("cart-scaler" in note for note in plan.notes)
    await shop.apply(plan)
    await shop.confirmed(plan)
    back = await shop.taken_back(plan)
    assert (back.kind, back.after) == ("change", {"replicas": 2})


async def test_two_steps_on_one_deployment_do_not_hide_each_others_marks(shop: Shop) -> None:
    scale, restart = (
        await shop.plan(SCALE, **CART, replicas=3),
        await shop.plan("kubernetes.restart_deployment", **CART),
    )
    await shop.apply(scale, key="k-scale")
    await shop.apply(restart, key="k-restart")
    assert ((await shop.apply(scale, key="k-scale")).status, (await shop.apply(restart, key="k-restart")).status) == (
        "already",
        "already",
    )
