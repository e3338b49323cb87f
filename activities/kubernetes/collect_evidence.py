"""Keep what a remedy would destroy: the state of pods, their logs and the events about them."""

import asyncio
import json
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, StringConstraints

from activities.kubernetes._object import ClusterName, Namespace, cluster_of
from halon.clients.kubernetes.api import Cluster
from halon.clients.kubernetes.connection import ApiRefusal
from halon.clients.kubernetes.events import Event
from halon.clients.kubernetes.objects import ContainerStatus, Pod
from halon.contracts.base import JsonObject
from halon.errors import NotFound
from halon.kit.action import Output, Permission, Read
from halon.kit.env import Env
from halon.kit.evidence import evidence_store
from halon.redaction import cut_text, redact, redact_text

MAX_PODS = 20
MAX_LOG = 256 * 1024
"""Characters of one container's log: the last ones."""
MAX_LOGS = 60
_READ = 4 * MAX_LOG
"""Bytes of one answer. The server cuts at the end of what it sends, so more is read than is kept."""
MAX_EVENTS = 500
MAX_TEXT = 4000
"""Characters of one message."""
_AT_ONCE = 5
_SHOWN = 10
_WORST_FIRST = {"Failed": 0, "Pending": 1, "Running": 2}


class Evidence(Output):
    """Where the evidence is, and what is in it."""

    digest: str
    """SHA-256 of the evidence, by which the evidence store finds it."""
    size: int
    """Bytes."""
    pods: int
    """Pods whose state is in it, those that are worst off first, at most 20."""
    left_out: int
    """Pods of the selector that are not in it."""
    logs: int
    """Logs in it, at most 60; a container that has none, such as one that never ran before, counts not."""
    events: int
    """Events about these pods and their ReplicaSets."""
    findings: tuple[str, ...]
    """At most ten sentences about containers that wait or ended badly."""


class CollectEvidence(Read[Evidence]):
    """Keep the state of pods, the last lines of their logs and the events about them in the evidence store.

    What looks like a secret in logs and messages is masked. The evidence itself does not travel through Temporal: its
    digest does.
    """

    permissions: ClassVar[tuple[Permission, ...]] = (
        Permission("kubernetes", ("list",), "/pods", "to see their state"),
        Permission("kubernetes", ("get",), "/pods/log", "to keep their logs"),
        Permission("kubernetes", ("list",), "/events", "to keep what happened to them"),
    )
    example: ClassVar[JsonObject] = {"namespace": "shop", "selector": "app=cart", "logs": "both"}

    namespace: Namespace
    """The pods' namespace."""
    selector: Annotated[str, StringConstraints(min_length=1, max_length=1000)]
    """Which pods, as a label selector; `kubernetes.get_rollout_history` gives a Deployment's."""
    logs: Literal["none", "current", "previous", "both"] = "both"
    """Of the containers that run, of those before the last restart, of both, or none."""
    lines: Annotated[int, Field(ge=1, le=5000)] = 500
    """The last lines of each log, no more than 256 Ki characters of them."""
    cluster: ClusterName = ""
    """A cluster of halon.yaml; without it, the default one."""

    def target(self) -> str:
        """Name the pods."""
        return f"k8s/{self.cluster or 'default'}/{self.namespace}/pods/{self.selector}"

    async def run(self, env: Env) -> Evidence:
        """Look, and keep what was seen.

        Raises:
            NotFound: no pod has these labels.
        """
        api, store = cluster_of(env, self.cluster), evidence_store(env)
        there = sorted(await api.pods(self.namespace, self.selector, most=10 * MAX_PODS), key=_worst_first)
        if not there:
            raise NotFound(f"no pod in namespace {self.namespace} has the labels {self.selector}")
        pods = there[:MAX_PODS]
        logs = await self._logs(api, pods)
        events = _about(await api.events(self.namespace, most=10 * MAX_EVENTS), pods)
        document = {
            "collected_at": env.now().isoformat(),
            "cluster": api.name,
            "namespace": self.namespace,
            "selector": self.selector,
            "pods": [_pod(one) for one in pods],
            "events": [_event(one) for one in events],
            "logs": logs,
        }
        data = json.dumps(document, ensure_ascii=False, indent=1).encode()
        kept = await store.put(data, "application/json", f"evidence of {self.namespace}/{self.selector}.json")
        return Evidence(
            digest=kept.digest,
            size=kept.size,
            pods=len(pods),
            left_out=len(there) - len(pods),
            logs=len(logs),
            events=len(events),
            findings=_findings(pods),
        )

    async def _logs(self, api: Cluster, pods: Sequence[Pod]) -> list[JsonObject]:
        slots = asyncio.Semaphore(_AT_ONCE)
        which = {"none": (), "current": (False,), "previous": (True,), "both": (True, False)}[self.logs]

        async def read(pod: Pod, container: ContainerStatus, previous: bool) -> JsonObject | None:  # noqa: FBT001  # local
            async with slots:
                try:
                    raw = await api.logs(pod, container.name, previous=previous, lines=self.lines, most=_READ)
                except (ApiRefusal, NotFound):  # it never ran, or the pod is gone meanwhile
                    return None
            text = await asyncio.to_thread(_last, raw)
            return {"pod": pod.metadata.name, "container": container.name, "previous": previous, "text": text}

        wanted = [
            (pod, container, previous)
            for pod in pods
            for container in pod.containers
            for previous in which
            if not previous or container.restart_count > 0
        ][:MAX_LOGS]
        return [one for one in await asyncio.gather(*(read(*one) for one in wanted)) if one is not None]


