"""Set the bounds of a HorizontalPodAutoscaler."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from activities.kubernetes._object import (
    ClusterName,
    Name,
    Namespace,
    cluster_of,
    mark,
    rehearse,
    stamped,
    target,
    title,
)
from halon.clients.kubernetes.api import AUTOSCALERS
from halon.clients.kubernetes.autoscalers import Autoscaler
from halon.clients.kubernetes.ownership import managers
from halon.contracts.base import JsonObject
from halon.contracts.plan import Row, Settlement
from halon.kit.action import Change, Nothing, Permission, Proposal, Refusal, State
from halon.kit.env import Env

_LARGEST = 2**31 - 1
"""The API's own bound, so that whatever was there can be put back."""
_MIN, _MAX = "minReplicas", "maxReplicas"


class Seen(State):
    """An autoscaler."""

    found: Autoscaler

    @property
    def title(self) -> str:
        """What people call it."""
        return title("HorizontalPodAutoscaler", self.found.metadata)

    @property
    def bounds(self) -> dict[str, int]:
        """Both of its bounds."""
        return {_MIN: self.found.spec.min_replicas, _MAX: self.found.spec.max_replicas}


class PatchAutoscaler(Change[Seen]):
    """Set the least or the most replicas of a HorizontalPodAutoscaler, or both; what is not given stays as it is.

    `at_most` and `at_least` bound what an expression may come to. It is done when the autoscaler keeps to the bounds;
    whether the pods serve, a later step has to verify. Its undo puts back the bounds that it set, and leaves the other.
    """

    permissions: ClassVar[tuple[Permission, ...]] = (
        Permission("kubernetes", ("get",), "autoscaling/horizontalpodautoscalers", "to look at it", name="{name}"),
        Permission("kubernetes", ("patch",), "autoscaling/horizontalpodautoscalers", "to set bounds", name="{name}"),
    )
    example: ClassVar[JsonObject] = {"namespace": "shop", "name": "cart", "max_replicas": 12, "at_most": 20}

    namespace: Namespace
    """The autoscaler's namespace."""
    name: Name
    """The autoscaler's name."""
    min_replicas: Annotated[int, Field(ge=0, le=_LARGEST)] | None = None
    """It keeps at least so many replicas; 0 only where the cluster allows it."""
    max_replicas: Annotated[int, Field(ge=1, le=_LARGEST)] | None = None
    """It keeps at most so many replicas."""
    only: Literal["raise", "lower", "either"] = "either"
    """Which way a bound may go: with `raise`, one that is as high already, or higher, stays as it is."""
    at_most: Annotated[int, Field(ge=1, le=_LARGEST)] = 100
    """A bound above this is refused, unless it is lower than the one that is there."""
    at_least: Annotated[int, Field(ge=0, le=_LARGEST)] = 1
    """A bound below this is refused, unless it is higher than the one that is there."""
    cluster: ClusterName = ""
    """A cluster of halon.yaml; without it, the default one."""

    @model_validator(mode="after")
    def _asks_for_something(self) -> "PatchAutoscaler":
        if not self.wanted:
            raise ValueError("give `min_replicas`, `max_replicas` or both")
        return self

    @property
    def wanted(self) -> dict[str, int]:
        """The bounds that are given."""
        given = {_MIN: self.min_replicas, _MAX: self.max_replicas}
        return {name: value for name, value in given.items() if value is not None}

    def target(self) -> str:
        """Name the autoscaler."""
        return target(self.cluster, self.namespace, "HorizontalPodAutoscaler", self.name)

    async def observe(self, env: Env) -> Seen:
        """Look at the autoscaler."""
        api = cluster_of(env, self.cluster)
        return Seen(found=await api.get(Autoscaler, AUTOSCALERS, self.namespace, self.name))

    def plan(self, state: Seen, now: datetime) -> Proposal | Nothing | Refusal:
        """Compare, and see whether the bounds hold together and stay within what is allowed."""
        there = state.bounds
        changes = {name: value for name, value in self.wanted.items() if self._goes(there[name], value)}
        if not changes:
            further = "" if self.only == "either" else " or is past them"
            return Nothing(f"{state.title} has these bounds already{further}: {there[_MIN]} to {there[_MAX]}")
        objection = self._objection(state, changes)
        if objection:
            return Refusal(f"{state.title} stays as it is: {objection}")
        after = {**there, **changes}
        return Proposal(
            summary=f"Set the bounds of {state.title} from {there[_MIN]} to {there[_MAX]} replicas "
            f"to {after[_MIN]} to {after[_MAX]}",
            before=self.owned(state),
            after={**self.owned(state), **changes},
            rows=[Row(field=name, before=there[name], after=value) for name, value in changes.items()],
            notes=(*_effects(state, after), *managers(state.found.metadata)),
        )

    def _goes(self, there: int, wanted: int) -> bool:
        """Whether a bound is moved, the way that it may go."""
        return {"raise": wanted > there, "lower": wanted < there, "either": wanted != there}[self.only]

    def _objection(self, state: Seen, changes: dict[str, int]) -> str:
        """Why the bounds may not be set so; empty when they may."""
        there = state.bounds
        after = {**there, **changes}
        if state.found.scaled_object:
            return f"KEDA's ScaledObject {state.found.scaled_object} sets its bounds: change that instead"
        if state.found.metadata.deletion_timestamp is not None:
            return "it is being deleted"
        if after[_MIN] > after[_MAX]:
            return f"minReplicas would be {after[_MIN]}, above maxReplicas, which would be {after[_MAX]}"
        for name, value in changes.items():
            if value > self.at_most and value > there[name]:
                return f"{name} would be {value}, and at_most is {self.at_most}"
            if value < self.at_least and value < there[name]:
                return f"{name} would be {value}, and at_least is {self.at_least}"
        return ""

    async def rehearse(self, env: Env, after: JsonObject, state: Seen) -> Sequence[str]:
        """Let the API server check the patch."""
        return await rehearse(env, self.cluster, AUTOSCALERS, state.found.metadata, _operations(after))

    def owned(self, state: Seen) -> JsonObject:
        """Those of its bounds that this sets."""
        return {name: state.bounds[name] for name in self.wanted}

    def mark(self, state: Seen) -> str:
        """The key of the last change to the bounds."""
        return mark(state.found.metadata, "bounds")

    async def apply(self, env: Env, after: JsonObject, state: Seen, key: str) -> None:
        """Write them."""
        meta = state.found.metadata
        operations = [*_operations(after), *stamped(meta, "bounds", key)]
        await cluster_of(env, self.cluster).patch(AUTOSCALERS, meta, operations)

    def settled(self, state: Seen, after: JsonObject) -> Settlement:
        """Whether the number that the autoscaler wants is within its bounds."""
        if self.owned(state) != after:
            return Settlement(state="broken", reason=f"somebody else set the bounds of {state.title} meanwhile")
        low, high, wants = state.bounds[_MIN], state.bounds[_MAX], state.found.status.desired_replicas
        active, able = state.found.condition("ScalingActive"), state.found.condition("AbleToScale")
        if active is not None and active.reason == "ScalingDisabled":
            return Settlement(state="settled", reason=f"{state.title} is set, and off while there are no replicas")
        if not low <= wants <= high:
            why = f": {able.message}" if able is not None and able.status == "False" else ""
            return Settlement(state="waiting", reason=f"it still wants {wants} replicas, not {low} to {high}{why}")
        return Settlement(state="settled", reason=f"{state.title} wants {wants} replicas, within {low} to {high}")

    def undo(self, before: JsonObject, after: JsonObject) -> "PatchAutoscaler":
        """Put back the bounds that it set, wherever they were."""
        call: JsonObject = {"namespace": self.namespace, "name": self.name, "cluster": self.cluster}
        bounds: JsonObject = {"min_replicas": before.get(_MIN), "max_replicas": before.get(_MAX)}
        return PatchAutoscaler.model_validate({**call, **bounds, "at_most": _LARGEST, "at_least": 0})


def _effects(state: Seen, after: dict[str, int]) -> tuple[str, ...]:
    """Say what moves at once, and what keeps the metrics from moving anything."""
    there, active = state.found.status.current_replicas, state.found.condition("ScalingActive")
    notes: list[str] = []
    if there > after[_MAX]:
        notes.append(f"pods are taken away at once: there are {there} replicas")
    if 0 < there < after[_MIN]:
        notes.append(f"pods are added at once: there are {there} replicas")
    if active is not None and active.status == "False":
        notes.append(f"its metrics move nothing at the moment ({active.reason}): only its bounds do")
    return tuple(notes)


def _operations(after: JsonObject) -> list[JsonObject]:
    return [{"op": "add", "path": f"/spec/{name}", "value": value} for name, value in after.items()]
