"""What the reads tell about pods, nodes, events and usage, as a diagnosis needs it; no data is a failure."""

from typing import Any

import pytest
from node_worlds import manifest
from shop import Shop, until

from halon.clients.kubernetes.quantities import amount
from halon.contracts.base import parse_duration
from halon.errors import NotFound, PermanentError


def backs_off(pod: Any) -> bool:
    return any("waiting" in one["state"] and one["restartCount"] for one in pod["status"].get("containerStatuses", []))


async def test_a_pod_that_crashes_tells_how_it_ended_and_what_it_is_not(shop: Shop) -> None:
    await shop.roll_out("cart:2.0-oomkill", wait=False)
    await until(lambda: any(backs_off(one) for one in shop.pods()))
    name = next(one["metadata"]["name"] for one in shop.pods() if backs_off(one))
    found = await shop.read("kubernetes.get_pod", namespace="shop", name=name)
    (container,) = found["containers"]
    assert (container["exit_code"], container["last_reason"]) == (137, "OOMKilled")
    assert container["restarts"] >= 1
    assert found["ready"] is False
    assert found["controller"].startswith("ReplicaSet/cart-")
    assert {one["type"] for one in found["unmet"]} == {"ContainersReady", "Ready"}
    assert found["node"]


async def test_a_pod_that_no_node_takes_says_why(shop: Shop) -> None:
    for name in ("node-a", "node-b"):
        await shop.cluster.apply(manifest(name, unschedulable=True))
    await shop.roll_out("cart:3.0", wait=False)
    await until(lambda: any(one["status"].get("conditions") for one in shop.pods() if not one["spec"].get("nodeName")))
    name = next(one["metadata"]["name"] for one in shop.pods() if not one["spec"].get("nodeName"))
    found = await shop.read("kubernetes.get_pod", namespace="shop", name=name)
    (unmet,) = found["unmet"]
    assert (unmet["type"], unmet["reason"]) == ("PodScheduled", "Unschedulable")
    assert (found["phase"], found["node"], found["containers"]) == ("Pending", "", [])


async def test_a_pod_that_is_gone_is_not_found(shop: Shop) -> None:
    with pytest.raises(NotFound):
        await shop.read("kubernetes.get_pod", namespace="shop", name="gone")


async def test_a_node_tells_its_troubles_and_who_is_on_it(shop: Shop) -> None:
    pressure = {"type": "DiskPressure", "status": "True", "reason": "KubeletHasDiskPressure", "message": "full"}
    since = {"lastTransitionTime": "2026-01-02T03:04:05Z"}
    lost = {"type": "Ready", "status": "Unknown", "reason": "NodeStatusUnknown", "message": "silent", **since}
    taints = [{"key": "dedicated", "value": "batch", "effect": "NoSchedule"}]
    status = {"status": {"conditions": [{**pressure, **since}, lost]}}
    await shop.cluster.apply(manifest(unschedulable=True, taints=taints) | status)
    found = await shop.read("kubernetes.get_node", name="node-a")
    assert (found["ready"], found["cordoned"], found["wrong"]) == (False, True, ["DiskPressure", "Ready"])
    assert parse_duration(found["not_ready_for"]).days > 0
    assert found["taints"] == ["dedicated=batch:NoSchedule"]
    assert (found["pods"], found["evictable"], found["cpu"]) == (1, 1, 4.0)
    assert found["on_it"][0]["controller"] == "ReplicaSet"
    assert (await shop.read("kubernetes.get_node", name="node-b"))["not_ready_for"] is None


