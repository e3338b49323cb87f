"""What the changes of workloads act on, each kind on a cluster of its own."""

import functools
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from cluster_world import cluster_world, patched, until
from manifests import Manifest, daemon_set, stateful_set, template
from world import Opening, World

from halon.contracts.base import JsonObject
from halon.demo.cluster import DemoCluster

SHOP: JsonObject = {"namespace": "shop"}


def is_complete(there: dict[str, Any]) -> bool:
    """Whether all that a workload asks for runs."""
    status, spec = there.get("status") or {}, there["spec"]
    if status.get("observedGeneration") != there["metadata"]["generation"]:
        return False
    if there["kind"] == "DaemonSet":
        wanted = status["desiredNumberScheduled"]
        counts = [status.get("updatedNumberScheduled"), status.get("numberAvailable")]
        return bool(wanted) and counts == [wanted] * 2
    counts = [status.get(name, 0) for name in ("replicas", "updatedReplicas", "availableReplicas")]
    return counts == [spec["replicas"]] * 3


async def complete(cluster: DemoCluster, manifest: Manifest) -> None:
    """Apply a workload, and wait until all of it runs."""
    await cluster.apply(manifest)
    meta = manifest["metadata"]

    def done() -> bool:
        there = cluster.read(manifest["apiVersion"], manifest["kind"], meta["name"], meta["namespace"])
        return there is not None and is_complete(there)

    await until(done)


@asynccontextmanager
async def on(action: str, params: JsonObject, manifests: Sequence[Manifest], drift: JsonObject) -> AsyncIterator[World]:
    """Workloads that run, one after the other; `drift` is what somebody else merges into the last one."""
    async with cluster_world(action, {**SHOP, **params}) as (cluster, make):
        for manifest in manifests:
            await complete(cluster, manifest)
        yield make(patched(cluster, manifests[-1], drift))


def of_template(name: str) -> JsonObject:
    """What somebody else changes of a template."""
    return {"spec": {"template": template(name, f"{name}:9")}}


def world(action: str, params: JsonObject, *manifests: Manifest, drift: JsonObject) -> dict[str, Opening]:
    return {f"kubernetes.{action}": functools.partial(on, f"kubernetes.{action}", params, manifests, drift)}


DB: JsonObject = {"name": "db"}
AGENT: JsonObject = {"name": "agent"}
TO_SET: JsonObject = {"kind": "StatefulSet", "name": "db", "images": {"db": "db:1.1"}}

WORKLOADS: dict[str, Opening] = {
    **world("set_image", TO_SET, stateful_set(), drift=of_template("db")),
    **world("restart_statefulset", DB, stateful_set(), drift=of_template("db")),
    **world("rollback_statefulset", DB, stateful_set(), stateful_set("db:1.1"), drift=of_template("db")),
    **world("scale_statefulset", {**DB, "replicas": 1}, stateful_set(), drift={"spec": {"replicas": 3}}),
    **world("restart_daemonset", AGENT, daemon_set(), drift=of_template("agent")),
    **world("rollback_daemonset", AGENT, daemon_set(), daemon_set("agent:1.1"), drift=of_template("agent")),
}
