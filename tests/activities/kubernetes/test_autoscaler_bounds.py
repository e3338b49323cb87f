"""Setting an autoscaler's bounds: within what is allowed, only those that are given, and put back exactly."""

from typing import Any

import pytest
from manifests import autoscaler
from shop import Shop, until

from halon.errors import InvalidInput

PATCH = "kubernetes.patch_autoscaler"
CART = {"namespace": "shop", "name": "cart"}


@pytest.fixture
async def scaled(shop: Shop) -> Shop:
    """The shop, whose cart an autoscaler keeps at 2 to 4 replicas, and which asks for 9."""
    made = autoscaler("Deployment", "cart", 2, 4)
    made["metadata"]["annotations"] = {"demo.halon.dev/metric-replicas": "9"}
    await shop.cluster.apply(made)
    await until(lambda: there(shop).get("status", {}).get("desiredReplicas") == 4)
    return shop


def there(shop: Shop) -> Any:
    return shop.cluster.read("autoscaling/v2", "HorizontalPodAutoscaler", "cart", "shop") or {}


def bounds(shop: Shop) -> tuple[int, int]:
    spec = there(shop)["spec"]
    return spec["minReplicas"], spec["maxReplicas"]


async def test_a_raised_maximum_lets_it_grow_and_its_undo_leaves_the_minimum_alone(scaled: Shop) -> None:
    plan = await scaled.plan(PATCH, **CART, max_replicas=8)
    assert (plan.before, plan.after) == ({"maxReplicas": 4}, {"maxReplicas": 8})
    await scaled.apply(plan)
    assert (await scaled.confirmed(plan)).state == "settled"
    assert bounds(scaled) == (2, 8)
    await until(lambda: bool(scaled.there["spec"]["replicas"] == 8))
    await scaled.cluster.apply(autoscaler("Deployment", "cart", 3, 8))
    back = await scaled.taken_back(plan)
    await scaled.apply(back, key="k-undo")
    assert (await scaled.confirmed(back)).reason.endswith("wants 4 replicas, within 3 to 4")
    assert bounds(scaled) == (3, 4)


async def test_what_is_so_already_needs_no_change(scaled: Shop) -> None:
    assert (await scaled.plan(PATCH, **CART, min_replicas=2, max_replicas=4)).kind == "nothing"


REFUSED: list[tuple[dict[str, int], str]] = [
    ({"min_replicas": 5}, "minReplicas would be 5, above maxReplicas, which would be 4"),
    ({"max_replicas": 1}, "minReplicas would be 2, above maxReplicas, which would be 1"),
    ({"max_replicas": 101}, "maxReplicas would be 101, and at_most is 100"),
    ({"max_replicas": 9, "at_most": 8}, "maxReplicas would be 9, and at_most is 8"),
    ({"max_replicas": 2, "at_least": 3}, "maxReplicas would be 2, and at_least is 3"),
    ({"min_replicas": 0, "at_least": 0}, "must be greater than or equal to 1"),
]


@pytest.mark.parametrize(("params", "why"), REFUSED, ids=[str(one[0]) for one in REFUSED])
async def test_bounds_that_do_not_hold_are_refused(scaled: Shop, params: dict[str, int], why: str) -> None:
    plan = await scaled.plan(PATCH, **CART, **params)
    assert (plan.kind, why in plan.reason) == ("refused", True), plan.reason


async def test_a_bound_that_may_only_be_raised_is_never_lowered(scaled: Shop) -> None:
    for params in ({"max_replicas": 3}, {"max_replicas": 4, "min_replicas": 1}):
        plan = await scaled.plan(PATCH, **CART, only="raise", **params)
        assert (plan.kind, "or is past them: 2 to 4" in plan.reason) == ("nothing", True)
    both = await scaled.plan(PATCH, **CART, only="raise", min_replicas=1, max_replicas=6)
    assert (both.before, both.after) == ({"minReplicas": 2, "maxReplicas": 4}, {"minReplicas": 2, "maxReplicas": 6})
    await scaled.apply(both)
    assert ((await scaled.confirmed(both)).state, bounds(scaled)) == ("settled", (2, 6))
    assert (await scaled.plan(PATCH, **CART, only="lower", max_replicas=9)).kind == "nothing"


async def test_a_bound_that_is_too_high_already_may_be_lowered(scaled: Shop) -> None:
    plan = await scaled.plan(PATCH, **CART, max_replicas=3, at_most=2)
    assert (plan.kind, plan.reason) == ("change", "")
    assert any("pods are taken away at once" in note for note in plan.notes)


async def test_a_call_that_asks_for_nothing_is_no_call(shop: Shop) -> None:
    with pytest.raises(InvalidInput, match="give `min_replicas`, `max_replicas` or both"):
        await shop.plan(PATCH, **CART)


async def test_what_keda_sets_is_left_to_it(scaled: Shop) -> None:
    made = autoscaler("Deployment", "cart", 2, 4)
    made["metadata"]["labels"] = {"scaledobject.keda.sh/name": "cart-scaler"}
    await scaled.cluster.apply(made)
    plan = await scaled.plan(PATCH, **CART, max_replicas=8)
    assert (plan.kind, "KEDA's ScaledObject cart-scaler sets its bounds" in plan.reason) == ("refused", True)


async def test_an_autoscaler_that_is_off_is_set_for_later(scaled: Shop) -> None:
    await scaled.roll_out("cart:1.0", replicas=0)

    def off() -> bool:
        return any(one["reason"] == "ScalingDisabled" for one in there(scaled)["status"]["conditions"])

    await until(off)
    plan = await scaled.plan(PATCH, **CART, max_replicas=6)
    assert any("its metrics move nothing at the moment (ScalingDisabled)" in note for note in plan.notes)
    await scaled.apply(plan)
    assert "off while there are no replicas" in (await scaled.confirmed(plan)).reason


async def test_one_whose_workload_is_gone_is_waited_for(scaled: Shop) -> None:
    plan = await scaled.plan(PATCH, **CART, max_replicas=3)
    await scaled.cluster.remove("apps/v1", "Deployment", "cart", "shop")
    await until(lambda: there(scaled)["status"]["conditions"][0]["reason"] == "FailedGetScale")
    await scaled.apply(plan)
    waits = await scaled.settlement(plan)
    assert (waits.state, "still wants 4 replicas, not 2 to 3" in waits.reason) == ("waiting", True)
