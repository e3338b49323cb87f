"""A Deployment's status: the counts, whether enough pods are available, and whether the rollout gets anywhere."""

from datetime import datetime, timedelta

from halon.demo.cluster.objects import Json, child, clone, condition_of, name_of, uid_of
from halon.demo.cluster.resources import DEPLOYMENTS
from halon.demo.cluster.scaling import bounds_of
from halon.demo.cluster.world import World, set_condition


class Progress:
    """Writes Deployments' status, and remembers to the microsecond when each one last got further."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._moved: dict[str, datetime] = {}
        self._deadlines: dict[str, datetime] = {}
        self._new_sets: dict[str, str] = {}

    def next_deadline(self, alive: set[str]) -> datetime | None:
        """Return when the next rollout runs out of time, forgetting Deployments that are gone."""
        self._deadlines = {uid: moment for uid, moment in self._deadlines.items() if uid in alive}
        self._moved = {uid: moment for uid, moment in self._moved.items() if uid in alive}
        return min(self._deadlines.values(), default=None)

    def note_new_set(self, deployment: Json, replica_set: Json) -> None:
        """Remember that a rollout began with a new ReplicaSet, which the next status tells."""
        self._new_sets[uid_of(deployment)] = name_of(replica_set)

    def write(self, deployment: Json, current: Json | None, sets: list[Json]) -> bool:
        """Write a Deployment's status; return whether its rollout is complete."""
        old = child(deployment, "status")
        counts = _counts(current, sets)
        status: Json = {"observedGeneration": child(deployment, "metadata").get("generation")}
        status |= {key: count for key, count in counts.items() if count}
        status["conditions"] = clone(old.get("conditions") or [])
        bounds = bounds_of(deployment)
        enough = counts["availableReplicas"] >= bounds.least_available
        available = {
            "type": "Available",
            "status": "True" if enough else "False",
            "reason": "MinimumReplicasAvailable" if enough else "MinimumReplicasUnavailable",
            "message": f"Deployment {'has' if enough else 'does not have'} minimum availability.",
        }
        self._set(status, deployment, available)
        replicas = (counts["updatedReplicas"], counts["replicas"], counts["availableReplicas"])
        complete = current is not None and set(replicas) == {bounds.replicas}
        self._set_progress(status, deployment, counts, current, complete=complete)
        self._world.write_status(DEPLOYMENTS, deployment, status)
        return complete

    def _set_progress(
        self, status: Json, deployment: Json, counts: dict[str, int], current: Json | None, *, complete: bool
    ) -> None:
        uid, now = uid_of(deployment), self._world.now()
        before = condition_of(deployment, "Progressing")
        self._deadlines.pop(uid, None)
        pause = _pause(bool(child(deployment, "spec").get("paused")), str(before.get("reason")))
        if pause is not None:
            if pause["reason"] != before.get("reason"):
                self._moved[uid] = now
                self._set(status, deployment, pause)
            return
        if current is None:
            return
        name = f'ReplicaSet "{name_of(current)}"'
        new_set = self._new_sets.pop(uid, None)
        if new_set is not None:
            self._advance(status, deployment, "NewReplicaSetCreated", f'Created new replica set "{new_set}"')
        elif complete:
            self._advance(
                status, deployment, "NewReplicaSetAvailable", f"{name} has successfully progressed.", renew=False
            )
        elif _got_further(child(deployment, "status"), counts):
            self._advance(status, deployment, "ReplicaSetUpdated", f"{name} is progressing.")
        elif before.get("reason") not in {"NewReplicaSetAvailable", "ProgressDeadlineExceeded"}:
            limit = timedelta(seconds=int(child(deployment, "spec").get("progressDeadlineSeconds", 600)))
            deadline = self._moved.setdefault(uid, now) + limit
            if now < deadline:
                self._deadlines[uid] = deadline
            else:
                message = f"{name} has timed out progressing."
                self._advance(status, deployment, "ProgressDeadlineExceeded", message, state="False")

    def _advance(  # a condition has these parts
        self, status: Json, deployment: Json, reason: str, message: str, *, state: str = "True", renew: bool = True
    ) -> None:
        """Set the Progressing condition; `renew` false leaves its time when it already says the same."""
        if not renew and condition_of(deployment, "Progressing").get("reason") == reason:
            return
        self._moved[uid_of(deployment)] = self._world.now()
        self._set(status, deployment, {"type": "Progressing", "status": state, "reason": reason, "message": message})

    def _set(self, status: Json, deployment: Json, condition: Json) -> None:
        """Set a condition; its update time moves only with what it says."""
        before = condition_of(deployment, str(condition["type"]))
        says_same = all(before.get(key) == value for key, value in condition.items())
        progresses = condition["type"] == "Progressing"
        now = self._world.stamp()
        updated = str(before.get("lastUpdateTime")) if says_same and not progresses else now
        set_condition(status, {**condition, "lastUpdateTime": updated}, now)


def _counts(current: Json | None, sets: list[Json]) -> dict[str, int]:
    def total(field: str) -> int:
        return sum(int(child(item, "status").get(field, 0)) for item in sets)

    wanted = sum(int(child(item, "spec").get("replicas", 0)) for item in sets)
    return {
        "replicas": total("replicas"),
        "updatedReplicas": int(child(current, "status").get("replicas", 0)) if current else 0,
        "readyReplicas": total("readyReplicas"),
        "availableReplicas": total("availableReplicas"),
        "unavailableReplicas": max(0, wanted - total("availableReplicas")),
    }


def _pause(paused: bool, reason: str) -> Json | None:  # noqa: FBT001  # the fact that it is about
    """Return the condition of a paused rollout, or of one that was just resumed."""
    if paused:
        message = "Deployment is paused"
        return {"type": "Progressing", "status": "Unknown", "reason": "DeploymentPaused", "message": message}
    if reason == "DeploymentPaused":
        message = "Deployment is resumed"
        return {"type": "Progressing", "status": "Unknown", "reason": "DeploymentResumed", "message": message}
    return None


def _got_further(old: Json, counts: dict[str, int]) -> bool:
    """Whether a rollout has more of the new, less of the old, or more that serves than when last looked at."""
    outdated = int(old.get("replicas", 0)) - int(old.get("updatedReplicas", 0))
    return (
        counts["replicas"] - counts["updatedReplicas"] < outdated
        or counts["updatedReplicas"] > int(old.get("updatedReplicas", 0))
        or counts["readyReplicas"] > int(old.get("readyReplicas", 0))
        or counts["availableReplicas"] > int(old.get("availableReplicas", 0))
    )
