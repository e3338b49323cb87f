"""Flux's objects as they stand in a cluster, and what its controllers make of a write."""

import copy
from typing import Any

from custom_objects import CustomObjects

KUSTOMIZATION = "/apis/kustomize.toolkit.fluxcd.io/v1/namespaces/flux-system/kustomizations/shop"
RELEASE = "/apis/helm.toolkit.fluxcd.io/v2/namespaces/flux-system/helmreleases/shop"
REPOSITORY = "/apis/source.toolkit.fluxcd.io/v1/namespaces/flux-system/gitrepositories/shop"
OLD, NEW = "a" * 40, "b" * 40


def objects() -> dict[str, dict[str, Any]]:
    """A Kustomization whose newest revision fails, a HelmRelease, and the GitRepository that they read."""
    meta = {"name": "shop", "namespace": "flux-system"}
    failed = [
        {"type": "Ready", "status": "False", "reason": "HealthCheckFailed", "message": "timeout waiting for cart"}
    ]
    made = {
        KUSTOMIZATION: {
            "kind": "Kustomization",
            "metadata": meta,
            "spec": {"path": "./shop", "interval": "10m", "prune": True},
            "status": {
                "observedGeneration": 1,
                "conditions": failed,
                "lastAppliedRevision": f"main@sha1:{OLD}",
                "lastAttemptedRevision": f"main@sha1:{NEW}",
                "history": [
                    {"lastReconciledStatus": "HealthCheckFailed", "lastReconciled": "2026-01-02T03:04:00Z",
                     "metadata": {"revision": f"main@sha1:{NEW}"}},
                    {"lastReconciledStatus": "ReconciliationSucceeded", "lastReconciled": "2026-01-02T02:04:00Z",
                     "metadata": {"revision": f"main@sha1:{OLD}"}},
                ],
            },
        },
        RELEASE: {"kind": "HelmRelease", "metadata": meta, "spec": {"suspend": True, "interval": "10m"}},
        REPOSITORY: {
            "kind": "GitRepository",
            "metadata": meta,
            "spec": {"url": "https://git.example.com/shop", "ref": {"branch": "main"}, "interval": "1m"},
            "status": {"artifact": {"revision": f"main@sha1:{NEW}"}},
        },
    }  # fmt: skip
    return copy.deepcopy(made)


def controller(there: dict[str, Any]) -> None:
    """What Flux does when it sees a write to a source."""
    if there["kind"] != "GitRepository":
        return
    commit = there["spec"]["ref"].get("commit")
    there["status"] = {
        "observedGeneration": there["metadata"]["generation"],
        "conditions": [{"type": "Ready", "status": "True", "reason": "Succeeded", "message": "stored artifact"}],
        "artifact": {"revision": f"sha1:{commit}" if commit else f"main@sha1:{NEW}"},
    }


def drift(there: dict[str, Any]) -> None:
    """What somebody else does: another path, another branch."""
    there["spec"] |= {"interval": "99m", "ref": {"branch": "other"}}


def flux() -> CustomObjects:
    return CustomObjects(objects(), drift, controller)
