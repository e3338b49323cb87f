"""What controllers and requests share: the store, the clock, the timing and the events that both record."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from halon.demo.cluster.objects import (
    Clock,
    Json,
    child,
    clone,
    ensure,
    name_of,
    namespace_of,
    new_uid,
    random_suffix,
    system_clock,
    timestamp,
    uid_of,
)
from halon.demo.cluster.resources import EVENTS, Resource
from halon.demo.cluster.store import Store
from halon.demo.cluster.timing import Timing

_EVENTS_KEPT = 5000


@dataclass(slots=True)
class World:
    """The cluster's state. Only the HTTP edge and the controllers change it."""

    timing: Timing = field(default_factory=Timing)
    clock: Clock = system_clock
    store: Store = field(default_factory=Store)
    _seen: dict[tuple[str, str, str], str] = field(default_factory=dict[tuple[str, str, str], str])
    """Names of recorded events, so that a repeated one only counts up."""

    def now(self) -> datetime:
        """Tell the cluster's time."""
        return self.clock()

    def stamp(self) -> str:
        """Tell the cluster's time as objects carry it."""
        return timestamp(self.clock())

    def new_metadata(self, name: str, namespace: str) -> Json:
        """Make the metadata of an object that a controller creates."""
        placed = {"namespace": namespace} if namespace else {}
        return {"name": name, **placed, "uid": new_uid(), "creationTimestamp": self.stamp()}

    def write_status(self, resource: Resource, obj: Json, status: Json) -> Json:
        """Write an object's status if that changes it, without raising its generation."""
        if child(obj, "status") == status:
            return obj
        changed = clone(obj)
        changed["status"] = status
        return self.store.put(resource, changed)

    def record(  # an event has these six facts
        self,
        resource: Resource,
        about: Json,
        kind: Literal["Normal", "Warning"],
        reason: str,
        message: str,
        component: str,
    ) -> None:
        """Record an event about an object; the same one again raises the first one's count."""
        namespace, key = namespace_of(about) or "default", (uid_of(about), reason, message)
        known = self.store.get(EVENTS, namespace, self._seen.get(key, ""))
        if known is not None:
            again = clone(known)
            again["count"] = int(again.get("count") or 1) + 1
            again["lastTimestamp"] = self.stamp()
            self.store.put(EVENTS, again)
            return
        name = f"{name_of(about)}.{random_suffix(16)}"
        if len(self._seen) >= _EVENTS_KEPT:
            self._seen.clear()
        self._seen[key] = name
        event: Json = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": self.new_metadata(name, namespace),
            "involvedObject": _reference(resource, about),
            "reason": reason,
            "message": message,
            "type": kind,
            "count": 1,
            "firstTimestamp": self.stamp(),
            "lastTimestamp": self.stamp(),
            "source": {"component": component},
            "reportingComponent": component,
            "reportingInstance": "",
        }
        self.store.put(EVENTS, event)


def _reference(resource: Resource, obj: Json) -> Json:
    placed = {"namespace": namespace_of(obj)} if resource.namespaced else {}
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "name": name_of(obj),
        **placed,
        "uid": uid_of(obj),
        "resourceVersion": str(child(obj, "metadata").get("resourceVersion") or ""),
    }


def owner_reference(resource: Resource, owner: Json) -> Json:
    """Write the reference by which an owner controls what it made."""
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "name": name_of(owner),
        "uid": uid_of(owner),
        "controller": True,
        "blockOwnerDeletion": True,
    }


def set_condition(status: Json, condition: Json, now: str) -> None:
    """Set a condition of a status that is being built; its transition time moves only with its status."""
    present: list[Json] = status.setdefault("conditions", [])
    for index, old in enumerate(present):
        if old.get("type") == condition["type"]:
            since = old.get("lastTransitionTime", now) if old.get("status") == condition["status"] else now
            present[index] = {**old, **condition, "lastTransitionTime": since}
            return
    present.append({**condition, "lastTransitionTime": now})


def set_replicas(spec_holder: Json, replicas: int) -> Json:
    """Copy a workload with another number of replicas, raising its generation."""
    changed = clone(spec_holder)
    ensure(changed, "spec")["replicas"] = replicas
    metadata = ensure(changed, "metadata")
    metadata["generation"] = int(metadata.get("generation") or 0) + 1
    return changed
