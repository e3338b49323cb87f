"""The quota controller, which keeps the status of quotas up to date, and what controllers do when one has no room."""

from datetime import datetime

from halon.demo.cluster.objects import Json, is_deleting, name_of, uid_of
from halon.demo.cluster.quotas import quota_objection, quota_status
from halon.demo.cluster.resources import PODS, QUOTAS, Resource
from halon.demo.cluster.world import World


class Quotas:
    """Writes quotas' status. What is created does not depend on it: it is judged by what there is."""

    def __init__(self, world: World) -> None:
        self._world = world

    def reconcile(self) -> datetime | None:
        """Bring every quota's status up to date."""
        for quota in self._world.store.items(QUOTAS):
            if not is_deleting(quota):
                self._world.write_status(QUOTAS, quota, quota_status(self._world, quota))
        return None


class Room:
    """Asks the quotas before a controller makes a pod, and tells of a refusal once."""

    def __init__(self, world: World, kind: Resource, component: str) -> None:
        self._world, self._kind, self._component = world, kind, component
        self._told: dict[str, str] = {}
        """What was last refused, by owner."""

    def lacks(self, owner: Json, pod: Json) -> bool:
        """Whether no quota lets an owner have one more pod."""
        objection = quota_objection(self._world, PODS, pod)
        if not objection:
            self._told.pop(uid_of(owner), None)
            return False
        if self._told.get(uid_of(owner)) != objection:
            self._told[uid_of(owner)] = objection
            message = f'Error creating: pods "{name_of(pod)}" is forbidden: {objection}'
            self._world.record(self._kind, owner, "Warning", "FailedCreate", message, self._component)
        return True
