"""A restart replaces every pod once, and its undo stops one that does not come up."""

from shop import CART, Shop

RESTART = "kubernetes.restart_deployment"


async def test_every_pod_is_new_and_runs_the_same_image(shop: Shop) -> None:
    before = {one["metadata"]["name"] for one in shop.pods()}
    plan = await shop.plan(RESTART, **CART)
    await shop.apply(plan)
    assert (await shop.confirmed(plan)).state == "settled"
    after = {one["metadata"]["name"] for one in shop.pods() if not one["metadata"].get("deletionTimestamp")}
    assert len(after) == 2
    assert not before & after
    assert shop.image == "cart:1.0"


async def test_a_second_restart_counts_on(shop: Shop) -> None:
    for count in (1, 2):
        plan = await shop.plan(RESTART, **CART)
        assert (plan.rows[0].before, plan.rows[0].after) == (count - 1, count)
        await shop.apply(plan, key=f"k-{count}")
        await shop.confirmed(plan)


async def test_a_restart_is_no_revision_to_go_back_to(shop: Shop) -> None:
    plan = await shop.plan(RESTART, **CART)
    await shop.apply(plan)
    await shop.confirmed(plan)
    assert (await shop.read("kubernetes.get_rollout_history", **CART))["previous"] is None


async def test_its_undo_restores_the_template(shop: Shop) -> None:
    before = shop.there["spec"]["template"]
    plan = await shop.plan(RESTART, **CART)
    await shop.apply(plan)
    await shop.confirmed(plan)
    back = await shop.taken_back(plan)
    await shop.apply(back, key="k-undo")
    assert shop.there["spec"]["template"] == before


async def test_nothing_runs_so_nothing_restarts(shop: Shop) -> None:
    await shop.roll_out("cart:1.0", replicas=0)
    assert (await shop.plan(RESTART, **CART)).kind == "nothing"
