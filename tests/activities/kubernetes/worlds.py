"""What the changes of Kubernetes act on: the Deployment `shop/cart` on a cluster of its own."""

import functools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from batch_worlds import BATCH_WORLDS
from cluster_world import cluster_world, patched, rolled_out
from job_run_worlds import RUN_WORLDS
from node_worlds import NODE_WORLDS
from pod_worlds import POD_WORLDS
from workload_worlds import WORKLOADS
from world import Opening, World

from halon.contracts.base import JsonObject

CART: JsonObject = {"namespace": "shop", "name": "cart"}


def deployment(image: str) -> dict[str, Any]:
    template = {"metadata": {"labels": {"app": "cart"}}, "spec": {"containers": [{"name": "cart", "image": image}]}}
    spec = {"replicas": 2, "selector": {"matchLabels": {"app": "cart"}}, "template": template}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "cart", "namespace": "shop"},
        "spec": spec,
    }


@asynccontextmanager
async def on_deployment(
    action: str, params: JsonObject, drift: JsonObject, *, revisions: int = 1, paused: bool = False
) -> AsyncIterator[World]:
    """A Deployment in so many revisions; `drift` is what somebody else merges into it."""
    async with cluster_world(action, params) as (cluster, make):
        for number in range(revisions):
            await rolled_out(cluster, deployment(f"cart:1.{number}"))
        if paused:
            await patched(cluster, deployment("cart:1.0"), {"spec": {"paused": True}})()
        yield make(patched(cluster, deployment("cart:1.0"), drift))


IMAGE: JsonObject = {"spec": {"template": {"spec": {"containers": [{"name": "cart", "image": "cart:9"}]}}}}

WORLDS: dict[str, Opening] = {
    "kubernetes.scale_deployment": functools.partial(
        on_deployment, "kubernetes.scale_deployment", {**CART, "replicas": 1}, {"spec": {"replicas": 5}}
    ),
    "kubernetes.rollback_deployment": functools.partial(
        on_deployment, "kubernetes.rollback_deployment", CART, IMAGE, revisions=2
    ),
    "kubernetes.restart_deployment": functools.partial(on_deployment, "kubernetes.restart_deployment", CART, IMAGE),
    "kubernetes.pause_rollout": functools.partial(on_deployment, "kubernetes.pause_rollout", CART, IMAGE),
    "kubernetes.resume_rollout": functools.partial(
        on_deployment, "kubernetes.resume_rollout", CART, IMAGE, paused=True
    ),
    **WORKLOADS,
    **NODE_WORLDS,
    **BATCH_WORLDS,
    **POD_WORLDS,
    **RUN_WORLDS,
}
