"""Find what owns a pod: alerts name pods, remedies change what makes them."""

import re
from typing import Annotated, ClassVar

from pydantic import StringConstraints

from activities.kubernetes._deployment import ClusterName, Namespace, cluster_of
from halon.clients.kubernetes.api import OWNERS, Cluster
from halon.clients.kubernetes.objects import Metadata, Owner
from halon.contracts.base import JsonObject
from halon.errors import NotFound
from halon.kit.action import Output, Permission, Read
from halon.kit.env import Env

MAX_CHAIN = 5
_GENERATED = re.compile(r"-[a-z0-9]{1,10}$")
"""What a controller appends to its own name: five letters for a pod, up to ten for a ReplicaSet, an ordinal."""


class PodOwner(Output):
    """What is at the top of a pod's owners."""

    kind: str
    """`Deployment`, `StatefulSet`, `DaemonSet`, `Job` or another kind; `Pod` when nothing owns it."""
    name: str
    """Its name."""
    deployment: str
    """The same name when it is a Deployment, otherwise empty."""
    pod_exists: bool
    """False when the pod is gone and the owner was found by its name."""
    chain: tuple[str, ...]
    """From the pod upwards, such as `Pod/cart-7d9f-x2x`, `ReplicaSet/cart-7d9f`, `Deployment/cart`."""


class GetOwner(Read[PodOwner]):
    """Find what owns a pod, through every owner up to the top.

    A pod that is gone already, as the one of an alert often is, is found by its name: its ReplicaSet, or what made it
    directly, must still be there. Without a pod the answer is empty, for alerts that name their Deployment. Errors:
    neither the pod nor an owner of that name is `not_found`.
    """

    permissions: ClassVar[tuple[Permission, ...]] = (
        Permission("kubernetes", ("get",), "/pods", "to see who owns it"),
        Permission("kubernetes", ("get",), "apps/replicasets", "to see which Deployment owns it"),
        Permission("kubernetes", ("get",), "apps/deployments", "to see whether something owns it in turn"),
        Permission("kubernetes", ("get",), "apps/statefulsets", "to see whether something owns it in turn"),
        Permission("kubernetes", ("get",), "apps/daemonsets", "to see whether something owns it in turn"),
        Permission("kubernetes", ("get",), "batch/jobs", "to see which CronJob owns it"),
    )
    example: ClassVar[JsonObject] = {"namespace": "shop", "pod": "cart-7d9f8c6b5-x2xkp"}

    namespace: Namespace
    """The pod's namespace."""
    pod: Annotated[str, StringConstraints(max_length=253, pattern=r"^([a-z0-9]([a-z0-9.-]*[a-z0-9])?)?$")]
    """The pod's name; empty when the alert names none."""
    cluster: ClusterName = ""
    """A cluster of halon.yaml; without it, the default one."""

    def target(self) -> str:
        """Name the pod."""
        return f"k8s/{self.cluster or 'default'}/{self.namespace}/pod/{self.pod}"

    async def run(self, env: Env) -> PodOwner:
        """Look."""
        if not self.pod:
            return PodOwner(kind="", name="", deployment="", pod_exists=False, chain=())
        api = cluster_of(env, self.cluster)
        chain = [f"Pod/{self.pod}"]
        try:
            top = (await api.pod(self.namespace, self.pod)).metadata.controller
            exists = True
        except NotFound:
            top, exists = await _by_name(api, self.namespace, self.pod), False
        kind, name = "Pod", self.pod
        while top is not None and len(chain) < MAX_CHAIN:
            kind, name = top.kind, top.name
            chain.append(f"{kind}/{name}")
            top = await _next(api, self.namespace, top)
        deployment = name if kind == "Deployment" else ""
        return PodOwner(kind=kind, name=name, deployment=deployment, pod_exists=exists, chain=tuple(chain))


async def _next(api: Cluster, namespace: str, owner: Owner) -> Owner | None:
    """The owner's own owner; an owner of another kind, or one that is gone, is the top."""
    if owner.kind not in OWNERS:
        return None
    try:
        return (await api.owner(namespace, owner.kind, owner.name)).metadata.controller
    except NotFound:
        return None


async def _by_name(api: Cluster, namespace: str, pod: str) -> Owner:
    """What made a pod that is gone, by the name that a controller gives.

    Raises:
        NotFound: nothing of that name is there.
    """
    name = _GENERATED.sub("", pod)
    for kind in OWNERS:
        found = await _there(api, namespace, kind, name)
        if found is not None:
            return Owner(kind=kind, name=found.name, uid=found.uid, controller=True)
    grandparent = _GENERATED.sub("", name)
    found = await _there(api, namespace, "Deployment", grandparent) if grandparent != name else None
    if found is None:
        raise NotFound(f"pod {namespace}/{pod} is gone, and nothing that could have made it is there")
    return Owner(kind="Deployment", name=found.name, uid=found.uid, controller=True)


async def _there(api: Cluster, namespace: str, kind: str, name: str) -> Metadata | None:
    try:
        return (await api.owner(namespace, kind, name)).metadata
    except NotFound:
        return None
