"""A pod that is gone leads to its owner by the names that controllers give, and never to a neighbour."""

from typing import Any

import pytest
from shop import Shop

from halon.errors import NotFound

OWNER = "kubernetes.get_owner"


def workload(kind: str, name: str, api_version: str = "apps/v1") -> Any:
    labels = {"job" if kind == "Job" else "app": name}
    spec: dict[str, Any] = {
        "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "c:1"}]}}
    }
    if kind == "Job":
        spec["template"]["spec"]["restartPolicy"] = "Never"
    else:
        spec["selector"] = {"matchLabels": labels}
    if kind == "StatefulSet":
        spec["serviceName"] = name
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "namespace": "shop"}, "spec": spec}


@pytest.mark.parametrize(
    ("manifest", "pod"),
    [
        (workload("StatefulSet", "db"), "db-7"),
        (workload("DaemonSet", "agent"), "agent-x2xkp"),
        (workload("Job", "import", "batch/v1"), "import-x2xkp"),
    ],
)
async def test_every_kind_is_found(shop: Shop, manifest: Any, pod: str) -> None:
    await shop.cluster.apply(manifest)
    found = await shop.read(OWNER, namespace="shop", pod=pod)
    assert (found["kind"], found["name"]) == (manifest["kind"], manifest["metadata"]["name"])
    assert (found["deployment"], found["pod_exists"]) == ("", False)


@pytest.mark.parametrize("pod", ["cart-cache-x2xkp", "cart-x2xkp", "cart-db-x2xkp", "cart-0", "cart"])
async def test_the_pod_of_a_neighbour_does_not_lead_to_the_deployment(shop: Shop, pod: str) -> None:
    """`cart-cache` was a StatefulSet or another Deployment: to change `cart` for it would be wrong."""
    with pytest.raises(NotFound, match="nothing that could have made it"):
        await shop.read(OWNER, namespace="shop", pod=pod)


async def test_two_that_may_have_made_it_are_no_answer(shop: Shop) -> None:
    await shop.cluster.apply(workload("DaemonSet", "agent"))
    await shop.cluster.apply(workload("Job", "agent", "batch/v1"))
    with pytest.raises(NotFound, match="DaemonSet agent and Job agent may both"):
        await shop.read(OWNER, namespace="shop", pod="agent-x2xkp")
