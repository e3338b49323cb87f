"""Disruption budgets: what they allow at this moment, and the evictions that they refuse."""

from http import HTTPStatus

from halon.demo.cluster.objects import (
    Json,
    child,
    condition_of,
    is_deleting,
    is_pod_ready,
    labels_of,
    name_of,
    namespace_of,
)
from halon.demo.cluster.resources import BUDGETS, PODS
from halon.demo.cluster.scaling import resolve
from halon.demo.cluster.selectors import selector_matches
from halon.demo.cluster.status import ApiError
from halon.demo.cluster.world import World


def budget_status(world: World, budget: Json) -> Json:
    """Compute a budget's status from the pods that it covers."""
    spec = child(budget, "spec")
    selector = child(spec, "selector")
    pods = [
        pod
        for pod in world.store.items(PODS, namespace_of(budget))
        if selector_matches(selector, labels_of(pod))
        and child(pod, "status").get("phase") not in {"Succeeded", "Failed"}
    ]
    expected = len(pods)
    healthy = sum(1 for pod in pods if is_pod_ready(pod) and not is_deleting(pod))
    if "maxUnavailable" in spec:
        desired = max(0, expected - resolve(spec["maxUnavailable"], expected, up=True))
    else:
        desired = resolve(spec.get("minAvailable", 1), expected, up=True)
    allowed = max(0, healthy - desired) if expected else 0
    condition = {
        "type": "DisruptionAllowed",
        "status": "True" if allowed else "False",
        "reason": "SufficientPods" if allowed else "InsufficientPods",
        "message": "",
        "observedGeneration": child(budget, "metadata").get("generation"),
        "lastTransitionTime": _since(budget, "True" if allowed else "False", world.stamp()),
    }
    return {
        "currentHealthy": healthy,
        "desiredHealthy": desired,
        "disruptionsAllowed": allowed,
        "expectedPods": expected,
        "observedGeneration": child(budget, "metadata").get("generation"),
        "conditions": [condition],
    }


def _since(budget: Json, state: str, now: str) -> str:
    before = condition_of(budget, "DisruptionAllowed")
    return str(before["lastTransitionTime"]) if before.get("status") == state else now


def eviction_refusal(world: World, pod: Json) -> ApiError | None:
    """Return why a pod may not be evicted now, judged by the pods as they are and not by a status that lags."""
    if child(pod, "status").get("phase") in {"Pending", "Succeeded", "Failed"} or is_deleting(pod):
        return None
    covering = [
        budget
        for budget in world.store.items(BUDGETS, namespace_of(pod))
        if selector_matches(child(budget, "spec", "selector"), labels_of(pod))
    ]
    if not covering:
        return None
    if len(covering) > 1:
        message = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
        return ApiError(HTTPStatus.INTERNAL_SERVER_ERROR, "InternalError", message)
    budget = covering[0]
    status = budget_status(world, budget)
    healthy, desired = status["currentHealthy"], status["desiredHealthy"]
    if status["disruptionsAllowed"] > 0 or (not is_pod_ready(pod) and _may_evict_unready(budget, healthy, desired)):
        return None
    noun = "pod" if desired == 1 else "pods"
    needs = f"The disruption budget {name_of(budget)} needs {desired} healthy {noun} and has {healthy} currently"
    details = {"causes": [{"reason": "DisruptionBudget", "message": needs}]}
    message = "Cannot evict pod as it would violate the pod's disruption budget."
    return ApiError(HTTPStatus.TOO_MANY_REQUESTS, "TooManyRequests", message, details)


def _may_evict_unready(budget: Json, healthy: int, desired: int) -> bool:
    """Whether a pod that does not serve may go: always under AlwaysAllow, else when enough others serve."""
    if child(budget, "spec").get("unhealthyPodEvictionPolicy") == "AlwaysAllow":
        return True
    return desired > 0 and healthy >= desired