def _last(raw: bytes) -> str:
    """The end of a log, with what looks like a secret masked. Masked first, so that no cut takes a secret's key off."""
    text = raw.decode(errors="replace")
    return redact_text(text, len(text))[-MAX_LOG:]


def _worst_first(pod: Pod) -> tuple[int, int, str]:
    restarts = sum(one.restart_count for one in pod.containers)
    return (_WORST_FIRST.get(pod.status.phase, 3), -restarts, pod.metadata.name)


def _about(events: Sequence[Event], pods: Sequence[Pod]) -> list[Event]:
    """The events about these pods and what controls them, oldest first, the newest 500."""
    names = {("Pod", one.metadata.name) for one in pods}
    names |= {(owner.kind, owner.name) for one in pods if (owner := one.metadata.controller) is not None}
    ours = [one for one in events if (one.involved_object.kind, one.involved_object.name) in names]
    return sorted(ours, key=lambda one: one.at.isoformat() if one.at else "")[-MAX_EVENTS:]


def _pod(pod: Pod) -> JsonObject:
    seen: Any = redact(pod.model_dump(mode="json", exclude={"metadata"}, exclude_none=True), MAX_TEXT)
    meta = pod.metadata
    return {"name": meta.name, "labels": dict(meta.labels), "created": str(meta.creation_timestamp or ""), **seen}


def _event(event: Event) -> JsonObject:
    return {
        "at": event.at.isoformat() if event.at else "",
        "about": f"{event.involved_object.kind}/{event.involved_object.name}",
        "type": event.type,
        "reason": event.reason,
        "message": redact_text(event.message, MAX_TEXT),
        "count": event.count or 1,
    }


def _findings(pods: Sequence[Pod]) -> tuple[str, ...]:
    """What is wrong with containers, one sentence each."""
    found: list[str] = []
    for pod in pods:
        for one in pod.containers:
            waiting, ended = one.state.waiting, one.last_state.terminated or one.state.terminated
            if waiting is not None and waiting.reason:
                text = f"{pod.metadata.name}/{one.name} waits: {waiting.reason}, {one.restart_count} restarts"
                if ended is not None:
                    text += f"; it ended with {ended.exit_code} ({ended.reason or 'no reason'})"
                found.append(cut_text(text, 300))
    return tuple(found[:_SHOWN])