async def test_events_are_chosen_counted_and_masked(shop: Shop) -> None:
    about = {"kind": "Pod", "name": "cart-x", "namespace": "shop"}
    for number, (kind, reason) in enumerate([("Warning", "BackOff"), ("Warning", "BackOff"), ("Normal", "Pulled")]):
        await shop.cluster.apply(
            {
                "apiVersion": "v1",
                "kind": "Event",
                "metadata": {"name": f"cart-x.{number}", "namespace": "shop"},
                "involvedObject": about,
                "type": kind,
                "reason": reason,
                "message": "password=hunter2 was refused",
                "count": 3,
            }
        )
    found = await shop.read("kubernetes.get_events", namespace="shop", kind="Pod", name="cart-x", most=1)
    assert (found["total"], found["warnings"], len(found["events"]), found["complete"]) == (3, 2, 1, True)
    assert found["reasons"][0] == {"reason": "BackOff", "type": "Warning", "count": 6}
    assert "hunter2" not in str(found)
    warnings = await shop.read("kubernetes.get_events", namespace="shop", kind="Pod", name="cart-x", type="Warning")
    assert warnings["total"] == 2
    assert (await shop.read("kubernetes.get_events", namespace="shop", name="cart-y"))["events"] == []


async def test_usage_that_nobody_measured_is_no_answer(shop: Shop) -> None:
    with pytest.raises(NotFound, match=r"does not serve pods\.metrics\.k8s\.io"):
        await shop.read("kubernetes.top", namespace="shop")
    with pytest.raises(NotFound, match=r"does not serve nodes\.metrics\.k8s\.io"):
        await shop.read("kubernetes.top_nodes")
    await shop.cluster.measure("node-x", {"cpu": "1", "memory": "1Gi"})
    with pytest.raises(NotFound, match="usage of 2 pods in shop"):
        await shop.read("kubernetes.top", namespace="shop")
    with pytest.raises(NotFound, match="usage of any pod, for there is none with app=x"):
        await shop.read("kubernetes.top", namespace="shop", selector="app=x")
    with pytest.raises(NotFound, match="any of 2 nodes"):
        await shop.read("kubernetes.top_nodes")


async def test_usage_is_set_against_what_was_asked_for_and_allowed(shop: Shop) -> None:
    resources = {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"memory": "128Mi"}}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "hungry", "namespace": "shop", "labels": {"app": "cart"}},
        "spec": {"containers": [{"name": "main", "image": "x:1", "resources": resources}]},
    }
    await shop.cluster.apply(pod)
    await shop.cluster.measure("hungry", {"main": {"cpu": "150m", "memory": "64Mi"}}, "shop")
    found = await shop.read("kubernetes.top", namespace="shop", selector="app=cart", by="memory")
    (one,) = found["pods"]
    assert (one["cpu"], one["cpu_of_request"], one["cpu_of_limit"]) == (0.15, 1.5, None)
    assert (one["memory"], one["memory_of_request"], one["memory_of_limit"]) == (67108864.0, 1.0, 0.5)
    assert (found["total"], found["unmeasured"]) == (1, 2)


async def test_nodes_are_ranked_by_how_full_they_are(shop: Shop) -> None:
    await shop.cluster.measure("node-a", {"cpu": "1", "memory": "6Gi"})
    await shop.cluster.measure("node-b", {"cpu": "2", "memory": "1Gi"})
    by_cpu = await shop.read("kubernetes.top_nodes")
    assert [(one["name"], one["cpu_share"]) for one in by_cpu["nodes"]] == [("node-b", 0.5), ("node-a", 0.25)]
    by_memory = await shop.read("kubernetes.top_nodes", by="memory", most=1)
    assert [(one["name"], one["memory_share"]) for one in by_memory["nodes"]] == [("node-a", 0.75)]
    await shop.cluster.measure("node-a", {"cpu": "much", "memory": "6Gi"})
    with pytest.raises(PermanentError, match="not a quantity"):
        await shop.read("kubernetes.top_nodes")


QUANTITIES = [("250m", 0.25), ("64Mi", 67108864.0), ("1.5", 1.5), ("12e3", 12000.0), ("100n", 1e-7), ("3k", 3000.0)]


@pytest.mark.parametrize(("text", "number"), QUANTITIES, ids=[one[0] for one in QUANTITIES])
def test_a_quantity_is_a_number(text: str, number: float) -> None:
    assert amount(text) == pytest.approx(number)


@pytest.mark.parametrize("text", ["", "m", "1Q", "1 Gi", "1" * 41])
def test_what_is_no_quantity_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a quantity"):
        amount(text)
