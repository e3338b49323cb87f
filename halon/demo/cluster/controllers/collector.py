"""The garbage collector and the namespace controller: what nobody owns any more goes, and what a namespace held."""

from datetime import datetime

from halon.demo.cluster.deletion import FOREGROUND, HowToDelete, delete, dependents
from halon.demo.cluster.objects import Json, child, clone, ensure, is_deleting, name_of, namespace_of, objects, uid_of
from halon.demo.cluster.resources import NAMESPACES, PODS, SERVICE_ACCOUNTS, Resource
from halon.demo.cluster.world import World


class Collector:
    """Deletes orphans and the content of namespaces, and gives new namespaces their service account."""

    def __init__(self, world: World) -> None:
        self._world = world

    def reconcile(self) -> datetime | None:
        """Collect what is to be collected."""
        for namespace in self._world.store.items(NAMESPACES):
            if is_deleting(namespace):
                self._empty(namespace)
            elif self._world.store.get(SERVICE_ACCOUNTS, name_of(namespace), "default") is None:
                self._give_account(name_of(namespace))
        everything = [(kind, obj) for kind in self._world.store.resources() for obj in self._world.store.items(kind)]
        alive = {uid_of(obj) for _, obj in everything}
        for resource, obj in everything:
            self._collect(resource, obj, alive)
        return None

    def _give_account(self, namespace: str) -> None:
        account: Json = {"apiVersion": "v1", "kind": "ServiceAccount"}
        self._world.store.put(SERVICE_ACCOUNTS, {**account, "metadata": self._world.new_metadata("default", namespace)})

    def _empty(self, namespace: Json) -> None:
        """Delete what a namespace holds, and then the namespace."""
        held = [
            (resource, obj)
            for resource in self._world.store.resources()
            if resource.namespaced
            for obj in self._world.store.items(resource, name_of(namespace))
        ]
        for resource, obj in held:
            if not is_deleting(obj):
                delete(self._world, resource, obj, HowToDelete())
        if not held:
            self._world.store.remove(NAMESPACES, "", name_of(namespace))

    def _collect(self, resource: Resource, obj: Json, alive: set[str]) -> None:
        store = self._world.store
        if store.get(resource, namespace_of(obj), name_of(obj)) is not obj:
            return
        if is_deleting(obj):
            if FOREGROUND in (child(obj, "metadata").get("finalizers") or []):
                self._finish_foreground(resource, obj)
            return
        owners = objects(obj, "metadata", "ownerReferences")
        if owners and not any(owner.get("uid") in alive for owner in owners):
            delete(self._world, resource, obj, HowToDelete())

    def _finish_foreground(self, resource: Resource, obj: Json) -> None:
        """Delete what an owner holds; let the owner go when only stopping pods could be left."""
        left = dependents(self._world, obj)
        for kind, owned in left:
            if not is_deleting(owned):
                delete(
                    self._world,
                    kind,
                    owned,
                    HowToDelete(propagation="Foreground" if kind is not PODS else "Background"),
                )
        if left:
            return
        changed = clone(obj)
        finalizers: list[str] = ensure(changed, "metadata")["finalizers"]
        finalizers.remove(FOREGROUND)
        if finalizers:
            self._world.store.put(resource, changed)
        else:
            self._world.store.remove(resource, namespace_of(obj), name_of(obj))
