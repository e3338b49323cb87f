"""Tell how a HorizontalPodAutoscaler is: its bounds, what it wants, what it goes by, and what holds it."""

from collections.abc import Sequence
from typing import ClassVar, Literal

from activities.kubernetes._object import ClusterName, Name, Namespace, cluster_of, target
from activities.kubernetes._told import ConditionTold, age, conditions, since
from activities.kubernetes._usage import total
from halon.clients.kubernetes.api import AUTOSCALERS
from halon.clients.kubernetes.autoscalers import Autoscaler, Metric, MetricValue
from halon.clients.kubernetes.ownership import managers
from halon.contracts.base import Duration, JsonObject
from halon.kit.action import Output, Permission, Read
from halon.kit.env import Env

_METRICS = 20


class MetricTold(Output):
    """What an autoscaler goes by."""

    type: str
    """`Resource`, `ContainerResource`, `Pods`, `Object` or `External`."""
    name: str
    """Such as `cpu`, `main/cpu`, or `Ingress/web requests_per_second`."""
    by: str
    """What is compared: `Utilization` in percent of what pods ask for, `AverageValue` for each pod, or `Value`."""
    target: float | None
    """What it shall be."""
    current: float | None
    """What it is; null when it could not be read."""
    ratio: float | None
    """The current value by the target: above 1 more pods are wanted; null when it could not be read."""


class AutoscalerSeen(Output):
    """How an autoscaler is."""

    min: int
    """It keeps at least so many replicas."""
    max: int
    """It keeps at most so many replicas."""
    current: int
    """How many replicas there are, as it last saw."""
    desired: int
    """How many it wants, within its bounds."""
    at_max: bool
    """It wants as many replicas as it may."""
    limited: str
    """What holds it from what its metrics ask for: `TooManyReplicas` (its maximum), `TooFewReplicas` (its minimum),
    `ScaleUpLimit` or `ScaleDownLimit` (how fast it may go); empty when nothing does."""
    active: bool
    """It can tell how many replicas are needed; false when no metric can be read, or there are no replicas."""
    able: bool
    """It can reach and scale its workload."""
    target_kind: str
    """Kind of the workload that it scales, such as `Deployment`."""
    target_name: str
    """Name of the workload that it scales."""
    since_scaled: Duration | None
    """Since it last changed the number; null when never."""
    age: Duration
    """Since it was made."""
    metrics: tuple[MetricTold, ...]
    """What it goes by, at most 20; the one that asks for the most pods counts."""
    conditions: tuple[ConditionTold, ...]
    """As it tells them: `AbleToScale`, `ScalingActive` and `ScalingLimited`, with their reasons."""
    scaled_object: str
    """The KEDA ScaledObject that made it and sets its bounds; empty when none did."""
    managed_by: tuple[str, ...]
    """Who else writes to it, such as Argo CD or Flux, and what that means."""


class GetAutoscaler(Read[AutoscalerSeen]):
    """Tell how a HorizontalPodAutoscaler is: its bounds, what it wants, its metrics, and what holds it."""

    permissions: ClassVar[tuple[Permission, ...]] = (
        Permission("kubernetes", ("get",), "autoscaling/horizontalpodautoscalers", "to look at it", name="{name}"),
    )
    example: ClassVar[JsonObject] = {"namespace": "shop", "name": "cart"}

    namespace: Namespace
    """The autoscaler's namespace."""
    name: Name
    """The autoscaler's name."""
    cluster: ClusterName = ""
    """A cluster of halon.yaml; without it, the default one."""

    def target(self) -> str:
        """Name the autoscaler."""
        return target(self.cluster, self.namespace, "HorizontalPodAutoscaler", self.name)

    async def run(self, env: Env) -> AutoscalerSeen:
        """Look.

        Raises:
            NotFound: there is no such autoscaler.
        """
        found = await cluster_of(env, self.cluster).get(Autoscaler, AUTOSCALERS, self.namespace, self.name)
        meta, spec, status, now = found.metadata, found.spec, found.status, env.now()
        limit = found.condition("ScalingLimited")
        return AutoscalerSeen(
            min=spec.min_replicas,
            max=spec.max_replicas,
            current=status.current_replicas,
            desired=status.desired_replicas,
            at_max=status.desired_replicas >= spec.max_replicas,
            limited=limit.reason if limit is not None and limit.status == "True" else "",
            active=_holds(found, "ScalingActive"),
            able=_holds(found, "AbleToScale"),
            target_kind=spec.scale_target_ref.kind,
            target_name=spec.scale_target_ref.name,
            since_scaled=since(status.last_scale_time, now),
            age=age(meta, now),
            metrics=_metrics(spec.metrics[:_METRICS], status.current_metrics),
            conditions=conditions(status.conditions, now),
            scaled_object=found.scaled_object,
            managed_by=managers(meta),
        )


def _holds(found: Autoscaler, kind: Literal["ScalingActive", "AbleToScale"]) -> bool:
    condition = found.condition(kind)
    return condition is not None and condition.status == "True"


def _metrics(wanted: Sequence[Metric], there: Sequence[Metric]) -> tuple[MetricTold, ...]:
    """Put each target beside its current value; the status leaves out or empties what could not be read."""
    left = list(there)
    told: list[MetricTold] = []
    for one in wanted:
        same = next((seen for seen in left if (seen.type, seen.title) == (one.type, one.title)), None)
        if same is not None:
            left.remove(same)
        told.append(_told(one, same.source.current if same is not None else MetricValue()))
    return tuple(told)


def _told(one: Metric, current: MetricValue) -> MetricTold:
    goal = one.source.target
    should, there = _number(goal, goal.type), _number(current, goal.type)
    ratio = round(there / should, 3) if should and there is not None else None
    return MetricTold(type=one.type, name=one.title, by=goal.type, target=should, current=there, ratio=ratio)


def _number(value: MetricValue, by: str) -> float | None:
    """Give the one of its numbers that is compared."""
    if by == "Utilization":
        return None if value.average_utilization is None else float(value.average_utilization)
    text = value.average_value if by == "AverageValue" else value.value
    return None if text is None else total([text])
