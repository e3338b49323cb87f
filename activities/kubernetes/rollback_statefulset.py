"""Take a StatefulSet back to an earlier revision."""

from typing import ClassVar

from activities.kubernetes._rollback import Rollback
from activities.kubernetes._statefulset import LOOK, PATCH, UNSTICK
from activities.kubernetes._workload import Kind
from halon.contracts.base import JsonObject
from halon.kit.action import Permission


class RollbackStatefulset(Rollback):
    """Take a StatefulSet back to an earlier revision, by default to the one before the current.

    Its volumes stay as they are: what the newer version has written to them, the older one must be able to read. Pods
    that never got ready hold up every update of a StatefulSet, also the one that would mend them, so they are deleted.
    Errors: a revision that is not kept any more, the update strategy OnDelete, and a partition that leaves no pod to
    update, are refused.
    """

    permissions: ClassVar[tuple[Permission, ...]] = (*LOOK, UNSTICK, PATCH)
    example: ClassVar[JsonObject] = {"namespace": "shop", "name": "db"}

    @property
    def of_kind(self) -> Kind:
        """A StatefulSet."""
        return "StatefulSet"

    def undo(self, before: JsonObject, after: JsonObject) -> "RollbackStatefulset":
        """Go to the template that was there."""
        return RollbackStatefulset.model_validate(self.backwards(before))
