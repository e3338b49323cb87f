"""Replace all pods of a DaemonSet by new ones of the same kind."""

from typing import ClassVar

from activities.kubernetes._daemonset import LOOK, PATCH
from activities.kubernetes._restart import Restart
from activities.kubernetes._workload import Kind
from activities.kubernetes.rollback_daemonset import RollbackDaemonset
from halon.contracts.base import JsonObject
from halon.kit.action import Permission


class RestartDaemonset(Restart):
    """Replace all pods of a DaemonSet by new ones, as `kubectl rollout restart` does, as many at a time as it allows.

    The restart counts in an annotation of the pod template; its undo goes back to the template without the new count.
    Errors: the update strategy OnDelete, under which a restart would do nothing by itself, is refused.
    """

    permissions: ClassVar[tuple[Permission, ...]] = (*LOOK, PATCH)
    example: ClassVar[JsonObject] = {"namespace": "logging", "name": "agent"}

    @property
    def of_kind(self) -> Kind:
        """A DaemonSet."""
        return "DaemonSet"

    def undo(self, before: JsonObject, after: JsonObject) -> RollbackDaemonset:
        """Go to the template that was there."""
        return RollbackDaemonset.model_validate(self.backwards(before))
