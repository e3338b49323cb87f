"""What controllers that make pods share: a pod of a template, whose it is, and whether it served long enough."""

from collections import defaultdict
from datetime import datetime, timedelta

from halon.demo.cluster.defaults import set_defaults
from halon.demo.cluster.objects import (
    Json,
    child,
    clone,
    condition_of,
    controller_of,
    ensure,
    is_pod_ready,
    labels_of,
    name_of,
    namespace_of,
    objects,
    parse_timestamp,
    uid_of,
)
from halon.demo.cluster.resources import PODS, Resource
from halon.demo.cluster.selectors import selector_matches
from halon.demo.cluster.world import World, owner_reference

FINISHED = frozenset({"Succeeded", "Failed"})
"""Phases of a pod that has ended."""


def owned_pods(world: World) -> defaultdict[str, list[Json]]:
    """Give every pod by the uid of what controls it, in order of their names."""
    owned: defaultdict[str, list[Json]] = defaultdict(list)
    for pod in world.store.items(PODS):
        owned[controller_of(pod)].append(pod)
    return owned


def kept_pods(world: World, kind: Resource, owner: Json, pods: list[Json]) -> list[Json]:
    """Give those of its pods that an owner still selects; it lets go of those whose labels somebody changed."""
    selector = child(owner, "spec", "selector")
    kept: list[Json] = []
    for pod in pods:
        if selector_matches(selector, labels_of(pod)):
            kept.append(pod)
            continue
        loose = clone(pod)
        metadata = ensure(loose, "metadata")
        others = [one for one in objects(pod, "metadata", "ownerReferences") if one.get("uid") != uid_of(owner)]
        metadata.pop("ownerReferences")
        if others:
            metadata["ownerReferences"] = others
        world.store.put(PODS, loose)
        message = f"Released pod: {name_of(pod)}"
        world.record(kind, owner, "Normal", "SuccessfulRelease", message, f"{kind.kind.lower()}-controller")
    return kept


def has_ended(pod: Json) -> bool:
    """Whether all its containers have ended for good."""
    return child(pod, "status").get("phase") in FINISHED


def new_pod(world: World, kind: Resource, owner: Json, template: Json, name: str) -> Json:
    """Build a pod of a template, controlled by its owner; it is not stored yet."""
    template = clone(template)
    pod: Json = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            **child(template, "metadata"),
            **world.new_metadata(name, namespace_of(owner)),
            "generateName": f"{name_of(owner)}-",
            "generation": 1,
            "ownerReferences": [owner_reference(kind, owner)],
        },
        "spec": child(template, "spec"),
    }
    set_defaults(PODS, pod)
    return pod


class Availability:
    """Tells pods that have been ready for long enough, and when to look again at those that have not."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._due: list[datetime] = []

    def begin(self) -> None:
        """Begin a round."""
        self._due = []

    def due(self) -> datetime | None:
        """Give the next moment at which a pod of this round becomes available."""
        return min(self._due, default=None)

    def holds(self, pod: Json, owner: Json) -> bool:
        """Whether a pod is ready, and has been for as long as its owner's `minReadySeconds` wants."""
        if not is_pod_ready(pod):
            return False
        least = timedelta(seconds=int(child(owner, "spec").get("minReadySeconds", 0)))
        if not least:
            return True
        since = parse_timestamp(str(condition_of(pod, "Ready").get("lastTransitionTime")))
        if self._world.now() >= since + least:
            return True
        self._due.append(since + least)
        return False
