"""The Deployment controller: revisions, rolling updates within their bounds, and the conditions that tell of them.

Each round makes at most one change in size per Deployment and only when its ReplicaSets have counted the one before, so
that bounds hold. The order of decisions is the real controller's (k8s.io/kubernetes/pkg/controller/deployment).
"""

import hashlib
from collections import defaultdict
from datetime import datetime

from halon.demo.cluster.controllers.progress import Progress
from halon.demo.cluster.objects import (
    Json,
    annotations_of,
    canonical,
    child,
    clone,
    controller_of,
    ensure,
    is_deleting,
    name_of,
    namespace_of,
    uid_of,
)
from halon.demo.cluster.resources import DEPLOYMENTS, PODS, REPLICA_SETS
from halon.demo.cluster.scaling import bounds_of, share_out
from halon.demo.cluster.world import World, owner_reference, set_replicas

_NAME = "deployment-controller"
REVISION = "deployment.kubernetes.io/revision"
_HISTORY = "deployment.kubernetes.io/revision-history"
_DESIRED = "deployment.kubernetes.io/desired-replicas"
_MOST = "deployment.kubernetes.io/max-replicas"
_HASH = "pod-template-hash"
_NOT_COPIED = {"kubectl.kubernetes.io/last-applied-configuration", REVISION, _HISTORY, _DESIRED, _MOST}
_HASH_LETTERS = "bcdfghjklmnpqrst"


