"""`kill -9` of worker, gateway and Temporal in the middle of runs: nothing lost, nothing doubled, the chain unbroken.

The points are drawn from a seed, which the test's name shows; `make crash SEEDS=7,8,9` draws others.
"""

import asyncio
import os
import random
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from engine import PARTS, Engine, Part, approving, crash_looping, kubeconfig_with_roles, until

from halon.contracts.audit import AuditKind
from halon.contracts.incident import IncidentRow
from halon.demo.cluster import DemoCluster, Fault, FaultKind
from halon.store.store import open_store

PLAYBOOKS = Path(__file__).parent / "playbooks"
SERVICES = ("cart", "checkout", "search")
SEEDS = [int(text) for text in os.environ.get("HALON_CRASH_SEEDS", "1,2").split(",")]
KILLS = 4
SPREAD = 8.0
"""Seconds within which the points lie: about as long as the runs take when nothing is killed."""
DONE_WITHIN = 120.0


@dataclass(frozen=True)
class Kill:
    """One point: after so many seconds this process dies, and is started again a little later."""

    after: float
    part: Part
    down: float


def kills(seed: int) -> list[Kill]:
    """Draw the points. Every process dies at least once."""
    dice = random.Random(seed)  # noqa: S311  # the same points for the same seed
    parts = [*PARTS, *(dice.choice(PARTS) for _ in range(KILLS - len(PARTS)))]
    dice.shuffle(parts)
    moments = sorted(dice.uniform(0.0, SPREAD) for _ in parts)
    return [Kill(at, part, dice.uniform(0.05, 1.0)) for at, part in zip(moments, parts, strict=True)]


def deployment(name: str, image: str) -> dict[str, Any]:
    template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": name, "image": image}]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {"replicas": 2, "selector": {"matchLabels": {"app": name}}, "template": template},
    }


async def broken(cluster: DemoCluster, name: str) -> str:
    """Roll out what crash-loops, and give one of its pods."""
    await cluster.apply(deployment(name, f"{name}:1.0"))

    async def serves() -> bool:
        status = (cluster.read("apps/v1", "Deployment", name, "shop") or {}).get("status") or {}
        return bool(status.get("availableReplicas") == 2)

    await until(serves, within=40)
    await cluster.apply(deployment(name, f"{name}:2.0-crash"))

    async def crashing() -> str:
        pods = cluster.list("v1", "Pod", "shop")
        return next(
            (
                str(pod["metadata"]["name"])
                for pod in pods
                if pod["spec"]["containers"][0]["image"] == f"{name}:2.0-crash"
            ),
            "",
        )

    return await until(crashing, within=40)


@pytest.fixture
async def cluster() -> AsyncIterator[DemoCluster]:
    async with DemoCluster() as one:
        yield one


@pytest.fixture
async def engine(tmp_path: Path, cluster: DemoCluster) -> AsyncIterator[Engine]:
    one = Engine(tmp_path, await kubeconfig_with_roles(cluster, "rbac.yaml"), PLAYBOOKS)
    try:
        await one.start("temporal")
        await one.prepare()
        await one.start("worker")
        await one.start("gateway")
        yield one
    finally:
        await one.stop()


async def carry_out(engine: Engine, points: list[Kill]) -> None:
    """Kill at each point, and start again."""
    begun = asyncio.get_running_loop().time()
    for point in points:
        await asyncio.sleep(max(0.0, begun + point.after - asyncio.get_running_loop().time()))
        await engine.kill(point.part)
        await asyncio.sleep(point.down)
        await engine.start(point.part)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: f"seed{seed}")
async def test_nothing_is_lost_and_nothing_doubled(engine: Engine, cluster: DemoCluster, seed: int) -> None:
    pods = {name: await broken(cluster, name) for name in SERVICES}
    cluster.journal.clear()
    # One write takes effect and its answer never comes, wherever the dice fall.
    cluster.faults.inject(
        Fault(kind=FaultKind.LOSE_REPLY, method="PATCH", path=r"deployments/[a-z]+(\?(?!.*dryRun).*)?$")
    )
    points = kills(seed)
    async with open_store(engine.settings) as store:
        person = asyncio.create_task(approving(await engine.client(), store))
        killing = asyncio.create_task(carry_out(engine, points))
        await asyncio.gather(*(engine.send(crash_looping("shop", pod, name)) for name, pod in pods.items()))
        await killing

        async def closed() -> list[IncidentRow]:
            rows = list(await store.incidents.list())
            return rows if len(rows) == len(SERVICES) and all(row.state == "closed" for row in rows) else []

        rows = await until(closed, within=DONE_WITHIN, pause=0.3)
        person.cancel()
        assert {row.outcome for row in rows} == {"remediated"}, f"{points}: {[row.reason for row in rows]}"
        changed = Counter(entry.name for entry in cluster.journal.changes())
        assert changed == Counter(SERVICES), f"{points}: every change takes effect once"
        for name in SERVICES:
            there = cluster.read("apps/v1", "Deployment", name, "shop") or {}
            assert there["spec"]["template"]["spec"]["containers"][0]["image"] == f"{name}:1.0"
        for row in rows:
            told = Counter(record.kind for record in await store.audit.records(row.id))
            once = (AuditKind.INCIDENT_OPENED, AuditKind.APPLIED, AuditKind.VERIFIED, AuditKind.INCIDENT_CLOSED)
            assert {kind: told[kind] for kind in once} == dict.fromkeys(once, 1), points
        assert (await store.audit.verify()).ok
