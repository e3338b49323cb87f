"""What the reads tell about autoscalers, quotas and volume claims: the bounds that a namespace runs into."""

from typing import Any

import pytest
from manifests import autoscaler
from shop import Shop, until

from halon.errors import NotFound

CART = {"namespace": "shop", "name": "cart"}
CPU = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 60}}}


def scaler(metrics: list[Any], *, asked: int, current: list[Any]) -> Any:
    made = autoscaler("Deployment", "cart", 2, 4)
    made["metadata"]["annotations"] = {"demo.halon.dev/metric-replicas": str(asked)}
    made["spec"]["metrics"] = metrics
    return made | {"status": {"currentReplicas": 2, "desiredReplicas": 2, "currentMetrics": current}}


async def told(shop: Shop, **wanted: Any) -> Any:
    """What is told of the autoscaler once it is as wanted."""

    def is_so() -> bool:
        there = shop.cluster.read("autoscaling/v2", "HorizontalPodAutoscaler", "cart", "shop") or {}
        return bool(there.get("status", {}).get("conditions"))

    await until(is_so)
    found = await shop.read("kubernetes.get_autoscaler", **CART)
    assert {name: found[name] for name in wanted} == wanted
    return found


async def test_an_autoscaler_at_its_maximum_says_that_its_metrics_ask_for_more(shop: Shop) -> None:
    now = {
        "type": "Resource",
        "resource": {"name": "cpu", "current": {"averageUtilization": 90, "averageValue": "45m"}},
    }
    await shop.cluster.apply(scaler([CPU], asked=9, current=[now]))
    await until(lambda: shop.there["spec"]["replicas"] == 4)
    found = await told(shop, limited="TooManyReplicas", at_max=True, min=2, max=4, desired=4, active=True, able=True)
    assert found["metrics"] == [
        {"type": "Resource", "name": "cpu", "by": "Utilization", "target": 60.0, "current": 90.0, "ratio": 1.5}
    ]
    assert (found["target_kind"], found["target_name"], found["scaled_object"]) == ("Deployment", "cart", "")
    assert found["since_scaled"] is not None


async def test_every_kind_of_metric_stands_beside_its_target_and_one_that_is_not_read_is_null(shop: Shop) -> None:
    web = {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "name": "web"}
    spec = [
        {
            "type": "Pods",
            "pods": {"metric": {"name": "rps"}, "target": {"type": "AverageValue", "averageValue": "100"}},
        },
        {
            "type": "Object",
            "object": {"metric": {"name": "hits"}, "describedObject": web, "target": {"type": "Value", "value": "2k"}},
        },
        {
            "type": "ContainerResource",
            "containerResource": {
                "name": "memory",
                "container": "main",
                "target": {"type": "AverageValue", "averageValue": "64Mi"},
            },
        },
        {"type": "External", "external": {"metric": {"name": "queue"}, "target": {"type": "Value", "value": "30"}}},
    ]
    current = [
        {"type": "External", "external": {"metric": {"name": "queue"}, "current": {"value": "15"}}},
        {"type": "Pods", "pods": {"metric": {"name": "rps"}, "current": {"averageValue": "250m"}}},
        {"type": "Object", "object": {"metric": {"name": "hits"}, "describedObject": web, "current": {"value": "3k"}}},
    ]
    await shop.cluster.apply(scaler(spec, asked=2, current=current))
    found = await told(shop, limited="", at_max=False, desired=2)
    seen = [(one["name"], one["target"], one["current"], one["ratio"]) for one in found["metrics"]]
    assert seen == [
        ("rps", 100.0, 0.25, 0.003),
        ("Ingress/web hits", 2000.0, 3000.0, 1.5),
        ("main/memory", 67108864.0, None, None),
        ("queue", 30.0, 15.0, 0.5),
    ]


async def test_an_autoscaler_without_its_workload_is_not_able(shop: Shop) -> None:
    made = autoscaler("Deployment", "gone", 1, 3)
    made["metadata"]["name"] = "cart"
    await shop.cluster.apply(made)
    found = await told(shop, able=False, active=False, limited="", scaled_object="")
    assert found["conditions"][0]["reason"] == "FailedGetScale"
    with pytest.raises(NotFound):
        await shop.read("kubernetes.get_autoscaler", namespace="shop", name="none")


def quota(name: str, hard: dict[str, str], **spec: Any) -> Any:
    meta = {"name": name, "namespace": "shop"}
    return {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": meta, "spec": {"hard": hard, **spec}}


async def hungry(shop: Shop, name: str, **resources: Any) -> None:
    spec = {"containers": [{"name": "main", "image": "x:1", "resources": resources}]}
    await shop.cluster.apply(
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "shop"}, "spec": spec}
    )