class Rollouts:
    """Runs Deployments by way of the ReplicaSets that they own."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._progress = Progress(world)

    def reconcile(self) -> datetime | None:
        """Bring every Deployment one step further."""
        owned: defaultdict[str, list[Json]] = defaultdict(list)
        for replica_set in self._world.store.items(REPLICA_SETS):
            owned[controller_of(replica_set)].append(replica_set)
        deployments = [item for item in self._world.store.items(DEPLOYMENTS) if not is_deleting(item)]
        for deployment in deployments:
            self._reconcile(deployment, owned[uid_of(deployment)])
        return self._progress.next_deadline({uid_of(item) for item in deployments})

    def _reconcile(self, deployment: Json, sets: list[Json]) -> None:
        alive = sorted((item for item in sets if not is_deleting(item)), key=_age)
        paused = bool(child(deployment, "spec").get("paused"))
        current = next((item for item in alive if _has_template(item, deployment)), None)
        if current is None and not paused:
            current = self._create(deployment, alive)
            alive = [*alive, current]
            self._progress.note_new_set(deployment, current)
        elif current is not None and not paused:
            current = self._renumber(deployment, current, alive)
            alive = [current if uid_of(item) == uid_of(current) else item for item in alive]
        if current is not None and not paused:
            deployment = self._show_revision(deployment, annotations_of(current)[REVISION])
        if all(_is_counted(item) for item in alive):
            self._resize(deployment, current, alive, paused=paused)
        alive = [self._world.store.get(REPLICA_SETS, namespace_of(item), name_of(item)) or item for item in alive]
        current = next((item for item in alive if current and uid_of(item) == uid_of(current)), None)
        if self._progress.write(deployment, current, alive) and not paused:
            self._forget_old(deployment, [item for item in alive if item is not current])

    def _create(self, deployment: Json, others: list[Json]) -> Json:
        template = clone(child(deployment, "spec", "template"))
        mark = _template_hash(template)
        name, namespace = f"{name_of(deployment)}-{mark}", namespace_of(deployment)
        ensure(template, "metadata", "labels")[_HASH] = mark
        selector = clone(child(deployment, "spec", "selector"))
        ensure(selector, "matchLabels")[_HASH] = mark
        bounds = bounds_of(deployment)
        room = bounds.most - sum(_size(item) for item in others)
        recreate = child(deployment, "spec", "strategy").get("type") == "Recreate"
        first = bounds.replicas if not others else 0 if recreate else max(0, min(room, bounds.replicas))
        replica_set: Json = {
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "metadata": {
                **self._world.new_metadata(name, namespace),
                "generation": 1,
                "labels": dict(template["metadata"]["labels"]),
                "annotations": {
                    **_copied(deployment),
                    REVISION: str(_last_revision(others) + 1),
                    _DESIRED: str(bounds.replicas),
                    _MOST: str(bounds.most),
                },
                "ownerReferences": [owner_reference(DEPLOYMENTS, deployment)],
            },
            "spec": {"replicas": first, "selector": selector, "template": template},
            "status": {"replicas": 0},
        }
        if least := child(deployment, "spec").get("minReadySeconds"):
            replica_set["spec"]["minReadySeconds"] = least
        stored = self._world.store.put(REPLICA_SETS, replica_set)
        self._tell(deployment, "up", name, 0, first)
        return stored

    def _renumber(self, deployment: Json, current: Json, sets: list[Json]) -> Json:
        """Give the set that is wanted again the newest revision, and the Deployment's annotations."""
        have, annotations = _revision(current), annotations_of(current)
        newest = max((_revision(item) for item in sets if item is not current), default=0)
        wanted = {**annotations, **_copied(deployment)}
        if have <= newest:
            wanted[REVISION] = str(newest + 1)
            wanted[_HISTORY] = ",".join(filter(None, (annotations.get(_HISTORY, ""), str(have))))
        if wanted == annotations:
            return current
        changed = clone(current)
        ensure(changed, "metadata")["annotations"] = wanted
        return self._world.store.put(REPLICA_SETS, changed)

    def _show_revision(self, deployment: Json, revision: str) -> Json:
        """Write the revision on the Deployment; like the real controller's, this raises no generation."""
        if annotations_of(deployment).get(REVISION) == revision:
            return deployment
        changed = clone(deployment)
        ensure(changed, "metadata", "annotations")[REVISION] = revision
        return self._world.store.put(DEPLOYMENTS, changed)

    def _resize(self, deployment: Json, current: Json | None, sets: list[Json], *, paused: bool) -> None:
        bounds = bounds_of(deployment)
        old = [item for item in sets if item is not current]
        active = [item for item in sets if _size(item)]
        if paused or any(annotations_of(item).get(_DESIRED) != str(bounds.replicas) for item in active):
            self._scale(deployment, current, sets)
        elif current is None:
            return
        elif child(deployment, "spec", "strategy").get("type") == "Recreate":
            self._recreate(deployment, current, old)
        elif _size(current) != bounds.replicas and (target := self._grown(deployment, current, sets)) != _size(current):
            self._set_size(deployment, current, target)
        else:
            self._shrink_old(deployment, current, old)

    def _grown(self, deployment: Json, current: Json, sets: list[Json]) -> int:
        """Return the size that the wanted set may have now."""
        bounds, size = bounds_of(deployment), _size(current)
        room = max(0, bounds.most - sum(_size(item) for item in sets))
        return min(bounds.replicas, size + room)

    def _scale(self, deployment: Json, current: Json | None, sets: list[Json]) -> None:
        """Follow a change of the Deployment's replicas: share it among the sets that a rollout left active."""
        bounds = bounds_of(deployment)
        active = [item for item in sets if _size(item)]
        latest = current or max(sets, key=_revision, default=None)
        if len(active) <= 1:
            only = active[0] if active else latest
            if only is not None:
                self._set_size(deployment, only, bounds.replicas)
            return
        if current is not None and _size(current) == bounds.replicas == _available(current):
            for item in active:
                self._set_size(deployment, item, bounds.replicas if item is current else 0)
            return
        active.sort(key=_size, reverse=True)
        allowed = bounds.most if bounds.replicas else 0
        sizes = share_out([_size(item) for item in active], allowed - sum(_size(item) for item in active))
        for item, size in zip(active, sizes, strict=True):
            self._set_size(deployment, item, size)

    def _recreate(self, deployment: Json, current: Json, old: list[Json]) -> None:
        """Take every old pod away before the first new one comes."""
        for item in old:
            self._set_size(deployment, item, 0)
        owners = {uid_of(item) for item in old}
        if not any(controller_of(pod) in owners for pod in self._world.store.items(PODS, namespace_of(deployment))):
            self._set_size(deployment, current, bounds_of(deployment).replicas)

    def _shrink_old(self, deployment: Json, current: Json, old: list[Json]) -> None:
        """Take old pods away as far as enough others serve; those that do not serve go first."""
        bounds, old = bounds_of(deployment), [item for item in old if _size(item)]
        unavailable = _size(current) - _available(current)
        spare = sum(map(_size, [current, *old])) - bounds.least_available - unavailable
        serving = sum(map(_available, [current, *old])) - bounds.least_available
        for item in old:
            broken = min(max(0, spare), max(0, _size(item) - _available(item)))
            healthy = min(max(0, serving), max(0, spare - broken), _size(item) - broken)
            spare -= broken + healthy
            serving -= healthy
            self._set_size(deployment, item, _size(item) - broken - healthy)

    def _set_size(self, deployment: Json, replica_set: Json, size: int) -> None:
        bounds, before = bounds_of(deployment), _size(replica_set)
        annotations = {**annotations_of(replica_set), _DESIRED: str(bounds.replicas), _MOST: str(bounds.most)}
        if before == size and annotations == annotations_of(replica_set):
            return
        changed = set_replicas(replica_set, size) if before != size else clone(replica_set)
        ensure(changed, "metadata")["annotations"] = annotations
        self._world.store.put(REPLICA_SETS, changed)
        if before != size:
            self._tell(deployment, "up" if size > before else "down", name_of(replica_set), before, size)

    def _forget_old(self, deployment: Json, old: list[Json]) -> None:
        """Delete the oldest empty sets beyond the Deployment's limit."""
        limit = int(child(deployment, "spec").get("revisionHistoryLimit", 10))
        for item in sorted(old, key=_revision)[: max(0, len(old) - limit)]:
            if not _size(item) and not child(item, "status").get("replicas") and _is_counted(item):
                self._world.store.remove(REPLICA_SETS, namespace_of(item), name_of(item))

    def _tell(self, deployment: Json, way: str, name: str, before: int, after: int) -> None:
        message = f"Scaled {way} replica set {name} from {before} to {after}"
        self._world.record(DEPLOYMENTS, deployment, "Normal", "ScalingReplicaSet", message, _NAME)


