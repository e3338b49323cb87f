"""Say how a workload is: how much of it serves, how far its rollout is, and what ails its pods."""

from typing import ClassVar

from activities.kubernetes._object import ClusterName, Name, Namespace, target
from activities.kubernetes._workload import LOOK, Kind, look
from halon.clients.kubernetes.ownership import managers
from halon.clients.kubernetes.rollout import images, previous
from halon.contracts.base import JsonObject
from halon.kit.action import Output, Permission, Read
from halon.kit.env import Env


class WorkloadState(Output):
    """A workload's rollout and pods."""

    complete: bool
    """Every pod is up to date and available, and no old one is left."""
    broken: bool
    """It will not complete by itself: pods crash-loop, cannot start or hold up the others, or a deadline has passed."""
    reason: str
    """What it waits for, or why it is broken."""
    wanted: int
    """How many pods there shall be: its replicas, or the nodes that a DaemonSet is for."""
    updated: int
    """How many run the current template."""
    available: int
    """How many have been ready for long enough."""
    obstacle: str
    """Why a change of its template would reach no pod, such as a pause; empty when it would."""
    troubles: tuple[str, ...]
    """Containers of the current revision that crash-loop or cannot start, at most ten."""
    stuck: tuple[str, ...]
    """Pods of a StatefulSet that never get ready and for which it waits before it does anything else, at most ten."""
    images: dict[str, str]
    """Image by container."""
    selector: str
    """Its pods, as a label selector."""
    previous: int | None
    """The revision to go back to; null when there is none, and when it was rolled back already."""
    rolled_back: bool
    """The current template ran earlier already: it was taken back, and nothing came since."""
    managed_by: tuple[str, ...]
    """Who else writes to it, such as Argo CD or Flux, and what that means."""


class GetWorkload(Read[WorkloadState]):
    """Say how a Deployment, StatefulSet or DaemonSet is: how much of it serves, and how far its rollout is.

    It is for alerts of any kind of workload. `kubernetes.get_rollout_history` tells more of a Deployment's revisions.
    """

    permissions: ClassVar[tuple[Permission, ...]] = LOOK
    example: ClassVar[JsonObject] = {"namespace": "shop", "kind": "StatefulSet", "name": "db"}

    namespace: Namespace
    """The workload's namespace."""
    kind: Kind
    """The kind of workload."""
    name: Name
    """The workload's name."""
    cluster: ClusterName = ""
    """A cluster of halon.yaml; without it, the default one."""

    def target(self) -> str:
        """Name the workload."""
        return target(self.cluster, self.namespace, self.kind, self.name)

    async def run(self, env: Env) -> WorkloadState:
        """Look."""
        found = await look(env, self.cluster, self.kind, self.namespace, self.name)
        settlement, before = found.progress(), previous(found.template, found.revisions)
        return WorkloadState(
            complete=settlement.state == "settled",
            broken=settlement.state == "broken",
            reason=settlement.reason,
            wanted=found.size,
            updated=found.updated,
            available=found.available,
            obstacle=found.objection,
            troubles=found.troubles,
            stuck=tuple(one.name for one in found.stuck[:10]),
            images=images(found.template),
            selector=found.selector,
            previous=before.revision.number if before.revision else None,
            rolled_back=before.returned,
            managed_by=managers(found.metadata),
        )
