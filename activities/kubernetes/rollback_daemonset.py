"""Take a DaemonSet back to an earlier revision."""

from typing import ClassVar

from activities.kubernetes._daemonset import LOOK, PATCH
from activities.kubernetes._rollback import Rollback
from activities.kubernetes._workload import Kind
from halon.contracts.base import JsonObject
from halon.kit.action import Permission


class RollbackDaemonset(Rollback):
    """Take a DaemonSet back to an earlier revision, by default to the one before the current.

    Errors: a revision that is not kept any more, and the update strategy OnDelete, are refused.
    """

    permissions: ClassVar[tuple[Permission, ...]] = (*LOOK, PATCH)
    example: ClassVar[JsonObject] = {"namespace": "logging", "name": "agent"}

    @property
    def of_kind(self) -> Kind:
        """A DaemonSet."""
        return "DaemonSet"

    def undo(self, before: JsonObject, after: JsonObject) -> "RollbackDaemonset":
        """Go to the template that was there."""
        return RollbackDaemonset.model_validate(self.backwards(before))
