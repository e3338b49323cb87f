"""What goes wrong in the demonstration: a shop's Deployment, a bad release of it, and the alert that follows."""

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import httpx

from halon.contracts.base import JsonObject
from halon.demo.cluster import DemoCluster
from halon.demo.cluster.objects import Json, child, name_of, objects
from halon.errors import TransientError

NAMESPACE, NAME = "shop", "cart"
GOOD, BAD = "cart:1.4.0", "cart:1.5.0-crash"
REPLICAS = 3
_SOON = timedelta(seconds=30)
_PAUSE = timedelta(milliseconds=100)
T = TypeVar("T")


def deployment(image: str) -> Json:
    """The Deployment, with this image."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": NAME, "namespace": NAMESPACE},
        "spec": {
            "replicas": REPLICAS,
            "selector": {"matchLabels": {"app": NAME}},
            "template": {
                "metadata": {"labels": {"app": NAME}},
                "spec": {"containers": [{"name": NAME, "image": image}]},
            },
        },
    }


async def release(cluster: DemoCluster) -> None:
    """Roll the good image out, and wait until it serves.

    Raises:
        TransientError: it does not.
    """
    await cluster.apply(deployment(GOOD))
    good = Rollout(GOOD, REPLICAS, updated=REPLICAS, ready=REPLICAS)
    await _until(lambda: rollout(cluster) == good, f"{NAME} does not become ready")


async def break_it(cluster: DemoCluster) -> str:
    """Roll the bad image out, and wait until one of its pods crash-loops; gives that pod.

    Raises:
        TransientError: none does.
    """
    await cluster.apply(deployment(BAD))
    return await _until(lambda: crash_looping(cluster), f"no pod of {BAD} crash-loops")


@dataclass(frozen=True, slots=True)
class Rollout:
    """How the Deployment stands."""

    image: str
    """What it asks for."""
    wanted: int
    updated: int
    """Pods of that image."""
    ready: int
    """Pods that serve, of whichever image."""


def rollout(cluster: DemoCluster) -> Rollout:
    """Look how it stands."""
    found = cluster.read("apps/v1", "Deployment", NAME, NAMESPACE) or deployment("")
    spec, status = child(found, "spec"), child(found, "status")
    containers = objects(spec, "template", "spec", "containers")
    return Rollout(
        image=str(containers[0]["image"]),
        wanted=int(spec["replicas"]),
        updated=int(status.get("updatedReplicas") or 0),
        ready=int(status.get("readyReplicas") or 0),
    )


def crash_looping(cluster: DemoCluster) -> str:
    """A pod that waits in CrashLoopBackOff; empty when there is none."""
    for pod in cluster.list("v1", "Pod", NAMESPACE):
        for status in objects(pod, "status", "containerStatuses"):
            if child(status, "state", "waiting").get("reason") == "CrashLoopBackOff":
                return name_of(pod)
    return ""


def alert(pod: str, since: datetime) -> JsonObject:
    """What Alertmanager posts, webhook version 4. The labels are those of kubernetes-mixin's rule: no Deployment."""
    labels: JsonObject = {
        "alertname": "KubePodCrashLooping",
        "container": NAME,
        "job": "kube-state-metrics",
        "namespace": NAMESPACE,
        "pod": pod,
        "reason": "CrashLoopBackOff",
        "severity": "warning",
        "uid": f"demo-{pod}",
    }
    annotations: JsonObject = {
        "description": f"Pod {NAMESPACE}/{pod} ({NAME}) is in waiting state (reason: CrashLoopBackOff).",
        "summary": "Pod is crash looping.",
    }
    return {
        "version": "4",
        "groupKey": '{}:{alertname="KubePodCrashLooping"}',
        "truncatedAlerts": 0,
        "status": "firing",
        "receiver": "halon",
        "groupLabels": {"alertname": "KubePodCrashLooping"},
        "commonLabels": labels,
        "commonAnnotations": annotations,
        "externalURL": "http://alertmanager.example.com",
        "alerts": [
            {
                "status": "firing",
                "labels": labels,
                "annotations": annotations,
                "startsAt": since.astimezone(UTC).isoformat(),
                "endsAt": "0001-01-01T00:00:00Z",
                "generatorURL": "http://prometheus.example.com/graph",
                "fingerprint": hashlib.sha256(pod.encode()).hexdigest()[:16],
            }
        ],
    }


async def send(url: str, token: str, body: JsonObject) -> httpx.Response:
    """Post it as Alertmanager does: again, until the gateway says that it is safe.

    Raises:
        TransientError: the gateway does not take it.
    """
    async with httpx.AsyncClient(trust_env=False, headers={"Authorization": f"Bearer {token}"}) as http:
        deadline = asyncio.get_running_loop().time() + _SOON.total_seconds()
        while True:
            try:
                answer = await http.post(url, json=body)
                if answer.is_success:
                    return answer
                problem = f"{answer.status_code} {answer.text[:200]}"
            except httpx.TransportError as error:
                problem = str(error) or type(error).__name__
            if asyncio.get_running_loop().time() > deadline:
                raise TransientError(f"the gateway does not take the alert: {problem}")
            await asyncio.sleep(_PAUSE.total_seconds())


async def _until(look: Callable[[], T], otherwise: str) -> T:
    deadline = asyncio.get_running_loop().time() + _SOON.total_seconds()
    while not (found := look()):
        if asyncio.get_running_loop().time() > deadline:
            raise TransientError(f"the demonstration cluster stands still: {otherwise}")
        await asyncio.sleep(_PAUSE.total_seconds())
    return found
