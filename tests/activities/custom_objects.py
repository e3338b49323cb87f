"""A double of a Kubernetes API server for kinds that others define: objects are read and patched, as it does that."""

import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import yaml
from vendor import TOKEN, Answered, Vendor

from halon.clients.kubernetes.api import KubernetesApi, KubernetesConfig
from halon.clients.kubernetes.connection import ClusterConfig
from halon.demo.cluster.patching import apply_operations


def status(code: int, reason: str, message: str) -> Answered:
    """As the API server refuses."""
    headers = {"Retry-After": "7"} if code == 429 else {}
    said = {"kind": "Status", "status": "Failure", "reason": reason, "message": message, "code": code, "details": {}}
    return Answered(said, code, headers)


class CustomObjects(Vendor):
    """Objects by the path at which they are served; `controller` is what reacts to a write."""

    denied = status(403, "Forbidden", 'User "halon" cannot patch resource')
    throttled = status(429, "TooManyRequests", "too many requests")

    def __init__(
        self, objects: dict[str, dict[str, Any]], drift: Any, controller: Callable[[dict[str, Any]], None] | None = None
    ) -> None:
        super().__init__()
        self.objects = objects
        self._drift = drift
        self._controller = controller
        for one in objects.values():
            one["metadata"] |= {"uid": "u-1", "resourceVersion": "1", "generation": 1}

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> Answered:
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return status(401, "Unauthorized", "Unauthorized")
        there = self.objects.get(path)
        if there is None:
            return status(404, "NotFound", "the server could not find the requested resource")
        if method == "GET":
            return Answered(there)
        try:
            patched = apply_operations(there, body)
        except Exception:  # noqa: BLE001  # a test that did not hold, as the API server words it
            return status(422, "Invalid", "the server rejected our request due to an error in our request")
        if query.get("dryRun") == "All":
            return Answered(patched, headers={"X-Repeated": "yes"})
        self._stored(path, patched)
        return Answered(patched)

    async def interfere(self) -> None:
        for path, there in self.objects.items():
            self._stored(path, self._drift(there) or there)

    def _stored(self, path: str, there: dict[str, Any]) -> None:
        meta = there["metadata"]
        meta["resourceVersion"] = str(int(meta["resourceVersion"]) + 1)
        meta["generation"] += 1
        if self._controller:
            self._controller(there)
        self.objects[path] = there


@asynccontextmanager
async def kubernetes(double: CustomObjects, directory: Path) -> AsyncIterator[KubernetesApi]:
    """Serve the double, and give what reaches it."""
    async with double.serving() as url:
        file = directory / f"{hashlib.sha256(url.encode()).hexdigest()[:8]}.yaml"
        kubeconfig = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "demo",
            "clusters": [{"name": "demo", "cluster": {"server": url}}],
            "users": [{"name": "halon", "user": {"token": TOKEN}}],
            "contexts": [{"name": "demo", "context": {"cluster": "demo", "user": "halon"}}],
        }
        file.write_text(yaml.safe_dump(kubeconfig))
        api = KubernetesApi(KubernetesConfig({"demo": ClusterConfig(kubeconfig=file)}))
        try:
            yield api
        finally:
            await api.close()
