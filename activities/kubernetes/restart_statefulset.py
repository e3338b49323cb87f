"""Replace all pods of a StatefulSet by new ones of the same kind."""

from typing import ClassVar

from activities.kubernetes._restart import Restart
from activities.kubernetes._statefulset import LOOK, PATCH, UNSTICK
from activities.kubernetes._workload import Kind
from activities.kubernetes.rollback_statefulset import RollbackStatefulset
from halon.contracts.base import JsonObject
from halon.kit.action import Permission


class RestartStatefulset(Restart):
    """Replace all pods of a StatefulSet by new ones, as `kubectl rollout restart` does, from the last to the first.

    Pods that never got ready are deleted, because they would hold the restart up. The restart counts in an annotation
    of the pod template; its undo goes back to the template without the new count. Errors: the update strategy OnDelete,
    under which a restart would do nothing by itself, and a partition that leaves no pod to update, are refused.
    """

    permissions: ClassVar[tuple[Permission, ...]] = (*LOOK, UNSTICK, PATCH)
    example: ClassVar[JsonObject] = {"namespace": "shop", "name": "db"}

    @property
    def of_kind(self) -> Kind:
        """A StatefulSet."""
        return "StatefulSet"

    def undo(self, before: JsonObject, after: JsonObject) -> RollbackStatefulset:
        """Go to the template that was there."""
        return RollbackStatefulset.model_validate(self.backwards(before))
