"""Set how many replicas a StatefulSet has."""

from collections.abc import Sequence
from typing import ClassVar

from activities.kubernetes._scale import AUTOSCALERS, Scale, Scaled
from activities.kubernetes._statefulset import LOOK, PATCH, StatefulWorkload
from activities.kubernetes._workload import Kind
from halon.contracts.base import JsonObject
from halon.kit.action import Permission


class ScaleStatefulset(Scale):
    """Set how many replicas a StatefulSet has; it takes the last ones away first.

    What runs in it must be able to lose or gain members: that is for its playbook to know. An autoscaler on it is never
    fought, as in `kubernetes.scale_deployment`. Volume claims stay when replicas go; with the retention policy that
    deletes them, scaling down would destroy their data and is refused.
    """

    permissions: ClassVar[tuple[Permission, ...]] = (*LOOK, AUTOSCALERS, PATCH)
    example: ClassVar[JsonObject] = {"namespace": "shop", "name": "db", "replicas": 3}

    @property
    def of_kind(self) -> Kind:
        """A StatefulSet."""
        return "StatefulSet"

    def objection(self, state: Scaled) -> str:
        """Scaling down must not delete data."""
        found = state.workload
        if not isinstance(found, StatefulWorkload) or self.replicas > found.size:
            return ""
        if found.stateful_set.spec.persistent_volume_claim_retention_policy.when_scaled != "Delete":
            return ""
        return f"{found.title} deletes the volume claims of replicas that go, and with them their data"

    def caveats(self, state: Scaled) -> Sequence[str]:
        """A set that goes in order waits for pods that are not ready."""
        found = state.workload
        names = ", ".join(one.name for one in found.stuck)
        waits = (f"{names} never got ready: the set goes in order, and may wait for it",) if names else ()
        claims = ("the volume claims of the replicas that go stay",) if self.replicas < found.size else ()
        return (*claims, *waits)

    def undo(self, before: JsonObject, after: JsonObject) -> "ScaleStatefulset":
        """Set the number that was there."""
        return ScaleStatefulset.model_validate(self.backwards(before))
