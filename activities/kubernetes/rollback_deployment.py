"""Take a Deployment back to an earlier revision."""

from typing import ClassVar

from activities.kubernetes._deployment import LOOK, PATCH
from activities.kubernetes._rollback import Rollback
from activities.kubernetes._workload import Kind
from halon.contracts.base import JsonObject
from halon.kit.action import Permission


class RollbackDeployment(Rollback):
    """Take a Deployment back to an earlier revision, by default to the one before the current.

    The plan pins the revision by its pod template, because taking back renumbers revisions: doing it twice never flips
    back. Errors: a revision that is not kept any more, and a paused Deployment, are refused.
    """

    permissions: ClassVar[tuple[Permission, ...]] = (*LOOK, PATCH)
    example: ClassVar[JsonObject] = {"namespace": "shop", "name": "cart", "to_revision": 41}

    @property
    def of_kind(self) -> Kind:
        """A Deployment."""
        return "Deployment"

    def undo(self, before: JsonObject, after: JsonObject) -> "RollbackDeployment":
        """Go to the template that was there."""
        return RollbackDeployment.model_validate(self.backwards(before))
