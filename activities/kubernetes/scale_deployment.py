"""Set how many replicas a Deployment has."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, ClassVar

from pydantic import Field

from activities.kubernetes._deployment import (
    LOOK,
    PATCH,
    ClusterName,
    Name,
    Namespace,
    Workload,
    cluster_of,
    look,
    mark,
    rehearse,
    stamped,
    target,
    write,
)
from halon.clients.kubernetes.objects import Autoscaler, Deployment
from halon.clients.kubernetes.ownership import managers
from halon.clients.kubernetes.rollout import progress
from halon.contracts.base import JsonObject
from halon.contracts.plan import Row, Settlement
from halon.kit.action import Change, Nothing, Permission, Proposal, Refusal
from halon.kit.env import Env

MAX_REPLICAS = 1000


class Scaled(Workload):
    """A Deployment, and the autoscalers that set its replicas."""

    autoscalers: tuple[Autoscaler, ...]


class ScaleDeployment(Change[Scaled]):
    """Set how many replicas a Deployment has.

    An autoscaler on it is never fought. Kubernetes' own leaves a Deployment of no replicas alone, so going to none, and
    coming back from there into its range, is possible; everything else is refused with the autoscaler's name.
    """

    permissions: ClassVar[tuple[Permission, ...]] = (
        *LOOK,
        Permission(
            "kubernetes", ("list",), "autoscaling/horizontalpodautoscalers", "to see who else sets the replicas"
        ),
        PATCH,
    )
    example: ClassVar[JsonObject] = {"namespace": "shop", "name": "cart", "replicas": 0}

    namespace: Namespace
    """The Deployment's namespace."""
    name: Name
    """The Deployment's name."""
    replicas: Annotated[int, Field(ge=0, le=MAX_REPLICAS)]
    """How many there shall be, at most 1000."""
    cluster: ClusterName = ""
    """A cluster of halon.yaml; without it, the default one."""

    def target(self) -> str:
        """Name the Deployment."""
        return target(self.cluster, self.namespace, self.name)

    async def observe(self, env: Env) -> Scaled:
        """Look at the Deployment and at the autoscalers of its namespace."""
        found, scalers = await asyncio.gather(
            look(env, self.cluster, self.namespace, self.name),
            cluster_of(env, self.cluster).autoscalers(self.namespace),
        )
        ours = tuple(one for one in scalers if _scales(one, found.deployment))
        return Scaled(deployment=found.deployment, revisions=found.revisions, troubles=found.troubles, autoscalers=ours)

    def plan(self, state: Scaled, now: datetime) -> Proposal | Nothing | Refusal:
        """Compare, and ask the autoscalers."""
        there = state.deployment.spec.replicas
        if there == self.replicas:
            return Nothing(f"{state.title} has {there} replicas already")
        notes = list(managers(state.deployment.metadata))
        for one in state.autoscalers:
            objection = _objection(one, there, self.replicas)
            if objection:
                return Refusal(f"{objection} of {state.title}: change the autoscaler instead")
            notes.append(f"autoscaler {one.metadata.name} leaves it alone at 0 replicas, and takes over above")
        if self.replicas == 0:
            notes.append("nothing serves any more once it has no replicas")
        return Proposal(
            summary=f"Scale {state.title} from {there} to {self.replicas} replicas",
            before={"replicas": there},
            after={"replicas": self.replicas},
            rows=[Row(field="replicas", before=there, after=self.replicas)],
            notes=notes,
        )

    async def rehearse(self, env: Env, after: JsonObject, state: Scaled) -> Sequence[str]:
        """Let the API server check the patch."""
        return await rehearse(env, self.cluster, state.deployment, _operations(after, state.deployment, ""))

    def owned(self, state: Scaled) -> JsonObject:
        """The number of replicas that is wanted."""
        return {"replicas": state.deployment.spec.replicas}

    def mark(self, state: Scaled) -> str:
        """The key of the last change to the replicas."""
        return mark(state.deployment, "replicas")

    async def apply(self, env: Env, after: JsonObject, state: Scaled, key: str) -> None:
        """Write the number."""
        await write(env, self.cluster, state.deployment, _operations(after, state.deployment, key))

    def settled(self, state: Scaled, after: JsonObject) -> Settlement:
        """Whether so many replicas are available, and no more are left."""
        wanted = state.deployment.spec.replicas
        if self.owned(state) == after:
            troubles = state.troubles if wanted else ()  # what crash-loops is about to go
            return progress(state.deployment, state.current, troubles)
        if state.autoscalers and after["replicas"] != 0:
            reason = f"autoscaler {state.autoscalers[0].metadata.name} has taken over, with {wanted} replicas"
            return Settlement(state="settled", reason=reason)
        return Settlement(state="broken", reason=f"somebody set the replicas to {wanted} meanwhile")

    def undo(self, before: JsonObject, after: JsonObject) -> "ScaleDeployment":
        """Set the number that was there."""
        return ScaleDeployment.model_validate(
            {"namespace": self.namespace, "name": self.name, "cluster": self.cluster, "replicas": before["replicas"]}
        )


def _scales(one: Autoscaler, deployment: Deployment) -> bool:
    reference = one.spec.scale_target_ref
    return reference.kind == "Deployment" and reference.name == deployment.metadata.name


def _objection(one: Autoscaler, there: int, wanted: int) -> str:
    """Why this change would fight the autoscaler; empty when it would not."""
    if one.scaled_object:
        return f"KEDA's ScaledObject {one.scaled_object} sets the replicas, down to none,"
    low, high = one.spec.min_replicas, one.spec.max_replicas
    if wanted == 0 or (there == 0 and low <= wanted <= high):
        return ""
    return f"autoscaler {one.metadata.name} sets the replicas ({low} to {high})"


def _operations(after: JsonObject, seen: Deployment, key: str) -> list[JsonObject]:
    return [{"op": "add", "path": "/spec/replicas", "value": after["replicas"]}, *stamped(seen, "replicas", key)]
