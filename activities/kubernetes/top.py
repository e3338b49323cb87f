"""Tell what pods use, against what they asked for and may have."""

import asyncio
from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from activities.kubernetes._object import ClusterName, Namespace, cluster_of
from activities.kubernetes._usage import asked, limited, share, total
from halon.clients.kubernetes.api import POD_USAGE, PODS
from halon.clients.kubernetes.nodes import Usage
from halon.clients.kubernetes.objects import Pod
from halon.contracts.base import JsonObject
from halon.errors import NotFound
from halon.kit.action import Output, Permission, Read
from halon.kit.env import Env


class PodUsage(Output):
    """One pod. A share is a fraction: 0.5 is a half; null when there is nothing to compare with."""

    name: str
    node: str
    cpu: float
    """Processors."""
    cpu_of_request: float | None
    cpu_of_limit: float | None
    memory: float
    """Bytes."""
    memory_of_request: float | None
    memory_of_limit: float | None


class PodsUsage(Output):
    """What the pods use."""

    pods: tuple[PodUsage, ...]
    """The hungriest first."""
    total: int
    """Pods whose usage is known, those left out included."""
    unmeasured: int
    """Pods that run, and whose usage is not known: they are in no sum."""
    cpu: float
    """Processors of all together."""
    memory: float
    """Bytes of all together."""


class Top(Read[PodsUsage]):
    """Tell what the pods of a namespace use of processors and memory, the hungriest first.

    It asks the Metrics API (metrics-server or a stand-in for it). Without that, or when it knows none of the pods, the
    answer is a failure `not_found`: no data is not little usage.
    """

    permissions: ClassVar[tuple[Permission, ...]] = (
        Permission("kubernetes", ("list",), "metrics.k8s.io/pods", "to read what they use"),
        Permission("kubernetes", ("list",), "/pods", "to read what they asked for and may have"),
    )
    example: ClassVar[JsonObject] = {"namespace": "shop", "selector": "app=cart", "by": "memory"}

    namespace: Namespace
    """The pods' namespace."""
    selector: Annotated[str, StringConstraints(max_length=1000)] = ""
    """Which pods, as a label selector; without it, all of the namespace."""
    by: Literal["cpu", "memory"] = "cpu"
    """What they are sorted by."""
    most: Annotated[int, Field(ge=1, le=200)] = 20
    """So many at most; the sums are over all of them."""
    cluster: ClusterName = ""
    """A cluster of halon.yaml; without it, the default one."""

    def target(self) -> str:
        """Name the pods."""
        return f"k8s/{self.cluster or 'default'}/{self.namespace}/pods/{self.selector or '*'}"

    async def run(self, env: Env) -> PodsUsage:
        """Ask.

        Raises:
            NotFound: there is no Metrics API, no such pod, or none whose usage is known.
        """
        api = cluster_of(env, self.cluster)
        measured, pods = await asyncio.gather(
            api.list(Usage, POD_USAGE, self.namespace, labels=self.selector),
            api.list(Pod, PODS, self.namespace, labels=self.selector),
        )
        usage = {one.metadata.name: one for one in measured}
        running = [pod for pod in pods if not pod.ended]
        known = [_used(pod, usage[pod.metadata.name]) for pod in running if pod.metadata.name in usage]
        if not known:
            what = f"of {len(running)} pods" if running else "of any pod, for there is none"
            where = f"with {self.selector} in namespace {self.namespace}" if self.selector else f"in {self.namespace}"
            raise NotFound(f"the Metrics API does not know the usage {what} {where}")
        ranked = sorted(known, key=lambda one: (-(one.cpu if self.by == "cpu" else one.memory), one.name))
        return PodsUsage(
            pods=tuple(ranked[: self.most]),
            total=len(known),
            unmeasured=len(running) - len(known),
            cpu=round(sum(one.cpu for one in known), 3),
            memory=sum(one.memory for one in known),
        )


def _used(pod: Pod, usage: Usage) -> PodUsage:
    cpu = total(one.usage.get("cpu", "0") for one in usage.containers)
    memory = total(one.usage.get("memory", "0") for one in usage.containers)
    return PodUsage(
        name=pod.metadata.name,
        node=pod.spec.node_name,
        cpu=round(cpu, 3),
        cpu_of_request=share(cpu, asked(pod, "cpu")),
        cpu_of_limit=share(cpu, limited(pod, "cpu")),
        memory=memory,
        memory_of_request=share(memory, asked(pod, "memory")),
        memory_of_limit=share(memory, limited(pod, "memory")),
    )
