"""Tell how a pod is: what its containers do, how they ended, and why it is not ready."""

from datetime import datetime, timedelta
from typing import ClassVar, Literal

from activities.kubernetes._object import ClusterName, Name, Namespace, cluster_of
from halon.clients.kubernetes.objects import ContainerState, ContainerStatus, Pod
from halon.contracts.base import Duration, JsonObject
from halon.kit.action import Output, Permission, Read
from halon.kit.env import Env
from halon.redaction import redact_text

MAX_TEXT = 1000
"""Characters of one message."""
_CONTAINERS = 50


class ContainerSeen(Output):
    """A container."""

    name: str
    image: str
    ready: bool
    """Its condition `Ready` is met."""
    state: Literal["running", "waiting", "terminated", "unknown"]
    reason: str
    """Why it waits or has ended, such as `CrashLoopBackOff` or `OOMKilled`."""
    message: str
    """What looks like a secret is masked."""
    exit_code: int | None
    """Of the end that it is at, or else of its last one; null when it never ended."""
    last_reason: str
    """Why its run before ended, such as `OOMKilled`; empty when there was none."""
    last_ended_at: datetime | None
    restarts: int


class Unmet(Output):
    """A condition that the pod does not meet."""

    type: str
    reason: str
    message: str
    lasts: Duration | None
    """Since when; null when nobody wrote that down."""


class PodSeen(Output):
    """How a pod is."""

    uid: str
    """Which pod of this name it is; `kubernetes.delete_pod` takes it."""
    phase: str
    """`Pending`, `Running`, `Succeeded`, `Failed` or `Unknown`."""
    reason: str
    """Why it is in that phase, such as `Evicted`; mostly empty."""
    message: str
    """The same in words, masked."""
    ready: bool
    """Its condition `Ready` is met."""
    terminating: bool
    """It was deleted, and only waits to be gone."""
    node: str
    """Empty while it has none."""
    age: Duration
    """Since it was made."""
    controller: str
    """What makes it again, as `ReplicaSet/cart-5d4f`; empty for a bare pod. `kubernetes.get_owner` goes to the top."""
    labels: dict[str, str]
    """Its labels."""
    restarts: int
    """Of all containers together."""
    containers: tuple[ContainerSeen, ...]
    """At most 50, those that initialise it first."""
    unmet: tuple[Unmet, ...]
    """What keeps it from being ready: conditions that are not met, such as `PodScheduled`."""


class GetPod(Read[PodSeen]):
    """Tell how a pod is: its containers, how they ended last, and which conditions it does not meet."""

    permissions: ClassVar[tuple[Permission, ...]] = (Permission("kubernetes", ("get",), "/pods", "to look at it"),)
    example: ClassVar[JsonObject] = {"namespace": "shop", "name": "cart-5d4f-x7"}

    namespace: Namespace
    """The pod's namespace."""
    name: Name
    """The pod's name."""
    cluster: ClusterName = ""
    """A cluster of halon.yaml; without it, the default one."""

    def target(self) -> str:
        """Name the pod."""
        return f"k8s/{self.cluster or 'default'}/{self.namespace}/pod/{self.name}"

    async def run(self, env: Env) -> PodSeen:
        """Look.

        Raises:
            NotFound: there is no such pod, any more.
        """
        pod = await cluster_of(env, self.cluster).pod(self.namespace, self.name)
        meta, status, now = pod.metadata, pod.status, env.now()
        owner = meta.controller
        return PodSeen(
            uid=meta.uid,
            phase=status.phase,
            reason=status.reason,
            message=redact_text(status.message, MAX_TEXT),
            ready=any(one.type == "Ready" and one.status == "True" for one in status.conditions),
            terminating=meta.deletion_timestamp is not None,
            node=pod.spec.node_name,
            age=max(now - meta.creation_timestamp, timedelta()) if meta.creation_timestamp else timedelta(),
            controller=f"{owner.kind}/{owner.name}" if owner else "",
            labels=dict(meta.labels),
            restarts=sum(one.restart_count for one in pod.containers),
            containers=tuple(_container(one) for one in pod.containers[:_CONTAINERS]),
            unmet=_unmet(pod, now),
        )


def _container(one: ContainerStatus) -> ContainerSeen:
    state, reason, message = _state(one.state)
    ended, before = one.state.terminated or one.last_state.terminated, one.last_state.terminated
    return ContainerSeen(
        name=one.name,
        image=one.image,
        ready=one.ready,
        state=state,
        reason=reason,
        message=redact_text(message, MAX_TEXT),
        exit_code=ended.exit_code if ended else None,
        last_reason=before.reason if before else "",
        last_ended_at=before.finished_at if before else None,
        restarts=one.restart_count,
    )


def _state(state: ContainerState) -> tuple[Literal["running", "waiting", "terminated", "unknown"], str, str]:
    if state.running is not None:
        return "running", "", ""
    if state.waiting is not None:
        return "waiting", state.waiting.reason, state.waiting.message
    if state.terminated is not None:
        return "terminated", state.terminated.reason, state.terminated.message
    return "unknown", "", ""


def _unmet(pod: Pod, now: datetime) -> tuple[Unmet, ...]:
    return tuple(
        Unmet(
            type=one.type,
            reason=one.reason,
            message=redact_text(one.message, MAX_TEXT),
            lasts=max(now - one.last_transition_time, timedelta()) if one.last_transition_time else None,
        )
        for one in pod.status.conditions
        if one.status != "True" and one.type != "DisruptionTarget"
    )
