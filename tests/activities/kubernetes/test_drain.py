"""Draining a node of a cluster: budgets are kept, progress is told, and what must not go is refused."""

from typing import Any

import pytest
from node_worlds import deployment
from shop import Shop, until

from halon.errors import PermanentError, TransientError


def budget(**spec: Any) -> dict[str, Any]:
    selector = {"matchLabels": {"app": "cart"}}
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "cart", "namespace": "shop"},
        "spec": {"selector": selector, **spec},
    }


def bare(name: str = "loose", **meta: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "shop", **meta},
        "spec": {"nodeName": "node-a", "containers": [{"name": "main", "image": "loose:1"}]},
    }


def on_node(shop: Shop, name: str = "node-a") -> list[Any]:
    return [one for one in shop.cluster.list("v1", "Pod", "shop") if one["spec"].get("nodeName") == name]


def node(shop: Shop) -> Any:
    return shop.cluster.read("v1", "Node", "node-a") or {}


async def with_budget(shop: Shop, **spec: Any) -> None:
    await shop.cluster.apply(budget(**spec))
    await until(
        lambda: bool((shop.cluster.list("policy/v1", "PodDisruptionBudget", "shop")[0]["status"]).get("conditions"))
    )


async def test_pods_move_and_undo_only_lets_the_node_take_pods_again(shop: Shop) -> None:
    plan = await shop.plan("kubernetes.drain", name="node-a")
    (pod,) = on_node(shop)
    assert [row.field for row in plan.rows] == ["unschedulable", "pods to evict", f"shop/{pod['metadata']['name']}"]
    assert plan.effect == "destroy"
    assert (await shop.apply(plan)).status == "applied"
    assert (
        await shop.confirmed(plan)
    ).reason == "node node-a is drained; 0 pods of DaemonSets or of the node itself stay"
    assert on_node(shop) == []
    back = await shop.taken_back(plan)
    assert (await shop.apply(back, "k-2")).status == "applied"
    assert "unschedulable" not in node(shop)["spec"]
    assert (await shop.plan("kubernetes.drain", name="node-b")).kind == "change"


async def test_what_a_budget_keeps_is_tried_again_and_named(shop: Shop) -> None:
    await with_budget(shop, minAvailable=2)
    plan = await shop.plan("kubernetes.drain", name="node-a")
    assert any("budget shop/cart wants all 2 of its pods to stay" in note for note in plan.notes)
    for _ in range(2):
        with pytest.raises(
            TransientError, match=r"1 of 1 pods are still on node node-a: shop/cart-.* \(budget shop/cart"
        ) as error:
            await shop.apply(plan)
    assert error.value.retry_after is not None
    assert node(shop)["spec"]["unschedulable"]
    assert len(on_node(shop)) == 1
    await shop.cluster.apply(budget(minAvailable=1))
    assert (await shop.apply(plan)).status == "applied"
    assert (await shop.confirmed(plan)).state == "settled"
    cordons = [one for one in shop.cluster.journal.changes() if one.resource == "nodes"]
    assert len(cordons) == 1


async def test_a_drain_that_budgets_stopped_is_taken_back(shop: Shop) -> None:
    await with_budget(shop, maxUnavailable=0)
    plan = await shop.plan("kubernetes.drain", name="node-a")
    with pytest.raises(TransientError):
        await shop.apply(plan)
    back = await shop.taken_back(plan)
    assert (back.action, back.kind) == ("kubernetes.uncordon", "change")


async def test_a_node_that_was_cordoned_before_is_drained_and_stays_cordoned(shop: Shop) -> None:
    await shop.cluster.apply(
        {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-a"}, "spec": {"unschedulable": True}}
    )
    plan = await shop.plan("kubernetes.drain", name="node-a")
    assert "cordoned before" in plan.undo.reason
    assert (await shop.apply(plan)).status == "applied"
    assert (await shop.confirmed(plan)).state == "settled"
    again = await shop.plan("kubernetes.drain", name="node-a")
    assert again.kind == "nothing"


async def test_what_must_not_go_is_refused_and_what_is_allowed_goes(shop: Shop) -> None:
    await shop.cluster.apply(bare())
    plan = await shop.plan("kubernetes.drain", name="node-a")
    assert (plan.kind, "shop/loose has no controller" in plan.reason) == ("refused", True)
    allowed = await shop.plan("kubernetes.drain", name="node-a", bare=True)
    assert allowed.kind == "change"
    few = await shop.plan("kubernetes.drain", name="node-a", bare=True, most_pods=1)
    assert "more than `most_pods` allows" in few.reason
    last = await shop.plan("kubernetes.drain", name="node-a", bare=True, leaves=2)
    assert "only 1 other nodes" in last.reason


async def test_what_came_since_the_plan_and_must_not_go_stops_it_before_anything_is_written(shop: Shop) -> None:
    plan = await shop.plan("kubernetes.drain", name="node-a")
    await shop.cluster.apply(bare())
    with pytest.raises(PermanentError, match="since it was planned: shop/loose has no controller"):
        await shop.apply(plan)
    assert shop.cluster.journal.changes() == []


async def test_a_pod_that_comes_after_the_drain_is_told(shop: Shop) -> None:
    plan = await shop.plan("kubernetes.drain", name="node-a")
    await shop.apply(plan)
    await shop.cluster.apply(
        bare(
            ownerReferences=[
                {"apiVersion": "v1", "kind": "X", "name": "x", "uid": shop.there["metadata"]["uid"], "controller": True}
            ]
        )
    )
    settled = await shop.confirmed(plan)
    assert settled.state == "broken"
    assert "shop/loose came to node node-a after it was drained" in settled.reason


async def test_pods_with_data_of_their_own_need_a_word_for_it(shop: Shop) -> None:
    await shop.cluster.apply(deployment("cache", volumes=[{"name": "data", "emptyDir": {}}]))
    await until(lambda: any(one["metadata"]["name"].startswith("cache") for one in on_node(shop)))
    plan = await shop.plan("kubernetes.drain", name="node-a")
    assert "data in an emptyDir" in plan.reason
    assert (await shop.plan("kubernetes.drain", name="node-a", empty_dir=True)).kind == "change"


async def test_cordoning_the_last_node_is_refused(shop: Shop) -> None:
    plan = await shop.plan("kubernetes.cordon", name="node-a")
    other = await shop.plan("kubernetes.cordon", name="node-b")
    await shop.apply(plan)
    with pytest.raises(PermanentError, match="only 0 other nodes"):
        await shop.apply(other, "k-2")
    assert "only 0 other nodes" in (await shop.plan("kubernetes.cordon", name="node-b")).reason
    assert (await shop.plan("kubernetes.cordon", name="node-b", leaves=0)).kind == "change"
