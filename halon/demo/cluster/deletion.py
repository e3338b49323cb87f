"""Deleting: at once, after a grace period, or once finalizers and dependents are gone.

Clients' requests and controllers delete by the same rules, so both come here.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from halon.demo.cluster.objects import Json, child, clone, ensure, is_deleting, name_of, namespace_of, objects, uid_of
from halon.demo.cluster.objects import timestamp as written
from halon.demo.cluster.resources import NAMESPACES, NODES, PODS, Resource
from halon.demo.cluster.world import World

FOREGROUND = "foregroundDeletion"
"""The finalizer that keeps an owner until its dependents are gone."""


@dataclass(frozen=True, slots=True)
class HowToDelete:
    """A client's wishes; without a grace period, the pod's own one counts."""

    grace_seconds: int | None = None
    propagation: Literal["Background", "Foreground", "Orphan"] = "Background"


def delete(world: World, resource: Resource, obj: Json, how: HowToDelete) -> Json | None:
    """Delete an object; return what is left of it for now, or None when it is gone."""
    if how.propagation == "Orphan":
        _release_dependents(world, obj)
    changed = clone(obj)
    metadata = ensure(changed, "metadata")
    has_dependents = bool(dependents(world, obj))
    if how.propagation == "Foreground" and has_dependents and FOREGROUND not in metadata.get("finalizers", []):
        metadata.setdefault("finalizers", []).append(FOREGROUND)
    grace = _grace(world, resource, obj, how)
    waits = bool(grace or metadata.get("finalizers") or resource is NAMESPACES)
    if not waits:
        world.store.remove(resource, namespace_of(obj), name_of(obj))
        return None
    if is_deleting(obj):
        return obj
    metadata["deletionTimestamp"] = written(world.now() + timedelta(seconds=grace))
    metadata["deletionGracePeriodSeconds"] = grace
    if resource.has_generation:
        metadata["generation"] = int(metadata.get("generation") or 0) + 1
    if resource is NAMESPACES:
        ensure(changed, "status")["phase"] = "Terminating"
    return world.store.put(resource, changed)


def _grace(world: World, resource: Resource, obj: Json, how: HowToDelete) -> int:
    """Return the seconds that a pod on a node has to stop; everything else has none."""
    spec = child(obj, "spec")
    node = str(spec.get("nodeName") or "")
    if resource is not PODS or world.store.get(NODES, "", node) is None:
        return 0
    if how.grace_seconds is not None:
        return how.grace_seconds
    return int(spec.get("terminationGracePeriodSeconds", 30))


def dependents(world: World, owner: Json) -> list[tuple[Resource, Json]]:
    """List what an object owns."""
    uid = uid_of(owner)
    return [
        (resource, obj)
        for resource in world.store.resources()
        for obj in world.store.items(resource, namespace_of(owner))
        if any(reference.get("uid") == uid for reference in objects(obj, "metadata", "ownerReferences"))
    ]


def _release_dependents(world: World, owner: Json) -> None:
    for resource, obj in dependents(world, owner):
        changed = clone(obj)
        metadata = ensure(changed, "metadata")
        kept = [item for item in metadata["ownerReferences"] if item.get("uid") != uid_of(owner)]
        metadata["ownerReferences"] = kept
        world.store.put(resource, changed)
