"""Set how many replicas a Deployment has, unless an autoscaler does."""

from datetime import datetime
from typing import Annotated, ClassVar

from pydantic import Field

from activities.kubernetes._deployment import LOOK, PATCH, DeploymentChange, Part, Workload, cluster_of
from halon.clients.kubernetes.objects import Autoscaler
from halon.clients.kubernetes.ownership import managers
from halon.clients.kubernetes.rollout import progress
from halon.contracts.base import JsonObject
from halon.contracts.plan import Row, Settlement
from halon.kit.action import Nothing, Permission, Proposal, Refusal
from halon.kit.env import Env


class ScaleDeployment(DeploymentChange):
    """Set how many replicas a Deployment has.

    Refused where a HorizontalPodAutoscaler or KEDA sets the number, with one exception: a HorizontalPodAutoscaler
    rests while its target has 0 replicas, so scaling to 0, and from there back, is no fight. Undo sets the former number.
    """

    part: ClassVar[Part] = "replicas"
    permissions: ClassVar[tuple[Permission, ...]] = (
        *LOOK,
        Permission("kubernetes", ("list",), "autoscaling/horizontalpodautoscalers", "to see who else sets the number"),
        PATCH,
    )
    example: ClassVar[JsonObject] = {"namespace": "shop", "name": "cart", "replicas": 0}

    replicas: Annotated[int, Field(ge=0, le=10_000)]
    """How many replicas it shall have."""

    async def observe(self, env: Env) -> Workload:
        """Look at the Deployment, and at who scales it."""
        state = await super().observe(env)
        everyone = await cluster_of(env, self.cluster).autoscalers(self.namespace)
        return state.model_copy(update={"autoscalers": tuple(one for one in everyone if self._is_scaled_by(one))})

    def plan(self, state: Workload, now: datetime) -> Proposal | Nothing | Refusal:
        """Show the numbers, or who else sets them."""
        _ = now
        meta, there = state.deployment.metadata, state.deployment.spec.replicas
        if meta.deletion_timestamp is not None:
            return Refusal(f"{state.title} is being deleted")
        if there == self.replicas:
            return Nothing(f"{state.title} has {there} replicas already")
        rests = there == 0 or self.replicas == 0
        for one in state.autoscalers:
            if one.scaled_object or not rests:
                return Refusal(
                    f"{_who(one)} sets the replicas of {state.title} and would change them back: {_way(one)}"
                )
        notes = [*managers(meta)]
        notes += [f"{_who(one)} rests while there are 0 replicas, and goes on after that" for one in state.autoscalers]
        if self.replicas == 0:
            notes.append("nothing serves its requests any more")
        elif state.troubles:
            notes.append(f"its pods fail already, so this can hardly be confirmed: {'; '.join(state.troubles)}")
        return Proposal(
            summary=f"Scale {state.title} from {there} to {self.replicas} replicas",
            before=self.owned(state),
            after={"replicas": self.replicas},
            rows=[Row(field="replicas", before=there, after=self.replicas)],
            notes=notes,
        )

    def owned(self, state: Workload) -> JsonObject:
        """Own the number of replicas."""
        return {"replicas": state.deployment.spec.replicas}

    def operations(self, after: JsonObject, state: Workload) -> list[JsonObject]:
        """Set the number."""
        _ = state
        return [{"op": "add", "path": "/spec/replicas", "value": after["replicas"]}]

    def settled(self, state: Workload, after: JsonObject) -> Settlement:
        """Whether so many replicas are available; an autoscaler that went on from there since is no failure."""
        if after["replicas"] == 0 == state.deployment.spec.replicas:
            return progress(state.deployment, state.current, ())  # pods that crash-loop are about to go
        if after["replicas"] != 0 and state.deployment.spec.replicas != 0 and state.autoscalers:
            return progress(state.deployment, state.current, state.troubles)
        return super().settled(state, after)

    def undo(self, before: JsonObject, after: JsonObject) -> "ScaleDeployment":
        """Set the former number."""
        _ = after
        return self.model_copy(update={"replicas": before["replicas"]})

    def _is_scaled_by(self, autoscaler: Autoscaler) -> bool:
        scaled = autoscaler.spec.scale_target_ref
        return (scaled.kind, scaled.name, scaled.api_version.partition("/")[0]) == ("Deployment", self.name, "apps")


def _who(autoscaler: Autoscaler) -> str:
    spec = autoscaler.spec
    who = f"KEDA's ScaledObject {autoscaler.scaled_object}" if autoscaler.scaled_object else ""
    named = who or f"the HorizontalPodAutoscaler {autoscaler.metadata.name}"
    return f"{named} ({spec.min_replicas} to {spec.max_replicas})"


def _way(autoscaler: Autoscaler) -> str:
    if autoscaler.scaled_object:
        return "pause it with its annotation autoscaling.keda.sh/paused-replicas instead"
    return "change its bounds instead; only scaling to 0 makes it rest"
