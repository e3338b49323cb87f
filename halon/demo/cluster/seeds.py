"""What exists before the first request: namespaces, nodes, and the objects that a test or a demonstration brings."""

from collections.abc import Sequence

from halon.demo.cluster.discovery import VERSION
from halon.demo.cluster.objects import Json, child, clone, new_uid
from halon.demo.cluster.patching import Patch, PatchKind
from halon.demo.cluster.resources import NAMESPACES, NODES, Resource, of_kind
from halon.demo.cluster.status import bad_request
from halon.demo.cluster.world import World
from halon.demo.cluster.writes import Target, WriteOptions, Writes, target_of

_NAMESPACES = ("default", "kube-system", "kube-public")
_STRICT = WriteOptions(validation="Strict", manager="halon-demo")


def seed(world: World, nodes: Sequence[str]) -> None:
    """Make the namespaces and the nodes that every cluster has."""
    writes = Writes(world)
    for name in _NAMESPACES:
        writes.create(Target(NAMESPACES), {"metadata": {"name": name}}, _STRICT)
    for name in nodes:
        writes.create(Target(NODES), {"metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}}}, _STRICT)
        node = clone(writes.read(Target(NODES, "", name)))
        node["status"] = _node_status(name, world.stamp())
        world.store.put(NODES, node)


def resource_of(api_version: str, kind: str) -> Resource:
    """Find a resource by an object's header.

    Raises:
        ApiError: the cluster has no such kind (400).
    """
    resource = of_kind(api_version, kind)
    if resource is None:
        raise bad_request(f'no matches for kind "{kind}" in version "{api_version}"')
    return resource


def apply(world: World, manifest: Json) -> Json:
    """Create an object or merge into the one that exists, making its namespace where it is missing.

    A status in the manifest is written too, which a client could only do by the subresource.

    Raises:
        ApiError: the server would refuse it.
    """
    writes = Writes(world)
    resource = resource_of(str(manifest.get("apiVersion")), str(manifest.get("kind")))
    target = target_of(resource, manifest)
    if resource.namespaced:
        target = Target(resource, target.namespace or "default", target.name)
        if world.store.get(NAMESPACES, "", target.namespace) is None:
            writes.create(Target(NAMESPACES), {"metadata": {"name": target.namespace}}, _STRICT)
    if world.store.get(resource, target.namespace, target.name) is None:
        writes.create(Target(resource, target.namespace), manifest, _STRICT)
    else:
        writes.patch(target, Patch(PatchKind.STRATEGIC, manifest), _STRICT)
    if child(manifest, "status"):
        status: Json = {"status": child(manifest, "status")}
        writes.patch(target, Patch(PatchKind.MERGE, status), _STRICT, status=True)
    return clone(writes.read(target))


def _node_status(name: str, now: str) -> Json:
    size = {"cpu": "4", "memory": "8Gi", "pods": "110", "ephemeral-storage": "100Gi"}
    status: Json = {
        "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}, {"type": "Hostname", "address": name}],
        "allocatable": dict(size),
        "capacity": dict(size),
        "nodeInfo": {
            "architecture": "amd64",
            "bootID": new_uid(),
            "containerRuntimeVersion": "containerd://2.0.0",
            "kernelVersion": "6.12.0",
            "kubeProxyVersion": VERSION["gitVersion"],
            "kubeletVersion": VERSION["gitVersion"],
            "machineID": new_uid().replace("-", ""),
            "operatingSystem": "linux",
            "osImage": "Halon demonstration",
            "systemUUID": new_uid(),
        },
    }
    conditions: list[Json] = []
    for kind in ("MemoryPressure", "DiskPressure", "PIDPressure", "Ready"):
        healthy = kind == "Ready"
        condition = {
            "type": kind,
            "status": "True" if healthy else "False",
            "reason": "KubeletReady" if healthy else f"KubeletHasNo{kind}",
            "message": "kubelet is posting ready status" if healthy else "",
            "lastHeartbeatTime": now,
            "lastTransitionTime": now,
        }
        conditions.append(condition)
    return {**status, "conditions": conditions}
