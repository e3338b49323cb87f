"""What the tests of the demonstration cluster share: one client over real HTTPS, and one Deployment to do things to."""

import asyncio
import ssl
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx

from halon.demo.cluster import DemoCluster, Timing

Json = dict[str, Any]
FAST = Timing(
    tick=timedelta(milliseconds=5),
    start=timedelta(milliseconds=10),
    ready=timedelta(milliseconds=10),
    stop=timedelta(milliseconds=10),
    crash=timedelta(milliseconds=10),
    backoff=timedelta(milliseconds=30),
)
PATIENCE = 10.0
"""Seconds until something that should come by itself counts as never."""
PATHS = {
    "deployments": "/apis/apps/v1/namespaces/shop/deployments",
    "replicasets": "/apis/apps/v1/namespaces/shop/replicasets",
    "pods": "/api/v1/namespaces/shop/pods",
    "budgets": "/apis/policy/v1/namespaces/shop/poddisruptionbudgets",
    "events": "/api/v1/namespaces/shop/events",
}
CART = f"{PATHS['deployments']}/cart"
MERGE, JSON_PATCH = "application/merge-patch+json", "application/json-patch+json"
REVISION = "deployment.kubernetes.io/revision"


def cart(image: str = "cart:1", replicas: int = 2) -> Json:
    """A Deployment."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "cart", "namespace": "shop"},
        "spec": {
            "replicas": replicas,
            "progressDeadlineSeconds": 1,
            "selector": {"matchLabels": {"app": "cart"}},
            "template": {
                "metadata": {"labels": {"app": "cart"}},
                "spec": {
                    "terminationGracePeriodSeconds": 0,
                    "containers": [{"name": "cart", "image": image}],
                },
            },
        },
    }


def client_of(cluster: DemoCluster, token: str = "") -> httpx.AsyncClient:
    """A client that trusts the cluster's own authority, and nobody else."""
    return httpx.AsyncClient(
        base_url=cluster.url,
        verify=ssl.create_default_context(cafile=str(cluster.ca_file)),
        headers={"Authorization": f"Bearer {token or cluster.admin_token}"},
        timeout=PATIENCE,
    )


class Api:
    """Requests as a client of Kubernetes makes them."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http

    async def get(self, path: str, **query: str) -> Json:
        """Read."""
        return (await self.http.get(path, params=query)).raise_for_status().json()

    async def patch(self, path: str, body: Any, kind: str = MERGE, **query: str) -> httpx.Response:
        """Patch, and give the answer whatever it is."""
        return await self.http.patch(path, json=body, params=query, headers={"Content-Type": kind})

    async def roll_out(self, image: str) -> None:
        """Ask for another image."""
        template = {"spec": {"template": {"spec": {"containers": [{"name": "cart", "image": image}]}}}}
        (await self.patch(CART, template)).raise_for_status()

    async def until(self, path: str, holds: Callable[[Json], bool], **query: str) -> Json:
        """Read until something holds."""
        async with asyncio.timeout(PATIENCE):
            while not holds(found := await self.get(path, **query)):  # noqa: ASYNC110  # the controllers run by themselves
                await asyncio.sleep(0.01)
        return found

    async def rolled_out(self) -> Json:
        """Wait as `kubectl rollout status` does."""
        return await self.until(CART, complete)


def complete(deployment: Json) -> bool:
    """Whether every pod is of the newest template, available, and no other is left."""
    status, wanted = deployment["status"], deployment["spec"]["replicas"]
    counts = [status.get(key, 0) for key in ("replicas", "updatedReplicas", "availableReplicas")]
    return status.get("observedGeneration") == deployment["metadata"]["generation"] and counts == [wanted] * 3


def conditions(deployment: Json) -> dict[str, str]:
    """Condition types with their reasons."""
    return {one["type"]: one["reason"] for one in deployment["status"].get("conditions", [])}
