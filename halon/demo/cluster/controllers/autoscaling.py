"""The HorizontalPodAutoscaler: keeps a workload within the bounds, at the number that its metric asks for.

There are no metrics here. The number that they would come to stands in the autoscaler's annotation
`demo.halon.dev/metric-replicas`; without it, the workload's own number is as good as any within the bounds.
"""

from datetime import datetime

from halon.demo.cluster.objects import Json, annotations_of, child, clone, is_deleting, namespace_of
from halon.demo.cluster.resources import AUTOSCALERS, Resource, of_kind
from halon.demo.cluster.world import World, set_condition, set_replicas

METRIC = "demo.halon.dev/metric-replicas"
_NAME = "horizontal-pod-autoscaler"
_SCALED = "the HPA controller was able to get the target's current scale"


class Autoscaling:
    """Scales what autoscalers refer to."""

    def __init__(self, world: World) -> None:
        self._world = world

    def reconcile(self) -> datetime | None:
        """Bring every autoscaler's workload within its bounds."""
        for one in self._world.store.items(AUTOSCALERS):
            if not is_deleting(one):
                self._reconcile(one)
        return None

    def _reconcile(self, one: Json) -> None:
        status, now = clone(child(one, "status")), self._world.stamp()
        reference = child(one, "spec", "scaleTargetRef")
        kind = of_kind(str(reference.get("apiVersion")), str(reference.get("kind")))
        workload = self._world.store.get(kind, namespace_of(one), str(reference.get("name"))) if kind else None
        if kind is None or workload is None:
            what = f'{reference.get("kind")} "{reference.get("name")}" not found'
            message = f"the HPA controller was unable to get the target's current scale: {what}"
            able: Json = {"type": "AbleToScale", "status": "False", "reason": "FailedGetScale", "message": message}
            set_condition(status, able, now)
            self._world.write_status(AUTOSCALERS, one, status)
            return
        there = int(child(workload, "spec").get("replicas", 1))
        wanted, limit = self._wanted(one, there)
        set_condition(
            status, {"type": "AbleToScale", "status": "True", "reason": "SucceededGetScale", "message": _SCALED}, now
        )
        if there == 0:
            message = "scaling is disabled since the replica count of the target is zero"
            active: Json = {"type": "ScalingActive", "status": "False", "reason": "ScalingDisabled", "message": message}
        else:
            message = "the HPA was able to successfully calculate a replica count"
            active = {"type": "ScalingActive", "status": "True", "reason": "ValidMetricFound", "message": message}
        set_condition(status, active, now)
        set_condition(status, {"type": "ScalingLimited", **limit}, now)
        status |= {"currentReplicas": int(child(workload, "status").get("replicas", 0)), "desiredReplicas": wanted}
        if wanted != there:
            status["lastScaleTime"] = now
            self._scale(one, kind, workload, wanted)
        self._world.write_status(AUTOSCALERS, one, status)

    def _wanted(self, one: Json, there: int) -> tuple[int, Json]:
        """Give the number of replicas, and the condition that says which bound holds it."""
        spec, metric = child(one, "spec"), annotations_of(one).get(METRIC, "")
        least, most = int(spec.get("minReplicas", 1)), int(spec.get("maxReplicas", 1))
        free = {"status": "False", "reason": "DesiredWithinRange", "message": "the desired count is within the range"}
        if there == 0:
            return 0, free
        asked = int(metric) if metric.isdigit() else there
        if asked > most:
            message = "the desired replica count is more than the maximum replica count"
            return most, {"status": "True", "reason": "TooManyReplicas", "message": message}
        if asked < least:
            message = "the desired replica count is less than the minimum replica count"
            return least, {"status": "True", "reason": "TooFewReplicas", "message": message}
        return asked, free

    def _scale(self, one: Json, kind: Resource, workload: Json, wanted: int) -> None:
        self._world.store.put(kind, set_replicas(workload, wanted))
        self._world.record(AUTOSCALERS, one, "Normal", "SuccessfulRescale", f"New size: {wanted}", _NAME)
