"""Images are set where they are named, and a rollout is halted and let go again."""

from typing import Any

import pytest
from shop import CART, Shop, until

SET = "kubernetes.set_image"


async def test_an_image_is_set_rolled_out_and_taken_back(shop: Shop) -> None:
    plan = await shop.plan(SET, **CART, images={"cart": "cart:2.0"})
    assert plan.summary == "Set the image of Deployment shop/cart: cart cart:2.0"
    assert [(row.field, row.before, row.after) for row in plan.rows] == [("image of cart", "cart:1.0", "cart:2.0")]
    await shop.apply(plan)
    assert (await shop.confirmed(plan)).state == "settled"
    back = await shop.taken_back(plan)
    await shop.apply(back, key="k-undo")
    assert (await shop.confirmed(back)).state == "settled"
    assert shop.image == "cart:1.0"


async def test_an_image_that_crashes_is_found_broken(shop: Shop) -> None:
    plan = await shop.plan(SET, **CART, images={"cart": "cart:2.0-crash"})
    await shop.apply(plan)
    assert (await shop.confirmed(plan)).state == "broken"


async def test_the_image_that_is_there_needs_no_change_also_while_it_is_paused(shop: Shop) -> None:
    await shop.roll_out("cart:1.0", paused=True, wait=False)
    assert (await shop.plan(SET, **CART, images={"cart": "cart:1.0"})).kind == "nothing"
    plan = await shop.plan(SET, **CART, images={"cart": "cart:2.0"})
    assert (plan.kind, plan.reason) == ("refused", "rollouts of Deployment shop/cart are paused: resume them first")


async def test_a_container_that_is_not_there_is_refused_with_those_that_are(shop: Shop) -> None:
    plan = await shop.plan(SET, **CART, images={"chart": "cart:2.0"})
    assert (plan.kind, plan.reason) == ("refused", "Deployment shop/cart has no container chart; it has cart")


@pytest.mark.parametrize(
    ("image", "moves"),
    [
        ("cart", True),
        ("cart:latest", True),
        ("example.org:5000/cart", True),
        ("example.org:5000/cart:1.0", False),
        (f"cart@sha256:{'0' * 64}", False),
    ],
)
async def test_an_image_without_a_version_is_told(shop: Shop, image: str, moves: bool) -> None:  # noqa: FBT001  # a case
    plan = await shop.plan(SET, **CART, images={"cart": image})
    assert any("names no version" in note for note in plan.notes) is moves


async def test_a_rollout_is_halted_half_way_and_let_go_again(shop: Shop) -> None:
    await shop.roll_out("cart:2.0-unready", wait=False)
    await until(lambda: shop.there["status"].get("updatedReplicas", 0) > 0)
    pause = await shop.plan("kubernetes.pause_rollout", **CART)
    assert any("in the middle of a rollout: 1 new pods" in note for note in pause.notes)
    await shop.apply(pause)
    assert (await shop.confirmed(pause)).state == "settled"
    await shop.roll_out("cart:3.0", paused=True, wait=False)
    resume = await shop.plan("kubernetes.resume_rollout", **CART)
    assert any("its template was changed while it was paused" in note for note in resume.notes)
    await shop.apply(resume, key="k-2")
    assert (await shop.confirmed(resume)).state == "settled"
    assert {one["spec"]["containers"][0]["image"] for one in shop.pods()} == {"cart:3.0"}


@pytest.mark.parametrize(
    ("action", "paused", "reason"),
    [
        ("kubernetes.pause_rollout", True, "rollouts of Deployment shop/cart are paused already"),
        ("kubernetes.resume_rollout", False, "rollouts of Deployment shop/cart are not paused"),
    ],
)
async def test_what_is_so_already_needs_no_change(shop: Shop, action: str, paused: Any, reason: str) -> None:
    await shop.roll_out("cart:1.0", paused=paused, wait=False)
    plan = await shop.plan(action, **CART)
    assert (plan.kind, plan.reason) == ("nothing", reason)
