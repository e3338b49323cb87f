"""What gives volume claims a volume: a binder and a provisioner in one. There are no volumes as such, and none grows.

A claim of storage class `missing` stays pending, and so does one that names none on purpose, with an empty string.
"""

from datetime import datetime

from halon.demo.cluster.objects import Json, child, clone, ensure, is_deleting, uid_of
from halon.demo.cluster.resources import CLAIMS
from halon.demo.cluster.world import World

_NAME = "persistentvolume-controller"
MISSING = "missing"
"""The storage class that does not exist."""


class Claims:
    """Binds claims to volumes that are made for them."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._told: set[str] = set()
        """Claims of which it was said that they stay pending."""

    def reconcile(self) -> datetime | None:
        """Bind what can be bound."""
        for claim in self._world.store.items(CLAIMS):
            if child(claim, "status").get("phase") == "Pending" and not is_deleting(claim):
                self._bind(claim)
        return None

    def _bind(self, claim: Json) -> None:
        kind = str(child(claim, "spec").get("storageClassName") or "")
        if not kind or kind == MISSING:
            self._refuse(claim, kind)
            return
        bound = clone(claim)
        volume = f"pvc-{uid_of(claim)}"
        ensure(bound, "spec")["volumeName"] = volume
        spec = child(bound, "spec")
        bound["status"] = {
            "phase": "Bound",
            "accessModes": list(spec.get("accessModes") or []),
            "capacity": {"storage": child(spec, "resources", "requests").get("storage", "0")},
        }
        self._world.store.put(CLAIMS, bound)
        message = f"Successfully provisioned volume {volume}"
        self._world.record(CLAIMS, bound, "Normal", "ProvisioningSucceeded", message, _NAME)

    def _refuse(self, claim: Json, kind: str) -> None:
        """Say once why a claim stays pending."""
        if uid_of(claim) in self._told:
            return
        self._told.add(uid_of(claim))
        if kind:
            message = f'storageclass.storage.k8s.io "{kind}" not found'
            self._world.record(CLAIMS, claim, "Warning", "ProvisioningFailed", message, _NAME)
            return
        message = "no persistent volumes available for this claim and no storage class is set"
        self._world.record(CLAIMS, claim, "Normal", "FailedBinding", message, _NAME)
