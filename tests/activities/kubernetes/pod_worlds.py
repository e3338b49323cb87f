"""What the changes of one pod act on: the first pod of a StatefulSet, whose successor has the same name."""

import functools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from cluster_world import cluster_world, until
from manifests import stateful_set
from workload_worlds import complete
from world import Opening, World

from halon.contracts.base import JsonObject
from halon.demo.cluster import DemoCluster

POD: JsonObject = {"namespace": "shop", "name": "db-0"}


async def let_go(cluster: DemoCluster) -> None:
    """What somebody else does: take the labels off the pod, so that its set lets it go."""
    patch = {"metadata": {"name": "db-0", "namespace": "shop", "labels": {"app": "mine"}}}
    await cluster.apply({"apiVersion": "v1", "kind": "Pod", **patch})
    await until(lambda: not (cluster.read("v1", "Pod", "db-0", "shop") or {})["metadata"].get("ownerReferences"))


@asynccontextmanager
async def on_pod(action: str) -> AsyncIterator[World]:
    async with cluster_world(action, POD) as (cluster, make):
        await complete(cluster, stateful_set())
        yield make(functools.partial(let_go, cluster))


POD_WORLDS: dict[str, Opening] = {
    name: functools.partial(on_pod, name) for name in ("kubernetes.delete_pod", "kubernetes.quarantine_pod")
}
