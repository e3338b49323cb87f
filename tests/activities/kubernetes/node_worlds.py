"""What the changes of nodes act on: a cluster of two nodes; somebody may put another machine in the place of one."""

import functools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from cluster_world import cluster_world, rolled_out
from world import Opening, World

from halon.contracts.base import JsonObject
from halon.demo.cluster import DemoCluster

NODE: JsonObject = {"name": "node-a"}


def manifest(name: str = "node-a", **spec: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "spec": spec}


def another_machine(cluster: DemoCluster) -> Callable[[], Awaitable[None]]:
    """What somebody else does: the machine goes, and another one registers under its name."""

    async def drift() -> None:
        await cluster.remove("v1", "Node", "node-a")
        await cluster.apply(manifest())

    return drift


@asynccontextmanager
async def on_node(action: str, *, cordoned: bool = False) -> AsyncIterator[World]:
    async with cluster_world(action, NODE) as (cluster, make):
        await cluster.apply(manifest(unschedulable=cordoned))
        yield make(another_machine(cluster))


def deployment(name: str = "cart", **pod: Any) -> dict[str, Any]:
    """Two pods, of which the scheduler gives one to each node."""
    spec = {"containers": [{"name": "main", "image": f"{name}:1"}], **pod}
    template = {"metadata": {"labels": {"app": name}}, "spec": spec}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {"replicas": 2, "selector": {"matchLabels": {"app": name}}, "template": template},
    }


@asynccontextmanager
async def on_full_node() -> AsyncIterator[World]:
    async with cluster_world("kubernetes.drain", NODE) as (cluster, make):
        await rolled_out(cluster, deployment())
        yield make(another_machine(cluster))


NODE_WORLDS: dict[str, Opening] = {
    "kubernetes.cordon": functools.partial(on_node, "kubernetes.cordon"),
    "kubernetes.uncordon": functools.partial(on_node, "kubernetes.uncordon", cordoned=True),
    "kubernetes.drain": on_full_node,
}
