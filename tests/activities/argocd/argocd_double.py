"""A double of Argo CD's API: an application that syncs by itself, with a history."""

import json
from typing import Any

from vendor import TOKEN, Answered, Secret, Vendor

from halon.clients.argocd import ArgoCd
from halon.clients.json_api import Access
from halon.demo.cluster.patching import apply_operations
from halon.settings.services import ArgoCdSettings

PATH = "/api/v1/applications/cart"
OLD, NEW = "a" * 40, "b" * 40


def refused(code: int, said: str, status: int) -> Answered:
    """As the gRPC gateway answers."""
    return Answered({"error": said, "code": code, "message": said}, status)


class ArgoCdDouble(Vendor):
    """The application `cart`, at NEW, with OLD before it."""

    denied = refused(7, "permission denied: applications, update, default/cart, sub: halon", 403)
    throttled = refused(8, "too many requests", 429)

    def __init__(self) -> None:
        super().__init__()
        self.fate = "Succeeded"
        self.app: dict[str, Any] = {
            "metadata": {"name": "cart", "namespace": "argocd", "annotations": None, "resourceVersion": "7"},
            "spec": {
                "project": "default",
                "source": {"repoURL": "https://git.example.com/shop", "targetRevision": "main"},
                "syncPolicy": {"automated": {"prune": True, "selfHeal": True}, "syncOptions": ["CreateNamespace=true"]},
            },
            "status": {
                "sync": {"status": "Synced", "revision": NEW},
                "health": {"status": "Healthy"},
                "history": [{"id": 3, "revision": OLD, "source": {}}, {"id": 4, "revision": NEW, "source": {}}],
                "operationState": {"phase": "Succeeded", "operation": {"sync": {"revision": NEW}}},
            },
        }

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> Answered:
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return refused(16, "invalid session", 401)
        if path == f"{PATH}/rollback":
            return self._roll_back(int(body["id"]))
        if path != PATH:
            return refused(7, "permission denied", 403)
        if method == "PATCH":
            assert (body["name"], body["patchType"]) == ("cart", "json")
            if self.app["metadata"]["annotations"] is None:
                del self.app["metadata"]["annotations"]
            try:
                self.app = apply_operations(self.app, json.loads(body["patch"]))
            except Exception as error:  # noqa: BLE001  # whatever the patch library says
                return refused(2, f"error applying patch: {error}", 500)
        return Answered(self.app)

    def _roll_back(self, number: int) -> Answered:
        if "automated" in self.app["spec"]["syncPolicy"]:
            return refused(9, "rollback cannot be initiated when auto-sync is enabled", 400)
        history = self.app["status"]["history"]
        entry = next((one for one in history if one["id"] == number), None)
        if entry is None:
            return refused(3, f"application cart does not have deployment with id {number}", 400)
        if self.fate == "Succeeded":
            history.append({**entry, "id": history[-1]["id"] + 1})
        operation = {"sync": {"revision": entry["revision"]}}
        state = {"phase": self.fate, "message": f"it {self.fate}", "operation": operation}
        self.app["status"]["operationState"] = state
        return Answered(self.app)

    async def interfere(self) -> None:
        policy = self.app["spec"]["syncPolicy"]
        policy["automated"] = {"allowEmpty": True}
        self.app["status"]["history"].append({"id": 9, "revision": "c" * 40, "source": {}})


def argocd(url: str) -> ArgoCd:
    settings = ArgoCdSettings.model_validate({"url": url, "token": {"env": "ARGOCD_TOKEN"}, "allow": ["cart"]})
    return ArgoCd(Access("Argo CD", url, "argocd", Secret()), settings)
