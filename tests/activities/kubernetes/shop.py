"""A cluster with one Deployment, `shop/cart`, and what tests do with the actions on it."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import worker
from halon.clients.kubernetes.api import KubernetesApi, KubernetesConfig
from halon.clients.kubernetes.connection import ClusterConfig
from halon.clients.kubernetes.rollout import CRASHES
from halon.contracts.activity import ApplyRequest, ConfirmRequest, PlanRequest, ReadRequest
from halon.contracts.plan import ActionCall, Applied, Plan, Settlement
from halon.demo.cluster import DemoCluster, Rule, Timing
from halon.errors import TransientError
from halon.kit.env import Env
from halon.kit.lifecycle import Lifecycle
from halon.store.evidence import EvidenceDirectory

NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
REGISTRY = worker.registry()
FAST = Timing(
    tick=timedelta(milliseconds=5),
    start=timedelta(milliseconds=10),
    ready=timedelta(milliseconds=10),
    stop=timedelta(milliseconds=10),
    crash=timedelta(milliseconds=10),
    backoff=timedelta(milliseconds=150),
    backoff_limit=timedelta(milliseconds=300),
)
CART: dict[str, Any] = {"namespace": "shop", "name": "cart"}


def deployment(
    image: str,
    *,
    replicas: int = 2,
    annotations: dict[str, str] | None = None,
    of_pods: dict[str, str] | None = None,
    **spec: Any,
) -> Any:
    container = {"name": "cart", "image": image, "env": [{"name": "DB_PASSWORD", "value": "planted-in-the-template"}]}
    of_each = {"labels": {"app": "cart"}, **({"annotations": of_pods} if of_pods else {})}
    template = {"metadata": of_each, "spec": {"containers": [container]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "cart", "namespace": "shop", "annotations": annotations or {}},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": "cart"}}, "template": template, **spec},
    }


def autoscaler(low: int, high: int) -> Any:
    reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "cart"}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "cart-scaler", "namespace": "shop"},
        "spec": {"scaleTargetRef": reference, "minReplicas": low, "maxReplicas": high},
    }


@dataclass
class Shop:
    """The cluster, and Halon's hands on it."""

    cluster: DemoCluster
    env: Env
    evidence: EvidenceDirectory

    @property
    def lifecycle(self) -> Lifecycle:
        return Lifecycle(REGISTRY, self.env)

    async def roll_out(self, image: str, *, wait: bool = True, **more: Any) -> None:
        """Roll out an image, as a pipeline does, and wait for its end."""
        applied = await self.cluster.apply(deployment(image, **more))
        generation = applied["metadata"]["generation"]

        def taken_up() -> bool:
            status: dict[str, Any] = self.there.get("status") or {}
            return bool(status.get("observedGeneration", 0) >= generation)

        def done() -> bool:
            status: dict[str, Any] = self.there.get("status") or {}
            wanted = self.there["spec"]["replicas"]
            counts = [status.get(name, 0) for name in ("replicas", "updatedReplicas", "availableReplicas")]
            return taken_up() and counts == [wanted] * 3

        await until(done if wait else taken_up)

    @property
    def there(self) -> Any:
        """The Deployment as it is."""
        return self.cluster.read("apps/v1", "Deployment", "cart", "shop") or {}

    @property
    def image(self) -> str:
        return str(self.there["spec"]["template"]["spec"]["containers"][0]["image"])

    def pods(self, app: str = "cart") -> list[Any]:
        return [one for one in self.cluster.list("v1", "Pod", "shop") if one["metadata"]["labels"].get("app") == app]

    async def in_trouble(self, app: str = "cart") -> None:
        """Wait until a pod crash-loops."""

        def backs_off(container: Any) -> bool:
            waiting = container["state"].get("waiting", {})
            return container["restartCount"] >= CRASHES and waiting.get("reason") == "CrashLoopBackOff"

        await until(
            lambda: any(
                backs_off(c) for one in self.pods(app) for c in one.get("status", {}).get("containerStatuses", [])
            )
        )

    async def read(self, action: str, **params: Any) -> Any:
        request = ReadRequest(call=ActionCall(action=action, params=params), incident="i-1", step="s")
        return (await self.lifecycle.read(request)).output

    async def broken(self, kind: str, **params: Any) -> Any:
        """Wait until a workload is found broken."""
        async with asyncio.timeout(10):
            while not (found := await self.read("kubernetes.get_workload", kind=kind, **params))["broken"]:  # noqa: ASYNC110  # the controllers run by themselves
                await asyncio.sleep(0.02)
        return found

    async def plan(self, action: str, *, undoing: Plan | None = None, **params: Any) -> Plan:
        call = ActionCall(action=action, params=params)
        return await self.lifecycle.plan(PlanRequest(call=call, incident="i-1", step="s", now=NOW, undoing=undoing))

    async def apply(self, plan: Plan, key: str = "k-1") -> Applied:
        return await self.lifecycle.apply(ApplyRequest(plan=plan, key=key, incident="i-1", step="s", now=NOW))

    async def applied(self, plan: Plan, key: str = "k-1") -> Applied:
        """Apply as the engine does: again, as long as it is told that trying again may help."""
        async with asyncio.timeout(10):
            while True:
                try:
                    return await self.apply(plan, key)
                except TransientError:
                    await asyncio.sleep(0.02)

    async def settlement(self, plan: Plan) -> Settlement:
        """Look once whether a plan is in effect."""
        request = ConfirmRequest(plan=plan, incident="i-1", step="s", poll=timedelta(seconds=1))
        return await self.lifecycle.confirm(request)

    async def confirmed(self, plan: Plan) -> Settlement:
        async with asyncio.timeout(10):
            while (found := await self.settlement(plan)).state == "waiting":  # noqa: ASYNC110  # the cluster's part
                await asyncio.sleep(0.03)
        return found

    async def taken_back(self, plan: Plan) -> Plan:
        """Plan the undo of a plan."""
        assert plan.undo.call is not None
        return await self.plan(plan.undo.call.action, undoing=plan, **plan.undo.call.params)


async def until(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not done():  # noqa: ASYNC110  # the controllers run by themselves
            await asyncio.sleep(0.02)


@asynccontextmanager
async def opened(directory: Path) -> AsyncGenerator[Shop]:
    async with DemoCluster(timing=FAST) as cluster:
        api = KubernetesApi(KubernetesConfig({"demo": ClusterConfig(kubeconfig=cluster.kubeconfig)}))
        evidence = EvidenceDirectory(directory / "evidence")
        shop = Shop(cluster, Env(api, evidence), evidence)
        try:
            await shop.roll_out("cart:1.0")
            yield shop
        finally:
            await api.close()


@asynccontextmanager
async def opened_as(shop: Shop, allow: Sequence[Rule]) -> AsyncGenerator[Shop]:
    """The same cluster with credentials that may do no more than this."""
    token = shop.cluster.add_token(user="limited", allow=allow)
    api = KubernetesApi(KubernetesConfig({"demo": ClusterConfig(kubeconfig=shop.cluster.kubeconfig_for(token))}))
    try:
        yield Shop(shop.cluster, Env(api, shop.evidence), shop.evidence)
    finally:
        await api.close()
