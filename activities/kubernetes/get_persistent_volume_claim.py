"""Tell how a volume claim is: whether it is bound, how large, who mounts it, and what was said about it."""

from typing import ClassVar

from activities.kubernetes._object import ClusterName, Name, Namespace, cluster_of, target
from activities.kubernetes._told import ConditionTold, age, conditions, said, since
from activities.kubernetes._usage import total
from halon.clients.kubernetes.api import EVENTS, MAX_ITEMS, PODS
from halon.clients.kubernetes.events import Event
from halon.clients.kubernetes.objects import Pod
from halon.clients.kubernetes.ownership import managers
from halon.clients.kubernetes.storage import CLAIMS, Claim
from halon.contracts.base import Duration, JsonObject
from halon.kit.action import Output, Permission, Read
from halon.kit.env import Env

_PODS = 20
_EVENTS = 10


class ClaimEvent(Output):
    """What was said about the claim."""

    type: str
    """`Normal` or `Warning`."""
    reason: str
    """One word, such as `ProvisioningFailed` or `WaitForFirstConsumer`."""
    message: str
    """What looks like a secret is masked."""
    count: int
    """How often it has happened."""
    ago: Duration | None
    """Since it happened last; null when nobody wrote that down."""


class ClaimSeen(Output):
    """How a volume claim is."""

    phase: str
    """`Bound`, `Pending` or `Lost`: then its volume is gone."""
    storage_class: str
    """Its storage class; empty when it asks for none."""
    volume: str
    """Its PersistentVolume; empty while it has none."""
    access_modes: tuple[str, ...]
    """Such as `ReadWriteOnce`."""
    block: bool
    """It is a raw device without a file system."""
    requested: float
    """Bytes that it asks for."""
    capacity: float
    """Bytes that it has; 0 while it has no volume. How full it is only the node knows: ask the metrics
    `kubelet_volume_stats_…`."""
    growing: bool
    """It asks for more than it has, so that it is being enlarged or waits for it; see `conditions`."""
    terminating: bool
    """It was deleted, and waits until no pod mounts it."""
    age: Duration
    """Since it was made."""
    pods: tuple[str, ...]
    """Pods that mount it and have not ended, at most 20."""
    pending_pods: tuple[str, ...]
    """Those of them that have not started, at most 20."""
    conditions: tuple[ConditionTold, ...]
    """Such as `Resizing` or `FileSystemResizePending`, which waits for its pod to be started anew."""
    events: tuple[ClaimEvent, ...]
    """What the cluster's parts said about it, the newest first, at most ten."""
    complete: bool
    """False when the namespace has more pods or events than are looked at, 2000: then some of either may be missing."""
    managed_by: tuple[str, ...]
    """Who else writes to it, such as Argo CD or Flux, and what that means."""


class GetPersistentVolumeClaim(Read[ClaimSeen]):
    """Tell how a volume claim is: whether it is bound, its class and size, which pods mount it, and its events."""

    permissions: ClassVar[tuple[Permission, ...]] = (
        Permission("kubernetes", ("get",), "/persistentvolumeclaims", "to look at it", name="{name}"),
        Permission("kubernetes", ("list",), "/pods", "to see who mounts it"),
        Permission("kubernetes", ("list",), "/events", "to read what was said about it"),
    )
    example: ClassVar[JsonObject] = {"namespace": "shop", "name": "data-db-0"}

    namespace: Namespace
    """The claim's namespace."""
    name: Name
    """The claim's name."""
    cluster: ClusterName = ""
    """A cluster of halon.yaml; without it, the default one."""

    def target(self) -> str:
        """Name the claim."""
        return target(self.cluster, self.namespace, "PersistentVolumeClaim", self.name)

    async def run(self, env: Env) -> ClaimSeen:
        """Look.

        Raises:
            NotFound: there is no such claim.
        """
        api, now = cluster_of(env, self.cluster), env.now()
        claim = await api.get(Claim, CLAIMS, self.namespace, self.name)
        meta, spec, status = claim.metadata, claim.spec, claim.status
        everybody = await api.list(Pod, PODS, self.namespace, most=MAX_ITEMS)
        pods = [one for one in everybody if self._mounts(one)]
        about = f"involvedObject.kind=PersistentVolumeClaim,involvedObject.name={self.name}"
        events = await api.list(Event, EVENTS, self.namespace, fields=about, most=MAX_ITEMS)
        requested = total([spec.resources.requests.get("storage", "0")])
        capacity = total([status.capacity.get("storage", "0")])
        return ClaimSeen(
            phase=status.phase,
            storage_class=spec.storage_class_name or "",
            volume=spec.volume_name,
            access_modes=spec.access_modes,
            block=spec.volume_mode == "Block",
            requested=requested,
            capacity=capacity,
            growing=status.phase == "Bound" and capacity < requested,
            terminating=meta.deletion_timestamp is not None,
            age=age(meta, now),
            pods=tuple(one.metadata.name for one in pods[:_PODS]),
            pending_pods=tuple(one.metadata.name for one in pods if one.status.phase == "Pending")[:_PODS],
            conditions=conditions(status.conditions, now),
            events=tuple(
                ClaimEvent(
                    type=one.type,
                    reason=one.reason,
                    message=said(one.message),
                    count=one.count or 1,
                    ago=since(one.at, now),
                )
                for one in sorted(events, key=_when, reverse=True)[:_EVENTS]
            ),
            complete=max(len(everybody), len(events)) < MAX_ITEMS,
            managed_by=managers(meta),
        )

    def _mounts(self, pod: Pod) -> bool:
        """Whether a pod that has not ended mounts the claim."""
        claims = (one.persistent_volume_claim for one in pod.spec.volumes)
        return not pod.ended and any(one is not None and one.claim_name == self.name for one in claims)


def _when(event: Event) -> str:
    return event.at.isoformat() if event.at else ""
