"""What every action that changes something keeps to, against a cluster: once for one key, and taken back exactly.

An action that is missing in `SET_UPS` fails here: whoever adds one says what it acts on.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import worker
from halon.clients.kubernetes.api import KubernetesApi, KubernetesConfig
from halon.clients.kubernetes.connection import ClusterConfig
from halon.contracts.activity import ApplyRequest, ConfirmRequest, PlanRequest
from halon.contracts.base import JsonObject
from halon.contracts.plan import ActionCall, Applied, Plan, Settlement
from halon.demo.cluster import DemoCluster, Fault, FaultKind, Rule
from halon.errors import TransientError
from halon.kit.action import Change
from halon.kit.env import Env
from halon.kit.lifecycle import Lifecycle

REGISTRY = worker.registry()
CHANGES = [name for name in REGISTRY.names if issubclass(REGISTRY.action(name), Change)]
NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
KEY = "i-1/step"


@dataclass(frozen=True)
class SetUp:
    """What an action acts on: the Deployment `shop/cart`, in so many revisions."""

    params: JsonObject
    revisions: int = 1


SHOP_CART: JsonObject = {"namespace": "shop", "name": "cart"}
SET_UPS: dict[str, SetUp] = {
    "kubernetes.scale_deployment": SetUp({**SHOP_CART, "replicas": 1}),
    "kubernetes.rollback_deployment": SetUp(SHOP_CART, revisions=2),
    "kubernetes.restart_deployment": SetUp(SHOP_CART),
}


def deployment(image: str) -> dict[str, Any]:
    template = {"metadata": {"labels": {"app": "cart"}}, "spec": {"containers": [{"name": "cart", "image": image}]}}
    spec = {"replicas": 2, "selector": {"matchLabels": {"app": "cart"}}, "template": template}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "cart", "namespace": "shop"},
        "spec": spec,
    }


class World:
    """One action on its own cluster, with credentials that have the declared permissions and no others."""

    def __init__(self, name: str, cluster: DemoCluster, api: KubernetesApi) -> None:
        self.cluster = cluster
        self.call = ActionCall(action=name, params=SET_UPS[name].params)
        self.action: Any = REGISTRY.action(name)
        self.env = Env(api)
        self.lifecycle = Lifecycle(REGISTRY, self.env)

    async def plan(self, call: ActionCall | None = None, undoing: Plan | None = None) -> Plan:
        request = PlanRequest(call=call or self.call, incident="i-1", step="step", now=NOW, undoing=undoing)
        return await self.lifecycle.plan(request)

    async def apply(self, plan: Plan, key: str = KEY) -> Applied:
        return await self.lifecycle.apply(ApplyRequest(plan=plan, key=key, incident="i-1", step="step", now=NOW))

    async def confirmed(self, plan: Plan) -> Settlement:
        request = ConfirmRequest(plan=plan, incident="i-1", step="step", poll=timedelta(seconds=1))
        async with asyncio.timeout(10):
            while (settlement := await self.lifecycle.confirm(request)).state == "waiting":  # noqa: ASYNC110  # the server's part
                await asyncio.sleep(0.02)
        return settlement

    @property
    def writes(self) -> int:
        return len(self.cluster.journal.changes())


def _is_complete(cluster: DemoCluster, generation: int) -> bool:
    status = (cluster.read("apps/v1", "Deployment", "cart", "shop") or {}).get("status") or {}
    counts = [status.get(name) for name in ("replicas", "updatedReplicas", "availableReplicas")]
    return status.get("observedGeneration", 0) >= generation and counts == [2, 2, 2]


async def _rolled_out(cluster: DemoCluster, image: str) -> None:
    applied = await cluster.apply(deployment(image))
    generation = applied["metadata"]["generation"]
    async with asyncio.timeout(10):
        while not _is_complete(cluster, generation):  # noqa: ASYNC110  # the controllers run by themselves
            await asyncio.sleep(0.02)


@asynccontextmanager
async def world(name: str) -> AsyncIterator[World]:
    set_up = SET_UPS[name]
    rules = [
        Rule(frozenset(one.verbs), frozenset({group}), frozenset({resource}))
        for one in REGISTRY.action(name).permissions
        for group, _, resource in [one.resource.partition("/")]
    ]
    async with DemoCluster() as cluster:
        for number in range(set_up.revisions):
            await _rolled_out(cluster, f"cart:1.{number}")
        token = cluster.add_token(user="halon", allow=rules)
        api = KubernetesApi(KubernetesConfig({"demo": ClusterConfig(kubeconfig=cluster.kubeconfig_for(token))}))
        try:
            cluster.journal.clear()
            yield World(name, cluster, api)
        finally:
            await api.close()


def test_every_change_has_a_set_up_and_every_set_up_a_change() -> None:
    assert sorted(SET_UPS) == CHANGES


@pytest.mark.parametrize("name", CHANGES)
async def test_the_same_key_twice_changes_the_world_once_and_undo_puts_it_back(name: str) -> None:
    async with world(name) as here:
        plan = await here.plan()
        assert (plan.kind, plan.reason) == ("change", "")
        assert plan.rows
        assert here.writes == 0
        assert (await here.apply(plan)).status == "applied"
        again = await here.apply(plan)
        assert (again.status, again.ours) == ("already", True)
        other = await here.apply(plan, key="i-2/step")
        assert (other.status, other.ours) == ("already", False)
        assert here.writes == 1
        assert (await here.confirmed(plan)).state == "settled"
        assert (plan.undo.call is not None) is here.action.undoable
        if plan.undo.call is None:
            assert plan.undo.reason
            return
        back = await here.plan(plan.undo.call, undoing=plan)
        assert (back.kind, back.after) == ("change", plan.before)
        for _ in range(2):
            await here.apply(back, key=f"{KEY}/undo")
        assert here.writes == 2
        assert (await here.confirmed(back)).state == "settled"
        action = REGISTRY.parse(here.call)
        assert isinstance(action, Change)
        assert action.owned(await action.observe(here.env)) == plan.before


@pytest.mark.parametrize("name", CHANGES)
async def test_a_write_whose_answer_is_lost_is_not_made_again(name: str) -> None:
    async with world(name) as here:
        plan = await here.plan()
        here.cluster.faults.inject(Fault(kind=FaultKind.LOSE_REPLY, method="PATCH|PUT|POST|DELETE"))
        with pytest.raises(TransientError):
            await here.apply(plan)
        assert (await here.apply(plan)).status == "already"
        assert here.writes == 1
