"""What containers ask for and use, added up: shared by what tells of pods, nodes and their usage. Pure."""

from collections.abc import Iterable

from halon.clients.kubernetes.objects import Pod, Resources
from halon.clients.kubernetes.quantities import amount
from halon.errors import PermanentError


def total(quantities: Iterable[str]) -> float:
    """Add quantities up.

    Raises:
        PermanentError: the API server's answer holds something that is none.
    """
    try:
        return sum(amount(one) for one in quantities)
    except ValueError as error:
        raise PermanentError(f"the API server's answer is not as Halon knows it: {error}") from error


def asked(pod: Pod, resource: str) -> float:
    """What the pod's containers ask for of a resource, together; containers that ask for nothing count as none."""
    return total(quantity for one in _resources(pod) if (quantity := one.requests.get(resource)))


def limited(pod: Pod, resource: str) -> float | None:
    """What the pod's containers may use of a resource together; None when one of them has no limit."""
    found = [one.limits.get(resource) for one in _resources(pod)]
    return total(one for one in found if one) if found and all(found) else None


def share(part: float, whole: float | None) -> float | None:
    """How much of the whole a part is, to three places; None when there is no whole."""
    return round(part / whole, 3) if whole else None


def _resources(pod: Pod) -> list[Resources]:
    return [one.resources for one in pod.spec.containers]
