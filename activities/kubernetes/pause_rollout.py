"""Halt a Deployment's rollout where it stands."""

from datetime import datetime
from typing import ClassVar

from activities.kubernetes import resume_rollout  # the two undo each other
from activities.kubernetes._deployment import LOOK, PATCH, Workload
from activities.kubernetes._paused import OfPause
from halon.clients.kubernetes.ownership import managers
from halon.contracts.base import JsonObject
from halon.contracts.plan import Row, Settlement
from halon.kit.action import Nothing, Permission, Proposal, Refusal


class PauseRollout(OfPause):
    """Halt a Deployment's rollout where it stands, as `kubectl rollout pause` does: old and new pods go on serving.

    Later changes of its template wait too, so that rolling it back or restarting it is refused; scaling goes on. Its
    undo resumes.
    """

    permissions: ClassVar[tuple[Permission, ...]] = (*LOOK, PATCH)
    example: ClassVar[JsonObject] = {"namespace": "shop", "name": "cart"}

    def plan(self, state: Workload, now: datetime) -> Proposal | Nothing | Refusal:
        """Say where it would stand."""
        if state.deployment.spec.paused:
            return Nothing(f"rollouts of {state.title} are paused already")
        status, wanted = state.deployment.status, state.deployment.spec.replicas
        notes = list(managers(state.metadata))
        if status.updated_replicas < wanted or status.replicas > status.updated_replicas:
            old = status.replicas - status.updated_replicas
            notes.append(f"it stands in the middle of a rollout: {status.updated_replicas} new pods, {old} old ones")
        notes.append("changes of its template wait until it is resumed; scaling goes on")
        return Proposal(
            summary=f"Pause the rollouts of {state.title}",
            before=self.owned(state),
            after={**self.owned(state), "paused": True},
            rows=[Row(field="paused", before=False, after=True)],
            notes=notes,
        )

    def settled(self, state: Workload, after: JsonObject) -> Settlement:
        """Whether the controller has taken the pause up."""
        if self.owned(state) != after:
            return Settlement(state="broken", reason="somebody resumed it or changed its template meanwhile")
        if state.deployment.status.observed_generation < state.metadata.generation:
            return Settlement(state="waiting", reason="the controller has not taken it up yet")
        return Settlement(state="settled", reason=f"rollouts of {state.title} are paused")

    def undo(self, before: JsonObject, after: JsonObject) -> "resume_rollout.ResumeRollout":
        """Resume."""
        return resume_rollout.ResumeRollout(namespace=self.namespace, name=self.name, cluster=self.cluster)
