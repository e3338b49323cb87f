"""Views of HorizontalPodAutoscalers: their bounds, what they go by, and what they say of themselves."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BeforeValidator

from halon.clients.kubernetes.objects import Condition, Metadata, View


def _or_empty_list(value: Any) -> Any:
    return [] if value is None else value


def _or_empty_dict(value: Any) -> Any:
    return {} if value is None else value


class ScaleTarget(View):
    """What an autoscaler scales."""

    kind: str
    name: str
    api_version: str = ""


class MetricName(View):
    """A metric that is not a resource of pods."""

    name: str = ""


class MetricValue(View):
    """A target or a current value: one of the three is there. Quantities are texts."""

    type: str = ""
    """Of a target: `Utilization`, `Value` or `AverageValue`."""
    average_utilization: int | None = None
    """Percent of what the pods ask for."""
    average_value: str | None = None
    """For each pod."""
    value: str | None = None


class MetricSource(View):
    """Where a metric comes from, what it shall be, and what it is."""

    name: str = ""
    """Of a resource: `cpu` or `memory`."""
    container: str = ""
    metric: MetricName = MetricName()
    described_object: ScaleTarget | None = None
    target: MetricValue = MetricValue()
    current: Annotated[MetricValue, BeforeValidator(_or_empty_dict)] = MetricValue()


class Metric(View):
    """A metric, in the spec with its target, in the status with its current value."""

    type: str = ""
    """One of the five below; empty in the status for one that could not be read."""
    resource: MetricSource | None = None
    container_resource: MetricSource | None = None
    pods: MetricSource | None = None
    object: MetricSource | None = None
    external: MetricSource | None = None

    @property
    def source(self) -> MetricSource:
        """The one that is there."""
        sources = (self.resource, self.container_resource, self.pods, self.object, self.external)
        return next((one for one in sources if one is not None), MetricSource())

    @property
    def title(self) -> str:
        """What people call it: `cpu`, `main/cpu`, `Ingress/web requests_per_second`."""
        one = self.source
        if one.container:
            return f"{one.container}/{one.name}"
        if one.described_object is not None:
            return f"{one.described_object.kind}/{one.described_object.name} {one.metric.name}"
        return one.name or one.metric.name


class AutoscalerSpec(View):
    """Its bounds, and what it goes by."""

    scale_target_ref: ScaleTarget
    min_replicas: int = 1
    max_replicas: int
    metrics: Annotated[tuple[Metric, ...], BeforeValidator(_or_empty_list)] = ()


class AutoscalerStatus(View):
    """What it sees and wants."""

    current_replicas: int = 0
    desired_replicas: int = 0
    last_scale_time: datetime | None = None
    conditions: Annotated[tuple[Condition, ...], BeforeValidator(_or_empty_list)] = ()
    current_metrics: Annotated[tuple[Metric, ...], BeforeValidator(_or_empty_list)] = ()


class Autoscaler(View):
    """A HorizontalPodAutoscaler."""

    metadata: Metadata
    spec: AutoscalerSpec
    status: AutoscalerStatus = AutoscalerStatus()

    @property
    def scaled_object(self) -> str:
        """The KEDA ScaledObject that made it, or empty."""
        owner = next((one for one in self.metadata.owner_references if one.kind == "ScaledObject"), None)
        return owner.name if owner else self.metadata.labels.get("scaledobject.keda.sh/name", "")

    def scales(self, kind: str, name: str) -> bool:
        """Whether it is for the workload of this kind and name in its namespace."""
        return (self.spec.scale_target_ref.kind, self.spec.scale_target_ref.name) == (kind, name)

    def condition(self, kind: str) -> Condition | None:
        """Give the condition of this type."""
        return next((one for one in self.status.conditions if one.type == kind), None)
