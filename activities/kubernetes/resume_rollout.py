"""Let a paused Deployment roll out again."""

from datetime import datetime
from typing import ClassVar

from activities.kubernetes import pause_rollout  # the two undo each other
from activities.kubernetes._deployment import LOOK, PATCH, Workload
from activities.kubernetes._paused import OfPause
from halon.clients.kubernetes.ownership import managers
from halon.contracts.base import JsonObject
from halon.contracts.plan import Row, Settlement
from halon.kit.action import Nothing, Permission, Proposal, Refusal


class ResumeRollout(OfPause):
    """Let a paused Deployment roll out what has changed in its template, as `kubectl rollout resume` does.

    It is done when that rollout is complete. Its undo pauses again.
    """

    permissions: ClassVar[tuple[Permission, ...]] = (*LOOK, PATCH)
    example: ClassVar[JsonObject] = {"namespace": "shop", "name": "cart"}

    def plan(self, state: Workload, now: datetime) -> Proposal | Nothing | Refusal:
        """Say what would begin to move."""
        if not state.deployment.spec.paused:
            return Nothing(f"rollouts of {state.title} are not paused")
        waits = state.current is None or not state.current.replicas
        changed = ("its template was changed while it was paused: that is rolled out then",) if waits else ()
        return Proposal(
            summary=f"Resume the rollouts of {state.title}",
            before=self.owned(state),
            after={**self.owned(state), "paused": False},
            rows=[Row(field="paused", before=True, after=False)],
            notes=(*managers(state.metadata), *changed, *state.caveats),
        )

    def settled(self, state: Workload, after: JsonObject) -> Settlement:
        """Whether what waited is rolled out."""
        if self.owned(state) != after:
            return Settlement(state="broken", reason="somebody paused it or changed its template meanwhile")
        return state.progress()

    def undo(self, before: JsonObject, after: JsonObject) -> "pause_rollout.PauseRollout":
        """Pause again."""
        return pause_rollout.PauseRollout(namespace=self.namespace, name=self.name, cluster=self.cluster)
