"""The revisions of StatefulSets and DaemonSets: one ControllerRevision for each pod template that they have had."""

import hashlib

from halon.demo.cluster.objects import (
    Json,
    annotations_of,
    canonical,
    child,
    clone,
    controller_of,
    labels_of,
    name_of,
    namespace_of,
    uid_of,
)
from halon.demo.cluster.resources import CONTROLLER_REVISIONS, DAEMON_SETS, Resource
from halon.demo.cluster.world import World, owner_reference

HASH = "controller-revision-hash"
"""The label by which a pod tells its revision: the revision's name for a StatefulSet, its hash for a DaemonSet."""
_LETTERS = "bcdfghjklmnpqrst"


class History:
    """Keeps the revisions of one kind of workload."""

    def __init__(self, world: World, kind: Resource) -> None:
        self._world = world
        self._kind = kind

    def update(self, owner: Json) -> Json:
        """Give the revision of the owner's present template: a new one, or an earlier one with the newest number."""
        known = self.of(owner)
        newest = int(known[-1]["revision"]) if known else 0
        data = _data(owner)
        same = next((one for one in known if one["data"] == data), None)
        if same is not None:
            if same is known[-1]:
                return same
            changed = clone(same)
            changed["revision"] = newest + 1
            return self._world.store.put(CONTROLLER_REVISIONS, changed)
        digest = hashlib.sha256(canonical(data).encode()).hexdigest()[:10]
        mark = "".join(_LETTERS[int(digit, 16)] for digit in digest)
        labels = labels_of(child(owner, "spec", "template"))
        labels |= {HASH: mark} if self._kind is DAEMON_SETS else {"controller.kubernetes.io/hash": mark}
        revision: Json = {
            "apiVersion": "apps/v1",
            "kind": "ControllerRevision",
            "metadata": {
                **self._world.new_metadata(f"{name_of(owner)}-{mark}", namespace_of(owner)),
                "labels": labels,
                "annotations": dict(annotations_of(owner)),
                "ownerReferences": [owner_reference(self._kind, owner)],
            },
            "data": data,
            "revision": newest + 1,
        }
        return self._world.store.put(CONTROLLER_REVISIONS, revision)

    def of(self, owner: Json) -> list[Json]:
        """Give the owner's revisions, oldest first."""
        everything = self._world.store.items(CONTROLLER_REVISIONS, namespace_of(owner))
        ours = [one for one in everything if controller_of(one) == uid_of(owner)]
        return sorted(ours, key=lambda one: (int(one["revision"]), name_of(one)))

    def forget(self, owner: Json, pods: list[Json], live: set[str]) -> None:
        """Delete the oldest revisions beyond the owner's limit that no pod runs."""
        live = live | {labels_of(pod).get(HASH, "") for pod in pods}
        idle = [one for one in self.of(owner) if name_of(one) not in live and mark_of(self._kind, one) not in live]
        limit = int(child(owner, "spec").get("revisionHistoryLimit", 10))
        for one in idle[: max(0, len(idle) - limit)]:
            self._world.store.remove(CONTROLLER_REVISIONS, namespace_of(one), name_of(one))


def mark_of(kind: Resource, revision: Json) -> str:
    """Give the value of the label that pods of this revision carry."""
    return labels_of(revision)[HASH] if kind is DAEMON_SETS else name_of(revision)


def template_of(revision: Json) -> Json:
    """Give the pod template that a revision keeps."""
    template = clone(child(revision, "data", "spec", "template"))
    template.pop("$patch", None)
    return template


def _data(owner: Json) -> Json:
    """Write the owner's template as a patch that would bring it back, which is how revisions keep it."""
    return {"spec": {"template": {**clone(child(owner, "spec", "template")), "$patch": "replace"}}}
