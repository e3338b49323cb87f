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
    Permission("kubernetes", ("get",), "apps/deployments", "to see what is there"),
    Permission("kubernetes", ("list",), "apps/replicasets", "to know its revisions"),
    Permission("kubernetes", ("list",), "/pods", "to see whether its pods crash-loop"),
)
PATCH = Permission("kubernetes", ("patch",), "apps/deployments", "to write the change")


class Workload(State):
    """A Deployment with its revisions and what ails its pods."""

    deployment: Deployment
    revisions: tuple[Revision, ...]
    troubles: tuple[str, ...]
    autoscalers: tuple[Autoscaler, ...] = ()
    """Those that scale it; only who changes the number of replicas looks for them."""

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


class DeploymentChange(Change[Workload]):
    """A change of one part of a Deployment: what it writes is a JSON patch, guarded by the version that was seen."""

    part: ClassVar[Part]

    namespace: Namespace
    """The Deployment's namespace."""
    name: Name
    """The Deployment's name."""
    cluster: ClusterName = ""
    """Its cluster, by the name in halon.yaml; without it the default one."""

    def target(self) -> str:
        """Name the Deployment."""
        return target(self.cluster, self.namespace, self.name)

    async def observe(self, env: Env) -> Workload:
        """Look at the Deployment, its revisions and its newest pods."""
        return await look(env, self.cluster, self.namespace, self.name)

    def operations(self, after: JsonObject, state: Workload) -> list[JsonObject]:
        """Give the JSON patch that makes `after` of what is there. Pure.

        Raises:
            PermanentError: it can no longer be made.
        """
        raise NotImplementedError

    async def rehearse(self, env: Env, after: JsonObject, state: Workload) -> Sequence[str]:
        """Let the API server check the patch without storing it.

        Raises:
            PermanentError: what it would store is not what is wanted, so an admission webhook changes it.
        """
        patch = self.operations(after, state)
        there = await cluster_of(env, self.cluster).patch_deployment(state.deployment, patch, dry_run=True)
        if canonical(self.owned(state.model_copy(update={"deployment": there}))) != canonical(after):
            raise PermanentError(f"an admission webhook of the cluster turns this change of {state.title} into another")
        return ()

    def mark(self, state: Workload) -> str:
        """Give the key of the last write to this part."""
        return state.deployment.metadata.annotations.get(_MARKS[self.part], "")

    async def apply(self, env: Env, after: JsonObject, state: Workload, key: str) -> None:
        """Patch the Deployment as it was seen, with the key in the same write."""
        meta = state.deployment.metadata
        stamp = annotate("/metadata", _MARKS[self.part], key, there=bool(meta.annotations))
        patch = [*self.operations(after, state), *stamp]
        await cluster_of(env, self.cluster).patch_deployment(state.deployment, patch)

    def settled(self, state: Workload, after: JsonObject) -> Settlement:
        """Whether the rollout is complete, and still is that of this change."""
        if canonical(self.owned(state)) != canonical(after):
            return Settlement(state="broken", reason=f"somebody else changed the {self.part} of {state.title} since")
        return progress(state.deployment, state.current, state.troubles)


def unfit(state: Workload) -> Refusal | None:
    """Refuse what cannot be rolled out anew: a Deployment that is being deleted, or paused."""
    if state.deployment.metadata.deletion_timestamp is not None:
        return Refusal(f"{state.title} is being deleted")
    if state.deployment.spec.paused:
        return Refusal(f"{state.title} is paused, so nothing would be rolled out: resume it first")
    return None


def outage(state: Workload) -> list[str]:
    """Note what the Deployment's strategy means for those whom it serves."""
    if state.deployment.spec.strategy.type != "Recreate":
        return []
    return ["its strategy is Recreate: every pod stops before the first new one starts"]


def annotate(path: str, name: str, value: str, *, there: bool) -> list[JsonObject]:
    """Operations that set an annotation of the metadata at `path`; `there` says whether that has annotations yet."""
    made: list[JsonObject] = [] if there else [{"op": "add", "path": f"{path}/annotations", "value": {}}]
    escaped = name.replace("~", "~0").replace("/", "~1")
    return [*made, {"op": "add", "path": f"{path}/annotations/{escaped}", "value": value}]
