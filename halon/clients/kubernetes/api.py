"""The Kubernetes calls that actions make. An action gets it with `env.get(KubernetesApi).cluster(name)`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from halon.clients.kubernetes.connection import Call, ClusterConfig, Connection, Resource
from halon.clients.kubernetes.objects import Autoscaler, Deployment, Event, Items, Pod, ReplicaSet, Thing, View, view
from halon.contracts.base import Json, JsonObject
from halon.errors import Misconfigured, PermanentError

DEPLOYMENTS = Resource("apps", "v1", "deployments")
REPLICA_SETS = Resource("apps", "v1", "replicasets")
PODS = Resource("", "v1", "pods")
EVENTS = Resource("", "v1", "events")
AUTOSCALERS = Resource("autoscaling", "v2", "horizontalpodautoscalers")
OWNERS = {
    "ReplicaSet": REPLICA_SETS,
    "Deployment": DEPLOYMENTS,
    "StatefulSet": Resource("apps", "v1", "statefulsets"),
    "DaemonSet": Resource("apps", "v1", "daemonsets"),
    "Job": Resource("batch", "v1", "jobs"),
}
"""Kinds that can be looked up as the owner of something."""

_PAGE = 250
MAX_ITEMS = 2000
"""Objects of one list; more of them are refused or cut off, as the call says."""

T = TypeVar("T", bound=View)


@dataclass(frozen=True, slots=True)
class KubernetesConfig:
    """The clusters that actions may reach, by the name that playbooks use."""

    clusters: Mapping[str, ClusterConfig] = field(default_factory=dict[str, ClusterConfig])
    default: str = ""
    """Which of them is meant when a playbook names none; not needed when there is only one."""


class KubernetesApi:
    """Clusters by name. Connections are made at the first call."""

    def __init__(self, config: KubernetesConfig) -> None:
        self._config = config
        self._clusters: dict[str, Cluster] = {}

    def cluster(self, name: str) -> "Cluster":
        """Give the cluster of this name; with an empty name the default one.

        Raises:
            Misconfigured: there is no such cluster, or no default.
        """
        known = self._config.clusters
        chosen = name or self._config.default or (next(iter(known)) if len(known) == 1 else "")
        if chosen not in known and not (chosen == "" and not known):
            offered = ", ".join(sorted(known)) or "none"
            wanted = f"no cluster '{chosen}'" if chosen else "no default among several clusters"
            raise Misconfigured(f"halon.yaml has {wanted} under kubernetes.clusters; it names: {offered}")
        if chosen not in self._clusters:
            connection = Connection(chosen or "default", known.get(chosen, ClusterConfig()))
            self._clusters[chosen] = Cluster(connection)
        return self._clusters[chosen]

    async def close(self) -> None:
        """Close every connection."""
        clusters, self._clusters = self._clusters, {}
        for cluster in clusters.values():
            await cluster.close()


class Cluster:
    """The calls, on one cluster. Every one of them raises what `Connection.json` raises."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @property
    def name(self) -> str:
        """The cluster's name in the settings."""
        return self._connection.name

    async def deployment(self, namespace: str, name: str) -> Deployment:
        """Read a Deployment."""
        return view(Deployment, await self._connection.json(Call("get", DEPLOYMENTS, namespace, name)))

    async def patch_deployment(
        self, seen: Deployment, operations: Sequence[JsonObject], *, dry_run: bool = False
    ) -> Deployment:
        """Patch a Deployment, unless it changed since it was `seen`; with `dry_run` the server only checks.

        Raises:
            Conflict: it changed since.
        """
        guard: JsonObject = {
            "op": "test",
            "path": "/metadata/resourceVersion",
            "value": seen.metadata.resource_version,
        }
        body: list[Json] = [guard, *operations]
        query = (("dryRun", "All"),) if dry_run else ()
        call = Call("patch", DEPLOYMENTS, seen.metadata.namespace, seen.metadata.name, query=query, body=body)
        return view(Deployment, await self._connection.json(call))

    async def replica_sets(self, deployment: Deployment) -> tuple[ReplicaSet, ...]:
        """Read the ReplicaSets that a Deployment controls."""
        found = await self._list(ReplicaSet, REPLICA_SETS, deployment.metadata.namespace, str(deployment.spec.selector))
        uid = deployment.metadata.uid
        return tuple(one for one in found if one.metadata.controller is not None and one.metadata.controller.uid == uid)

    async def pods(self, namespace: str, selector: str, *, most: int) -> tuple[Pod, ...]:
        """Read at most so many pods of a selector."""
        return await self._list(Pod, PODS, namespace, selector, most=most)

    async def pod(self, namespace: str, name: str) -> Pod:
        """Read a pod."""
        return view(Pod, await self._connection.json(Call("get", PODS, namespace, name)))

    async def owner(self, namespace: str, kind: str, name: str) -> Thing:
        """Read the metadata of an owner, whose kind is one of `OWNERS`."""
        return view(Thing, await self._connection.json(Call("get", OWNERS[kind], namespace, name)))

    async def autoscalers(self, namespace: str) -> tuple[Autoscaler, ...]:
        """Read the HorizontalPodAutoscalers of a namespace."""
        return await self._list(Autoscaler, AUTOSCALERS, namespace)

    async def events(self, namespace: str, *, most: int) -> tuple[Event, ...]:
        """Read at most so many events of a namespace."""
        return await self._list(Event, EVENTS, namespace, most=most)

    async def logs(self, pod: Pod, container: str, *, previous: bool, lines: int, most: int) -> bytes:
        """Read the last lines of a container's log, of the container before a restart when `previous`.

        Args:
            pod: whose container.
            container: its name.
            previous: the one before the last restart.
            lines: at most so many.
            most: at most so many bytes.

        Raises:
            PermanentError: the container has no such log.
        """
        query = [
            ("container", container),
            ("tailLines", str(lines)),
            ("limitBytes", str(most)),
            ("timestamps", "true"),
            *((("previous", "true"),) if previous else ()),
        ]
        meta = pod.metadata
        return await self._connection.raw(Call("get", PODS, meta.namespace, meta.name, "log", query=query))

    async def close(self) -> None:
        """Close the connections."""
        await self._connection.close()

    async def _list(
        self, model: type[T], resource: Resource, namespace: str, selector: str = "", *, most: int | None = None
    ) -> tuple[T, ...]:
        """Read a list in pages; without `most`, a list of more than 2,000 is an error, because part of it misleads."""
        bound = MAX_ITEMS if most is None else most
        found: list[Any] = []
        following = ""
        while True:
            query = [("limit", str(min(_PAGE, bound - len(found) + 1)))]
            query += [("labelSelector", selector)] if selector else []
            query += [("continue", following)] if following else []
            page = view(Items, await self._connection.json(Call("list", resource, namespace, query=query)))
            found += page.items
            following = page.following
            if len(found) > bound and most is None:
                raise PermanentError(f"there are more than {bound} {resource.qualified} in namespace {namespace}")
            if not following or len(found) >= bound:
                return tuple(view(model, one) for one in found[:bound])
