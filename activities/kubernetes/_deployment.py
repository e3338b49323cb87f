"""What the actions on a Deployment share: which one, how it is looked at, and how Halon's mark is written.

A mark is an annotation with the idempotency key of the last write to one part of the Deployment. There is one for each
part, so that two steps that change different parts do not hide each other's marks.
"""

from collections.abc import Sequence
from typing import Annotated, Literal, TypeAlias

from pydantic import StringConstraints

from halon.clients.kubernetes.api import Cluster, KubernetesApi
from halon.clients.kubernetes.objects import HASH_LABEL, Deployment
from halon.clients.kubernetes.rollout import Revision, current, plain, progress, revisions, trouble
from halon.contracts.base import JsonObject, digest
from halon.contracts.plan import Settlement
from halon.errors import TransientError
from halon.kit.action import Permission, State
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

Part: TypeAlias = Literal["replicas", "template"]
_MARKS: dict[Part, str] = {"replicas": "halon.dev/change-replicas", "template": "halon.dev/change-template"}
_POD_SAMPLE = 100
"""Pods of the current revision that are looked at for crash loops."""

LOOK = (
    Permission("kubernetes", ("get",), "apps/deployments", "to see what is there", name="{name}"),
    Permission("kubernetes", ("list",), "apps/replicasets", "to know its revisions"),
    Permission("kubernetes", ("list",), "/pods", "to see whether its pods crash-loop"),
)
PATCH = Permission("kubernetes", ("patch",), "apps/deployments", "to write the change", name="{name}")


class Workload(State):
    """A Deployment with its revisions and what ails its pods."""

    deployment: Deployment
    revisions: tuple[Revision, ...]
    troubles: tuple[str, ...]

    @property
    def current(self) -> Revision | None:
        """The revision that it asks for; None while its ReplicaSet is not there yet."""
        return current(self.deployment, self.revisions)

    def taken_up(self) -> Revision:
        """The current revision, which must be among the kept ones, so that it can be put back.

        Raises:
            TransientError: the controller has not taken the newest template up yet.
        """
        if self.current is None:
            raise TransientError(f"the controller has not taken up the newest template of {self.title} yet")
        return self.current

    @property
    def title(self) -> str:
        """What people call it: `Deployment shop/cart`."""
        return title(self.deployment)

    def pinned(self) -> JsonObject:
        """What a change of the pod template owns: which template it is, by digest, for its values may be secrets."""
        return {"template": template_digest(self.deployment.spec.template)}

    def outage(self) -> tuple[str, ...]:
        """Note what the strategy means for those whom the Deployment serves."""
        if self.deployment.spec.strategy.type != "Recreate":
            return ()
        return ("its strategy is Recreate: every old pod stops before the first new one starts",)

    def settled_on(self, after: JsonObject) -> Settlement:
        """Whether the rollout of the template in `after` is complete."""
        if self.pinned() != after:
            return Settlement(state="broken", reason="somebody changed the pod template meanwhile")
        return progress(self.deployment, self.current, self.troubles)


def template_digest(template: JsonObject) -> str:
    """Identity of a pod template, the same in the Deployment and in its ReplicaSet."""
    return digest(plain(template))


def title(deployment: Deployment) -> str:
    """What people call it: `Deployment shop/cart`."""
    return f"Deployment {deployment.metadata.namespace}/{deployment.metadata.name}"


def target(cluster: str, namespace: str, name: str) -> str:
    """Name the Deployment for people and policy."""
    return f"k8s/{cluster or 'default'}/{namespace}/deployment/{name}"


def cluster_of(env: Env, name: str) -> Cluster:
    """Give the cluster of this name."""
    return env.get(KubernetesApi).cluster(name)


async def look(env: Env, cluster: str, namespace: str, name: str) -> Workload:
    """Look at a Deployment.

    Raises:
        NotFound, PermissionDenied, TransientError: as the API server says.
    """
    api = cluster_of(env, cluster)
    deployment = await api.deployment(namespace, name)
    known = revisions(await api.replica_sets(deployment))
    now = current(deployment, known)
    pods = (
        await api.pods(namespace, f"{deployment.spec.selector},{HASH_LABEL}={now.hash}", most=_POD_SAMPLE)
        if now is not None and now.hash
        else ()
    )
    return Workload(deployment=deployment, revisions=known, troubles=trouble(pods))


def mark(deployment: Deployment, part: Part) -> str:
    """Give the key of the last write to this part."""
    return deployment.metadata.annotations.get(_MARKS[part], "")


def stamped(deployment: Deployment, part: Part, key: str) -> list[JsonObject]:
    """Operations of a JSON patch that stamp the key; without one, such as for a rehearsal, there are none."""
    if not key:
        return []
    return annotate("/metadata", bool(deployment.metadata.annotations), {_MARKS[part]: key})


def annotate(path: str, there: bool, annotations: dict[str, str]) -> list[JsonObject]:  # noqa: FBT001  # read at the call
    """Operations that add annotations at `path`, with the map itself when it is not there."""
    made: list[JsonObject] = [] if there else [{"op": "add", "path": f"{path}/annotations", "value": {}}]
    for name, value in annotations.items():
        escaped = name.replace("~", "~0").replace("/", "~1")
        made.append({"op": "add", "path": f"{path}/annotations/{escaped}", "value": value})
    return made


async def write(env: Env, cluster: str, seen: Deployment, operations: Sequence[JsonObject]) -> None:
    """Patch the Deployment as it was seen.

    Raises:
        Conflict: it changed since.
    """
    await cluster_of(env, cluster).patch_deployment(seen, operations)


async def rehearse(env: Env, cluster: str, seen: Deployment, operations: Sequence[JsonObject]) -> Sequence[str]:
    """Let the API server check the patch without storing it."""
    await cluster_of(env, cluster).patch_deployment(seen, operations, dry_run=True)
    return ()
