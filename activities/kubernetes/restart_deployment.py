"""Replace all pods of a Deployment by new ones of the same kind."""

from typing import ClassVar

from activities.kubernetes._deployment import LOOK, PATCH
from activities.kubernetes._restart import Restart
from activities.kubernetes._workload import Kind
from activities.kubernetes.rollback_deployment import RollbackDeployment
from halon.contracts.base import JsonObject
from halon.kit.action import Permission


class RestartDeployment(Restart):
    """Replace all pods of a Deployment by new ones, as `kubectl rollout restart` does, as fast as its strategy lets it.

    The restart counts in an annotation of the pod template. Its undo goes back to the template without the new count:
    that stops a restart whose new pods do not come up, and replaces them once more where they did.
    """

    permissions: ClassVar[tuple[Permission, ...]] = (*LOOK, PATCH)
    example: ClassVar[JsonObject] = {"namespace": "shop", "name": "cart"}

    @property
    def of_kind(self) -> Kind:
        """A Deployment."""
        return "Deployment"

    def undo(self, before: JsonObject, after: JsonObject) -> RollbackDeployment:
        """Go to the template that was there."""
        return RollbackDeployment.model_validate(self.backwards(before))
