"""Replace all pods of a Deployment by new ones of the same kind."""

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar

from activities.kubernetes._deployment import (
    LOOK,
    PATCH,
    ClusterName,
    Name,
    Namespace,
    Workload,
    annotate,
    look,
    mark,
    rehearse,
    stamped,
    target,
    template_digest,
    write,
)
from activities.kubernetes.rollback_deployment import RollbackDeployment
from halon.clients.kubernetes.objects import Deployment
from halon.clients.kubernetes.ownership import managers
from halon.clients.kubernetes.rollout import RESTART_MARK, annotation
from halon.contracts.base import JsonObject, is_object
from halon.contracts.plan import Row, Settlement
from halon.kit.action import Change, Nothing, Permission, Proposal, Refusal
from halon.kit.env import Env


class RestartDeployment(Change[Workload]):
    """Replace all pods of a Deployment by new ones, as `kubectl rollout restart` does, as fast as its strategy lets it.

    The restart counts in an annotation of the pod template. Its undo goes back to the template without the new count:
    that stops a restart whose new pods do not come up, and replaces them once more where they did.
    """

    permissions: ClassVar[tuple[Permission, ...]] = (*LOOK, PATCH)
    example: ClassVar[JsonObject] = {"namespace": "shop", "name": "cart"}

    namespace: Namespace
    """The Deployment's namespace."""
    name: Name
    """The Deployment's name."""
    cluster: ClusterName = ""
    """A cluster of halon.yaml; without it, the default one."""

    def target(self) -> str:
        """Name the Deployment."""
        return target(self.cluster, self.namespace, self.name)

    async def observe(self, env: Env) -> Workload:
        """Look at the Deployment and its revisions."""
        return await look(env, self.cluster, self.namespace, self.name)

    def plan(self, state: Workload, now: datetime) -> Proposal | Nothing | Refusal:
        """Count one restart more.

        Raises:
            TransientError: the controller has not taken up the newest template yet.
        """
        state.taken_up()
        deployment = state.deployment
        if deployment.spec.paused:
            return Refusal(f"rollouts of {state.title} are paused: resume them first")
        if deployment.spec.replicas == 0:
            return Nothing(f"{state.title} has no replicas to restart")
        count = _count(deployment)
        return Proposal(
            summary=f"Restart {state.title} ({deployment.spec.replicas} replicas)",
            before=state.pinned(),
            after={"template": template_digest(_restarted(deployment.spec.template, count + 1))},
            rows=[Row(field="restarts by Halon", before=count, after=count + 1)],
            notes=(*managers(deployment.metadata), *state.outage()),
        )

    async def rehearse(self, env: Env, after: JsonObject, state: Workload) -> Sequence[str]:
        """Let the API server check the patch."""
        return await rehearse(env, self.cluster, state.deployment, _operations(state.deployment, ""))

    def owned(self, state: Workload) -> JsonObject:
        """The pod template, by digest."""
        return state.pinned()

    def mark(self, state: Workload) -> str:
        """The key of the last change to the template."""
        return mark(state.deployment, "template")

    async def apply(self, env: Env, after: JsonObject, state: Workload, key: str) -> None:
        """Write the count."""
        await write(env, self.cluster, state.deployment, _operations(state.deployment, key))

    def settled(self, state: Workload, after: JsonObject) -> Settlement:
        """Whether all pods are new and available."""
        return state.settled_on(after)

    def undo(self, before: JsonObject, after: JsonObject) -> RollbackDeployment:
        """Go to the template that was there."""
        return RollbackDeployment(
            namespace=self.namespace, name=self.name, cluster=self.cluster, to_template=str(before["template"])
        )


def _count(deployment: Deployment) -> int:
    text = annotation(deployment.spec.template, RESTART_MARK)
    return int(text) if text.isascii() and text.isdigit() else 0


def _restarted(template: JsonObject, count: int) -> JsonObject:
    metadata = template.get("metadata")
    kept: JsonObject = metadata if is_object(metadata) else {}
    there = kept.get("annotations")
    annotations: JsonObject = there if is_object(there) else {}
    return {**template, "metadata": {**kept, "annotations": {**annotations, RESTART_MARK: str(count)}}}


def _operations(deployment: Deployment, key: str) -> list[JsonObject]:
    metadata = deployment.spec.template.get("metadata")
    there = is_object(metadata) and bool(metadata.get("annotations"))
    made: list[JsonObject] = (
        [] if is_object(metadata) else [{"op": "add", "path": "/spec/template/metadata", "value": {}}]
    )
    count = str(_count(deployment) + 1)
    return [
        *made,
        *annotate("/spec/template/metadata", there, {RESTART_MARK: count}),
        *stamped(deployment, "template", key),
    ]
