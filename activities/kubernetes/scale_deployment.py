"""Set how many replicas a Deployment has."""

from typing import ClassVar

from activities.kubernetes._deployment import LOOK, PATCH
from activities.kubernetes._scale import AUTOSCALERS, Scale
from activities.kubernetes._workload import Kind
from halon.contracts.base import JsonObject
from halon.kit.action import Permission


class ScaleDeployment(Scale):
    """Set how many replicas a Deployment has.

    An autoscaler on it is never fought. Kubernetes' own leaves a Deployment of no replicas alone, so going to none, and
    coming back from there into its range, is possible; everything else is refused with the autoscaler's name.
    """

    permissions: ClassVar[tuple[Permission, ...]] = (*LOOK, AUTOSCALERS, PATCH)
    example: ClassVar[JsonObject] = {"namespace": "shop", "name": "cart", "replicas": 0}

    @property
    def of_kind(self) -> Kind:
        """A Deployment."""
        return "Deployment"

    def undo(self, before: JsonObject, after: JsonObject) -> "ScaleDeployment":
        """Set the number that was there."""
        return ScaleDeployment.model_validate(self.backwards(before))
