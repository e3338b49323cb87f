"""Restart a Deployment's pods, a few at a time, as its strategy says."""

from datetime import datetime
from typing import ClassVar

from activities.kubernetes._deployment import LOOK, PATCH, DeploymentChange, Part, Workload, annotate, outage, unfit
from halon.clients.kubernetes.rollout import RESTART_MARK, annotation, plain, unmarked
from halon.contracts.base import JsonObject, digest
from halon.contracts.plan import Row
from halon.kit.action import Nothing, NoUndo, Permission, Proposal, Refusal


class RestartDeployment(DeploymentChange):
    """Replace every pod of a Deployment by a new one of the same version, by a rollout.

    The restarts are counted in an annotation of the pod template, which makes the rollout. Refused while the Deployment
    is paused. There is no undo: the pods that ran before are gone.
    """

    part: ClassVar[Part] = "template"
    undoable: ClassVar[bool] = False
    permissions: ClassVar[tuple[Permission, ...]] = (*LOOK, PATCH)
    example: ClassVar[JsonObject] = {"namespace": "shop", "name": "cart"}

    def plan(self, state: Workload, now: datetime) -> Proposal | Nothing | Refusal:
        """Count one further."""
        _ = now
        refusal = unfit(state)
        if refusal is not None:
            return refusal
        replicas = state.deployment.spec.replicas
        if replicas == 0:
            return Nothing(f"{state.title} has 0 replicas, so there is nothing to restart")
        before = self.owned(state)
        return Proposal(
            summary=f"Restart {state.title} ({replicas} replicas)",
            before=before,
            after={**before, "restarts": _restarts(state) + 1},
            rows=[Row(field="restarts", before=before["restarts"], after=_restarts(state) + 1)],
            notes=outage(state),
        )

    def owned(self, state: Workload) -> JsonObject:
        """Own the count; the rest of the template is in it because a rollout in between has restarted the pods too."""
        return {"restarts": _restarts(state), "template": digest(unmarked(state.deployment.spec.template))}

    def operations(self, after: JsonObject, state: Workload) -> list[JsonObject]:
        """Write the count into the template."""
        metadata = plain(state.deployment.spec.template).get("metadata")
        there = isinstance(metadata, dict) and bool(metadata.get("annotations"))
        return annotate("/spec/template/metadata", RESTART_MARK, str(after["restarts"]), there=there)

    def undo(self, before: JsonObject, after: JsonObject) -> NoUndo:
        """Say why not."""
        _ = before, after
        return NoUndo("a restart cannot be taken back: the pods that ran before are gone, the version is the same")


def _restarts(state: Workload) -> int:
    text = annotation(state.deployment.spec.template, RESTART_MARK)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0  # noqa: PLR2004  # digits of a count
