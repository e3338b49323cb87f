"""What the changes of Jobs, CronJobs and autoscalers act on; somebody may put another one in the place of each."""

import functools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from cluster_world import cluster_world, patched, rolled_out, until
from manifests import Manifest, autoscaler, cron_job, job
from node_worlds import deployment
from world import Opening, World

from halon.contracts.base import JsonObject
from halon.demo.cluster import DemoCluster

IMPORT: JsonObject = {"namespace": "shop", "name": "import"}
NIGHTLY: JsonObject = {"namespace": "shop", "name": "nightly"}
CART: JsonObject = {"namespace": "shop", "name": "cart"}


def another_one(cluster: DemoCluster, manifest: Manifest) -> Callable[[], Awaitable[None]]:
    """What somebody else does: it goes, and another one comes under its name."""

    async def drift() -> None:
        meta = manifest["metadata"]
        await cluster.remove(manifest["apiVersion"], manifest["kind"], meta["name"], meta["namespace"])
        await cluster.apply(manifest)

    return drift


async def taken_up(cluster: DemoCluster, manifest: Manifest) -> None:
    """Apply a Job, and wait until its pods run, or until it is suspended."""
    await cluster.apply(manifest)
    suspended = manifest["spec"].get("suspend", False)

    def done() -> bool:
        there = cluster.read("batch/v1", "Job", "import", "shop") or {}
        status = there.get("status", {})
        return bool(status.get("conditions")) if suspended else bool(status.get("ready"))

    await until(done)


@asynccontextmanager
async def on_job(action: str, **spec: object) -> AsyncIterator[World]:
    manifest = job(**spec)
    async with cluster_world(action, IMPORT) as (cluster, make):
        await taken_up(cluster, manifest)
        yield make(another_one(cluster, manifest))


@asynccontextmanager
async def on_cronjob(action: str, **spec: object) -> AsyncIterator[World]:
    manifest = cron_job(**spec)
    async with cluster_world(action, NIGHTLY) as (cluster, make):
        await cluster.apply(manifest)
        yield make(another_one(cluster, manifest))


@asynccontextmanager
async def on_running_job() -> AsyncIterator[World]:
    """One that has not ended, and ends before somebody deletes it."""
    over = {"type": "Complete", "status": "True", "lastTransitionTime": "2026-01-02T03:04:05Z"}
    params = {**IMPORT, "if_unfinished": "delete"}
    async with cluster_world("kubernetes.delete_job", params) as (cluster, make):
        await taken_up(cluster, job())
        yield make(patched(cluster, job(), {"status": {"conditions": [over]}}))


@asynccontextmanager
async def on_autoscaler() -> AsyncIterator[World]:
    params = {**CART, "min_replicas": 3, "max_replicas": 5}
    scaler = autoscaler("Deployment", "cart", 1, 4)
    async with cluster_world("kubernetes.patch_autoscaler", params) as (cluster, make):
        await rolled_out(cluster, deployment())
        await cluster.apply(scaler)

        def seen() -> bool:
            there = cluster.read("autoscaling/v2", "HorizontalPodAutoscaler", "cart", "shop") or {}
            return bool(there.get("status", {}).get("conditions"))

        await until(seen)
        yield make(patched(cluster, scaler, {"spec": {"minReplicas": 2}}))


BATCH_WORLDS: dict[str, Opening] = {
    "kubernetes.suspend_job": functools.partial(on_job, "kubernetes.suspend_job"),
    "kubernetes.resume_job": functools.partial(on_job, "kubernetes.resume_job", suspend=True),
    "kubernetes.suspend_cronjob": functools.partial(on_cronjob, "kubernetes.suspend_cronjob"),
    "kubernetes.resume_cronjob": functools.partial(on_cronjob, "kubernetes.resume_cronjob", suspend=True),
    "kubernetes.delete_job": on_running_job,
    "kubernetes.patch_autoscaler": on_autoscaler,
}
