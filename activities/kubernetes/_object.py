"""What the actions on objects of Kubernetes share: how they are named, and how Halon's mark is written into them.

A mark is an annotation with the idempotency key of the last write to one part of an object. There is one for each part,
so that two steps that change different parts do not hide each other's marks.
"""

from collections.abc import Sequence
from typing import Annotated, Literal, TypeAlias

from pydantic import StringConstraints

from halon.clients.kubernetes.api import Cluster, KubernetesApi
from halon.clients.kubernetes.connection import Resource
from halon.clients.kubernetes.objects import Metadata
from halon.contracts.base import JsonObject
from halon.kit.env import Env

Name: TypeAlias = Annotated[
    str, StringConstraints(min_length=1, max_length=253, pattern=r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$")
]
"""A Kubernetes name."""
Namespace: TypeAlias = Annotated[
    str, StringConstraints(min_length=1, max_length=63, pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$")
]
"""A namespace's name."""
ClusterName: TypeAlias = Annotated[str, StringConstraints(max_length=253)]
"""A cluster's name in halon.yaml; empty for the default one."""

Part: TypeAlias = Literal["replicas", "template", "images", "paused", "suspend", "bounds", "labels"]


def target(cluster: str, namespace: str, kind: str, name: str) -> str:
    """Name an object for people and policy; `kind` as in `StatefulSet`."""
    return f"k8s/{cluster or 'default'}/{namespace}/{kind.lower()}/{name}"


def title(kind: str, meta: Metadata) -> str:
    """What people call it: `Deployment shop/cart`."""
    return f"{kind} {meta.namespace}/{meta.name}"


def cluster_of(env: Env, name: str) -> Cluster:
    """Give the cluster of this name."""
    return env.get(KubernetesApi).cluster(name)


def mark(meta: Metadata, part: Part) -> str:
    """Give the key of the last write to this part."""
    return meta.annotations.get(f"halon.dev/change-{part}", "")


def stamped(meta: Metadata, part: Part, key: str) -> list[JsonObject]:
    """Operations of a JSON patch that stamp the key; without one, such as for a rehearsal, there are none."""
    if not key:
        return []
    return annotate("/metadata", bool(meta.annotations), {f"halon.dev/change-{part}": key})


def annotate(path: str, there: bool, annotations: dict[str, str]) -> list[JsonObject]:  # noqa: FBT001  # read at the call
    """Operations that add annotations at `path`, with the map itself when it is not there."""
    made: list[JsonObject] = [] if there else [{"op": "add", "path": f"{path}/annotations", "value": {}}]
    for name, value in annotations.items():
        made.append({"op": "add", "path": f"{path}/annotations/{escaped(name)}", "value": value})
    return made


def escaped(name: str) -> str:
    """Give a key as a part of a JSON pointer."""
    return name.replace("~", "~0").replace("/", "~1")


async def rehearse(
    env: Env, cluster: str, resource: Resource, seen: Metadata, operations: Sequence[JsonObject]
) -> Sequence[str]:
    """Let the API server check a patch without storing it."""
    await cluster_of(env, cluster).patch(resource, seen, operations, dry_run=True)
    return ()
