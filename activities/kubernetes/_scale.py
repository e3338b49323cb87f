"""Setting how many replicas a workload has: what it has in common for every kind that has replicas."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from pydantic import Field

from activities.kubernetes._object import ClusterName, Name, Namespace, cluster_of, mark, rehearse, stamped, target
from activities.kubernetes._templated import Templated
from activities.kubernetes._workload import Kind, look
from halon.clients.kubernetes.autoscalers import Autoscaler
from halon.clients.kubernetes.ownership import managers
from halon.contracts.base import JsonObject
from halon.contracts.plan import Row, Settlement
from halon.kit.action import Change, Nothing, Permission, Proposal, Refusal, State
from halon.kit.env import Env

MAX_REPLICAS = 1000
AUTOSCALERS = Permission(
    "kubernetes", ("list",), "autoscaling/horizontalpodautoscalers", "to see who else sets the replicas"
)


class Scaled(State):
    """A workload, and the autoscalers that set its replicas."""

    workload: Templated
    autoscalers: tuple[Autoscaler, ...]


class Scale(Change[Scaled]):
    """Set how many replicas a workload has, unless an autoscaler does."""

    namespace: Namespace
    """The workload's namespace."""
    name: Name
    """The workload's name."""
    replicas: Annotated[int, Field(ge=0, le=MAX_REPLICAS)]
    """How many there shall be, at most 1000."""
    cluster: ClusterName = ""
    """A cluster of halon.yaml; without it, the default one."""

    @property
    def of_kind(self) -> Kind:
        """The kind of workload that it scales."""
        raise NotImplementedError

    def objection(self, state: Scaled) -> str:
        """Why this kind of workload may not be scaled so; empty when it may. Pure."""
        _ = state
        return ""

    def caveats(self, state: Scaled) -> Sequence[str]:
        """What the one who decides should know of this kind of workload. Pure."""
        _ = state
        return ()

    def target(self) -> str:
        """Name the workload."""
        return target(self.cluster, self.namespace, self.of_kind, self.name)

    async def observe(self, env: Env) -> Scaled:
        """Look at the workload and at the autoscalers of its namespace."""
        found, scalers = await asyncio.gather(
            look(env, self.cluster, self.of_kind, self.namespace, self.name),
            cluster_of(env, self.cluster).autoscalers(self.namespace),
        )
        ours = tuple(one for one in scalers if one.scales(self.of_kind, self.name))
        return Scaled(workload=found, autoscalers=ours)

    def plan(self, state: Scaled, now: datetime) -> Proposal | Nothing | Refusal:
        """Compare, and ask the autoscalers."""
        workload = state.workload
        there, title = workload.size, workload.title
        if there == self.replicas:
            return Nothing(f"{title} has {there} replicas already")
        notes = list(managers(workload.metadata))
        for one in state.autoscalers:
            objection = _objection(one, there, self.replicas)
            if objection:
                return Refusal(f"{objection} of {title}: change the autoscaler instead")
            notes.append(f"autoscaler {one.metadata.name} leaves it alone at 0 replicas, and takes over above")
        if reason := self.objection(state):
            return Refusal(reason)
        if self.replicas == 0:
            notes.append("nothing serves any more once it has no replicas")
        return Proposal(
            summary=f"Scale {title} from {there} to {self.replicas} replicas",
            before={"replicas": there},
            after={"replicas": self.replicas},
            rows=[Row(field="replicas", before=there, after=self.replicas)],
            notes=[*notes, *self.caveats(state)],
        )

    async def rehearse(self, env: Env, after: JsonObject, state: Scaled) -> Sequence[str]:
        """Let the API server check the patch."""
        seen = state.workload
        return await rehearse(env, self.cluster, seen.resource, seen.metadata, _operations(after))

    def owned(self, state: Scaled) -> JsonObject:
        """The number of replicas that is wanted."""
        return {"replicas": state.workload.size}

    def mark(self, state: Scaled) -> str:
        """The key of the last change to the replicas."""
        return mark(state.workload.metadata, "replicas")

    async def apply(self, env: Env, after: JsonObject, state: Scaled, key: str) -> None:
        """Write the number."""
        seen = state.workload
        operations = [*_operations(after), *stamped(seen.metadata, "replicas", key)]
        await cluster_of(env, self.cluster).patch(seen.resource, seen.metadata, operations)

    def settled(self, state: Scaled, after: JsonObject) -> Settlement:
        """Whether so many replicas are available, and no more are left."""
        wanted = state.workload.size
        if self.owned(state) == after:
            # What crash-loops is about to go when there shall be none.
            workload = state.workload if wanted else state.workload.model_copy(update={"troubles": ()})
            return workload.progress()
        if state.autoscalers and after["replicas"] != 0:
            reason = f"autoscaler {state.autoscalers[0].metadata.name} has taken over, with {wanted} replicas"
            return Settlement(state="settled", reason=reason)
        return Settlement(state="broken", reason=f"somebody set the replicas to {wanted} meanwhile")

    def backwards(self, before: JsonObject) -> JsonObject:
        """Parameters of the call that sets the number that was there."""
        call: JsonObject = {"namespace": self.namespace, "name": self.name, "cluster": self.cluster}
        return {**call, "replicas": before["replicas"]}


def _objection(one: Autoscaler, there: int, wanted: int) -> str:
    """Why this change would fight the autoscaler; empty when it would not."""
    if one.scaled_object:
        return f"KEDA's ScaledObject {one.scaled_object} sets the replicas, down to none,"
    low, high = one.spec.min_replicas, one.spec.max_replicas
    if wanted == 0 or (there == 0 and low <= wanted <= high):
        return ""
    return f"autoscaler {one.metadata.name} sets the replicas ({low} to {high})"


def _operations(after: JsonObject) -> list[JsonObject]:
    return [{"op": "add", "path": "/spec/replicas", "value": after["replicas"]}]