async def test_quotas_tell_the_fullest_resource_first_and_what_is_full(shop: Shop) -> None:
    await hungry(shop, "a", requests={"cpu": "3500m", "memory": "2Gi"}, limits={"memory": "2Gi"})
    await shop.cluster.apply(quota("compute", {"requests.cpu": "4", "pods": "3", "services.loadbalancers": "0"}))
    await shop.cluster.apply(quota("sized", {"limits.memory": "8Gi"}, scopes=["NotBestEffort"]))

    def counted() -> bool:
        found = shop.cluster.list("v1", "ResourceQuota", "shop")
        return all("used" in one["status"] for one in found)

    await until(counted)
    found = await shop.read("kubernetes.get_quota", namespace="shop")
    assert found["quotas"] == ["compute", "sized"]
    shares = [(one["resource"], one["used"], one["share"]) for one in found["resources"]]
    assert shares == [
        ("pods", "3", 1.0),
        ("services.loadbalancers", "0", None),
        ("requests.cpu", "3500m", 0.875),
        ("limits.memory", "2Gi", 0.25),
    ]
    assert found["full"] == ["compute: pods", "compute: services.loadbalancers"]
    assert (found["fullest"], found["scopes"]) == (1.0, {"sized": ["NotBestEffort"]})
    assert found["resources"][2]["left"] == 0.5
    one = await shop.read("kubernetes.get_quota", namespace="shop", name="sized")
    assert (one["quotas"], one["fullest"], one["full"]) == (["sized"], 0.25, [])


async def test_no_quota_is_an_answer_unless_one_is_named(shop: Shop) -> None:
    found = await shop.read("kubernetes.get_quota", namespace="shop")
    assert (found["quotas"], found["resources"], found["fullest"]) == ([], [], 0.0)
    with pytest.raises(NotFound, match="shop/compute"):
        await shop.read("kubernetes.get_quota", namespace="shop", name="compute")


def said(shop: Shop, reason: str) -> bool:
    return any(one["reason"] == reason for one in shop.cluster.list("v1", "Event", "shop"))


def claim(size: str, **status: Any) -> Any:
    spec = {"accessModes": ["ReadWriteOnce"], "storageClassName": "fast", "resources": {"requests": {"storage": size}}}
    made = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "spec": spec}
    return made | {"metadata": {"name": "data", "namespace": "shop"}} | ({"status": status} if status else {})


async def test_a_claim_tells_its_size_who_mounts_it_and_what_was_said(shop: Shop) -> None:
    waits = {"type": "FileSystemResizePending", "status": "True", "lastTransitionTime": "2026-01-02T03:04:05Z"}
    made = claim("2Gi", phase="Bound", capacity={"storage": "1Gi"}, conditions=[waits])
    made["spec"]["volumeName"] = "pv-1"
    await shop.cluster.apply(made)
    volume = {"name": "data", "persistentVolumeClaim": {"claimName": "data"}}
    for name, volumes in (("db-0", [volume]), ("other", [])):
        spec = {"containers": [{"name": "main", "image": "x:1"}], "volumes": volumes, "nodeSelector": {"disk": "none"}}
        meta = {"name": name, "namespace": "shop"}
        await shop.cluster.apply({"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec})
    event = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "data.1", "namespace": "shop"},
        "involvedObject": {"kind": "PersistentVolumeClaim", "name": "data", "namespace": "shop"},
        "type": "Warning",
        "reason": "VolumeResizeFailed",
        "message": "password=hunter2 was refused",
    }
    await shop.cluster.apply(event)
    found = await shop.read("kubernetes.get_persistent_volume_claim", namespace="shop", name="data")
    assert (found["phase"], found["storage_class"], found["volume"]) == ("Bound", "fast", "pv-1")
    assert (found["requested"], found["capacity"], found["growing"]) == (2.0 * 2**30, 1.0 * 2**30, True)
    assert found["complete"] is True
    assert (found["pods"], found["pending_pods"]) == (["db-0"], ["db-0"])
    assert found["conditions"][0]["type"] == "FileSystemResizePending"
    assert (found["events"][0]["reason"], found["events"][0]["count"]) == ("VolumeResizeFailed", 1)
    assert "hunter2" not in str(found)


async def test_a_claim_without_a_volume_has_no_capacity(shop: Shop) -> None:
    made = claim("1Gi")
    made["spec"]["storageClassName"] = "missing"
    await shop.cluster.apply(made)
    await until(lambda: said(shop, "ProvisioningFailed"))
    found = await shop.read("kubernetes.get_persistent_volume_claim", namespace="shop", name="data")
    assert (found["phase"], found["volume"], found["capacity"], found["growing"]) == ("Pending", "", 0.0, False)
    assert found["events"][0]["reason"] == "ProvisioningFailed"
    with pytest.raises(NotFound):
        await shop.read("kubernetes.get_persistent_volume_claim", namespace="shop", name="gone")