def _age(replica_set: Json) -> tuple[str, int]:
    return str(child(replica_set, "metadata").get("creationTimestamp")), _revision(replica_set)


def _revision(replica_set: Json) -> int:
    text = annotations_of(replica_set).get(REVISION, "0")
    return int(text) if text.isdigit() else 0


def _last_revision(sets: list[Json]) -> int:
    return max(map(_revision, sets), default=0)


def _size(replica_set: Json) -> int:
    return int(child(replica_set, "spec").get("replicas", 0))


def _available(replica_set: Json) -> int:
    return int(child(replica_set, "status").get("availableReplicas", 0))


def _is_counted(replica_set: Json) -> bool:
    """Whether a set's status speaks of its present spec."""
    return child(replica_set, "status").get("observedGeneration") == child(replica_set, "metadata").get("generation")


def _copied(deployment: Json) -> dict[str, str]:
    return {key: value for key, value in annotations_of(deployment).items() if key not in _NOT_COPIED}


def _has_template(replica_set: Json, deployment: Json) -> bool:
    """Whether a set runs what the Deployment wants, apart from the label that tells sets apart."""
    have, want = child(replica_set, "spec", "template"), child(deployment, "spec", "template")
    if child(have, "spec") != child(want, "spec"):
        return False
    return _bare_metadata(have) == _bare_metadata(want)


def _bare_metadata(template: Json) -> Json:
    metadata = child(template, "metadata")
    labels = {key: value for key, value in child(metadata, "labels").items() if key != _HASH}
    return {**metadata, "labels": labels, "annotations": child(metadata, "annotations")}


def _template_hash(template: Json) -> str:
    digest = hashlib.sha256(canonical(template).encode()).hexdigest()[:10]
    return "".join(_HASH_LETTERS[int(digit, 16)] for digit in digest)
