"""A world on the demonstration cluster: its journal, its faults, and an account with the roles that are generated."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, TypeAlias

from granting import ACCOUNT, USER, install, roles_for
from world import World

from halon.clients.kubernetes.api import KubernetesApi, KubernetesConfig
from halon.clients.kubernetes.connection import ClusterConfig
from halon.contracts.base import JsonObject
from halon.demo.cluster import DemoCluster, Fault, FaultKind, Rule, Timing
from halon.kit.env import Env

FOR_EVER = 10_000
FAST = Timing(
    tick=timedelta(milliseconds=5),
    start=timedelta(milliseconds=10),
    ready=timedelta(milliseconds=10),
    stop=timedelta(milliseconds=10),
)
TRIES = {"PATCH|PUT|POST": 1, "DELETE": 2}
"""How often a request is sent: aiohttp repeats a deletion by itself when a kept connection breaks."""
WRITING = Rule(verbs=frozenset({"create", "patch", "update", "delete"}))
Make: TypeAlias = Callable[[Callable[[], Awaitable[None]]], World]


@asynccontextmanager
async def cluster_world(action: str, params: JsonObject, *clients: object) -> AsyncIterator[tuple[DemoCluster, Make]]:
    """Give a cluster to furnish, and what makes the world of it, given how somebody else interferes."""
    async with DemoCluster(timing=FAST) as cluster:
        await install(cluster, roles_for(action, params))
        token = cluster.add_account(ACCOUNT.namespace, ACCOUNT.name)
        kubeconfig = cluster.kubeconfig_for(token)
        api = KubernetesApi(KubernetesConfig({"demo": ClusterConfig(kubeconfig=kubeconfig)}))

        def deny() -> None:
            cluster.add_account(ACCOUNT.namespace, ACCOUNT.name, deny=[WRITING], token=token)

        def lose_reply() -> None:
            for method, tries in TRIES.items():
                cluster.faults.inject(Fault(kind=FaultKind.LOSE_REPLY, method=method, count=tries))

        def make(drift: Callable[[], Awaitable[None]]) -> World:
            cluster.journal.clear()
            return World(
                action=action,
                params=params,
                env=Env(api, *clients),
                writes=lambda: [_said(one) for one in cluster.journal.changes() if one.user == USER],
                lose_reply=lose_reply,
                throttle=lambda: cluster.faults.inject(
                    Fault(kind=FaultKind.STATUS, status=429, retry_after=7, count=FOR_EVER)
                ),
                deny=deny,
                drift=drift,
            )

        try:
            yield cluster, make
        finally:
            await api.close()


def _said(entry: Any) -> str:
    what = f"{entry.resource}/{entry.subresource}" if entry.subresource else entry.resource
    return f"{entry.verb} {what} {entry.namespace}/{entry.name}"


def patched(cluster: DemoCluster, manifest: dict[str, Any], changes: JsonObject) -> Callable[[], Awaitable[None]]:
    """What somebody else does: merge `changes` into the object."""

    async def drift() -> None:
        await cluster.apply({key: manifest[key] for key in ("apiVersion", "kind", "metadata")} | changes)

    return drift


async def rolled_out(cluster: DemoCluster, manifest: dict[str, Any]) -> None:
    """Apply a Deployment and wait until all of it runs."""
    wanted = manifest["spec"]["replicas"]
    meta = manifest["metadata"]
    generation = (await cluster.apply(manifest))["metadata"]["generation"]

    def complete() -> bool:
        there = cluster.read(manifest["apiVersion"], manifest["kind"], meta["name"], meta["namespace"]) or {}
        status: dict[str, Any] = there.get("status") or {}
        counts = [status.get(name) for name in ("replicas", "updatedReplicas", "availableReplicas")]
        return status.get("observedGeneration", 0) >= generation and counts == [wanted] * 3

    await until(complete)


async def until(done: Callable[[], bool]) -> None:
    """Wait for what the controllers do by themselves."""
    async with asyncio.timeout(10):
        while not done():  # noqa: ASYNC110  # the controllers run by themselves
            await asyncio.sleep(0.02)
