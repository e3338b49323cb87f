"""Resource quotas: what a namespace uses of them, and the objects for which no room is left.

What counts, and under which names: https://kubernetes.io/docs/concepts/policy/resource-quotas/. Scopes tell pods apart
by `Terminating` and `BestEffort` and their opposites; priority classes are not there.
"""

from halon.clients.kubernetes.quantities import amount
from halon.demo.cluster.objects import Json, child, name_of, namespace_of, objects, strings
from halon.demo.cluster.resources import CLAIMS, PODS, QUOTAS, SERVICES, Resource
from halon.demo.cluster.world import World

_COUNTED = frozenset(
    {
        "configmaps",
        "persistentvolumeclaims",
        "pods",
        "replicationcontrollers",
        "resourcequotas",
        "secrets",
        "services",
    }
)
"""Plurals of the core group that have a name of their own in a quota, beside `count/…`."""
_SIZES = ("cpu", "memory", "ephemeral-storage")
_THOUSAND = 1000
_UNITS = (("Gi", 2**30), ("Mi", 2**20), ("Ki", 2**10))
_ENDED = frozenset({"Succeeded", "Failed"})


def quota_status(world: World, quota: Json) -> Json:
    """Compute a quota's status from what its namespace holds."""
    hard = strings(quota, "spec", "hard")
    used = _used(world, quota)
    return {"hard": hard, "used": {name: _written(name, used.get(name, 0)) for name in hard}}


def quota_objection(world: World, resource: Resource, obj: Json) -> str:
    """Say which quota has no room for a new object, in the real server's words; empty when all have."""
    for quota in world.store.items(QUOTAS, namespace_of(obj) or "-"):
        if not _concerns(quota, resource, obj):
            continue
        hard, asks, used = strings(quota, "spec", "hard"), _charge(resource, obj), _used(world, quota)
        unsaid = _unsaid(obj, hard) if resource is PODS else ""
        if unsaid:
            return f"failed quota: {name_of(quota)}: must specify {unsaid}"
        will = {name: used.get(name, 0) + number for name, number in asks.items() if number}
        over = [name for name, limit in hard.items() if will.get(name, 0) > _thousandths(limit)]
        if over:
            sides = (("requested", asks), ("used", used))
            said = [f"{word}: {_listed(over, numbers)}" for word, numbers in sides]
            limited = ",".join(f"{name}={hard[name]}" for name in over)
            return f"exceeded quota: {name_of(quota)}, {', '.join(said)}, limited: {limited}"
    return ""


def _used(world: World, quota: Json) -> dict[str, int]:
    """Add up what counts, in thousandths."""
    used: dict[str, int] = {}
    for resource in world.store.resources():
        if not resource.namespaced:
            continue
        for obj in world.store.items(resource, namespace_of(quota)):
            if _concerns(quota, resource, obj):
                for name, number in _charge(resource, obj).items():
                    used[name] = used.get(name, 0) + number
    return used


def _concerns(quota: Json, resource: Resource, obj: Json) -> bool:
    """Whether a quota speaks of an object: one with scopes speaks of pods only."""
    scopes: list[str] = child(quota, "spec").get("scopes") or []
    if not scopes:
        return True
    if resource is not PODS:
        return False
    ends = child(obj, "spec").get("activeDeadlineSeconds") is not None
    modest = not any(child(one, "resources") for one in objects(obj, "spec", "containers"))
    holds = {"Terminating": ends, "NotTerminating": not ends, "BestEffort": modest, "NotBestEffort": not modest}
    return all(holds.get(scope, False) for scope in scopes)


def _charge(resource: Resource, obj: Json) -> dict[str, int]:
    """What one object counts for, in thousandths; a pod that has ended counts as an object and no more."""
    counts = {f"count/{resource.qualified}": _THOUSAND}
    if resource is PODS and child(obj, "status").get("phase") in _ENDED:
        return counts
    if not resource.group and resource.plural in _COUNTED:
        counts[resource.plural] = _THOUSAND
    if resource is PODS:
        counts |= _sizes(obj)
    if resource is CLAIMS:
        counts["requests.storage"] = _thousandths(str(child(obj, "spec", "resources", "requests").get("storage", "0")))
    if resource is SERVICES:
        kind = child(obj, "spec").get("type")
        counts["services.loadbalancers"] = _THOUSAND if kind == "LoadBalancer" else 0
        ports = len(objects(obj, "spec", "ports")) if kind in {"LoadBalancer", "NodePort"} else 0
        counts["services.nodeports"] = ports * _THOUSAND
    return counts


def _sizes(pod: Json) -> dict[str, int]:
    """What a pod asks for and may use: its containers together, or one that initialises it when that is more."""
    sizes: dict[str, int] = {}
    for side in ("requests", "limits"):
        for size in _SIZES:
            running = sum(_size(one, side, size) for one in objects(pod, "spec", "containers"))
            first = max((_size(one, side, size) for one in objects(pod, "spec", "initContainers")), default=0)
            sizes[f"{side}.{size}"] = max(running, first)
            if side == "requests":
                sizes[size] = sizes[f"{side}.{size}"]
    return sizes


def _size(container: Json, side: str, size: str) -> int:
    return _thousandths(str(child(container, "resources", side).get(size, "0")))


def _unsaid(pod: Json, hard: dict[str, str]) -> str:
    """Name the sizes that a quota counts and a container leaves out."""
    missing: list[str] = []
    for name in sorted(hard):
        side, _, size = name.rpartition(".")
        if size not in _SIZES or side not in {"", "requests", "limits"}:
            continue
        left_out = [
            str(one.get("name"))
            for one in objects(pod, "spec", "containers")
            if size not in child(one, "resources", side or "requests")
        ]
        if left_out:
            missing.append(f"{name} for: {','.join(left_out)}")
    return "; ".join(missing)


def _thousandths(quantity: str) -> int:
    return round(amount(quantity) * _THOUSAND)


def _listed(names: list[str], numbers: dict[str, int]) -> str:
    return ",".join(f"{name}={_written(name, numbers.get(name, 0))}" for name in names)


def _written(name: str, thousandths: int) -> str:
    """Write a number as people write such a quantity: `1500m` processors, `512Mi` of memory."""
    whole, rest = divmod(thousandths, _THOUSAND)
    if rest:
        return f"{thousandths}m"
    if whole and name.rpartition(".")[2] in {"memory", "storage", "ephemeral-storage"}:
        for unit, size in _UNITS:
            if not whole % size:
                return f"{whole // size}{unit}"
    return str(whole)
