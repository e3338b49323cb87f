"""Arithmetic of rollouts: what percentages come to, and how a change in size is shared out."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor

from halon.demo.cluster.objects import Json, child

_PERCENT = 100


def resolve(value: object, total: int, *, up: bool) -> int:
    """Turn `3` or `"25%"` of a total into a number; what is neither counts as 0."""
    if isinstance(value, int):
        return value
    if isinstance(value, str) and value.endswith("%") and value[:-1].isdigit():
        share = int(value[:-1]) * total / _PERCENT
        return ceil(share) if up else floor(share)
    return int(value) if isinstance(value, str) and value.isdigit() else 0


@dataclass(frozen=True, slots=True)
class Bounds:
    """How many pods a rollout may have and must keep."""

    replicas: int
    surge: int
    unavailable: int

    @property
    def most(self) -> int:
        """The most pods at one time."""
        return self.replicas + self.surge

    @property
    def least_available(self) -> int:
        """The fewest pods that must serve."""
        return max(0, self.replicas - self.unavailable)


def bounds_of(deployment: Json) -> Bounds:
    """Read the bounds of a Deployment; surge rounds up and unavailability down, and they are never both 0."""
    spec = child(deployment, "spec")
    replicas = int(spec.get("replicas", 1))
    if child(spec, "strategy").get("type") == "Recreate":
        return Bounds(replicas, 0, replicas)
    rolling = child(spec, "strategy", "rollingUpdate")
    surge = resolve(rolling.get("maxSurge", "25%"), replicas, up=True)
    unavailable = min(resolve(rolling.get("maxUnavailable", "25%"), replicas, up=False), replicas)
    return Bounds(replicas, surge, unavailable if surge or unavailable else 1)


def share_out(sizes: Sequence[int], difference: int) -> list[int]:
    """Grow or shrink several sets in proportion to their sizes; what rounding leaves goes to the first ones."""
    total = sum(sizes)
    if not total:
        return list(sizes)
    shared = [max(0, size + int(size * difference / total)) for size in sizes]
    left = total + difference - sum(shared)
    for index in range(len(shared)):
        step = max(left, -shared[index]) if left < 0 else left
        shared[index] += step
        left -= step
    return shared
