"""Find what owns a pod: alerts name pods, remedies change what makes them."""

import re
from typing import Annotated, ClassVar

from pydantic import StringConstraints

from activities.kubernetes._object import ClusterName, Namespace, cluster_of
from halon.clients.kubernetes.api import OWNERS, Cluster
from halon.clients.kubernetes.objects import Owner
from halon.contracts.base import JsonObject
from halon.errors import NotFound
from halon.kit.action import Output, Permission, Read
from halon.kit.env import Env

MAX_CHAIN = 5
_RANDOM = "[bcdfghjklmnpqrstvwxz2456789]"
"""Letters of generated names, from Kubernetes' own `rand.SafeEncodeString`: no vowels, so words are none of them."""
_OF_ONE = re.compile(rf"(.+)-{_RANDOM}{{5}}")
"""The pod of a ReplicaSet, DaemonSet or Job: five letters are appended to the owner's name."""
_OF_SET = re.compile(r"(.+)-\d{1,9}")
"""The pod of a StatefulSet: its ordinal is appended."""
_OF_ROLLOUT = re.compile(rf"(.+)-{_RANDOM}{{7,10}}-{_RANDOM}{{5}}")
"""The pod of a Deployment: the hash of its template comes in between. One of fewer letters is too rare to guess at."""


class PodOwner(Output):
    """What is at the top of a pod's owners."""

    kind: str
    """`Deployment`, `StatefulSet`, `DaemonSet`, `Job` or another kind; `Pod` when nothing owns it."""
    name: str
    """Its name."""
    deployment: str
    """The Deployment among its owners, which most often is the top; empty when there is none."""
    pod_exists: bool
    """False when the pod is gone and the owner was found by its name."""
    chain: tuple[str, ...]
    """From the pod upwards, such as `Pod/cart-7d9f-x2x`, `ReplicaSet/cart-7d9f`, `Deployment/cart`."""


class GetOwner(Read[PodOwner]):
    """Find what owns a pod, through every owner up to the top.

    A pod that is gone already, as the one of an alert often is, is found by its name: its ReplicaSet, its Deployment or
    what else made it must still be there. Without a pod the answer is empty, for alerts that name their Deployment.
    Errors: a pod that is gone and whose name leads to nothing, or to several things, is `not_found`.
    """

    permissions: ClassVar[tuple[Permission, ...]] = (
        Permission("kubernetes", ("get",), "/pods", "to see who owns it", name="{pod}"),
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
        deployment = next((one.partition("/")[2] for one in chain if one.startswith("Deployment/")), "")
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
    """What made a pod that is gone, by the names that controllers give.

    Raises:
        NotFound: nothing that gives such a name is there, or several things are.
    """
    one, ordinal, rollout = _OF_ONE.fullmatch(pod), _OF_SET.fullmatch(pod), _OF_ROLLOUT.fullmatch(pod)
    direct = [(kind, one[1]) for kind in ("ReplicaSet", "DaemonSet", "Job") if one]
    direct += [("StatefulSet", ordinal[1])] if ordinal else []
    found = [owner for kind, name in direct if (owner := await _there(api, namespace, kind, name)) is not None]
    if not found and rollout:  # its ReplicaSet is gone too
        deployment = await _there(api, namespace, "Deployment", rollout[1])
        found = [deployment] if deployment else []
    if len(found) == 1:
        return found[0]
    also = f"{' and '.join(f'{owner.kind} {owner.name}' for owner in found)} may both have made it" if found else ""
    raise NotFound(f"pod {namespace}/{pod} is gone, and {also or 'nothing that could have made it is there'}")


async def _there(api: Cluster, namespace: str, kind: str, name: str) -> Owner | None:
    try:
        there = (await api.owner(namespace, kind, name)).metadata
    except NotFound:
        return None
    return Owner(kind=kind, name=there.name, uid=there.uid, controller=True)
