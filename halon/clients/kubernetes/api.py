"""The Kubernetes calls that actions make. An action gets it with `env.get(KubernetesApi).cluster(name)`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, TypeVar

from halon.clients.kubernetes.autoscalers import Autoscaler
from halon.clients.kubernetes.connection import Call, ClusterConfig, Connection, Resource
from halon.clients.kubernetes.events import Event
from halon.clients.kubernetes.objects import (
    Deployment,
    Items,
    Metadata,
    Pod,
    ReplicaSet,
    Thing,
    View,
    view,
)
from halon.clients.kubernetes.watching import Watch
from halon.contracts.base import Json, JsonObject
from halon.errors import Conflict, Misconfigured, NotFound, PermanentError

DEPLOYMENTS = Resource("apps", "v1", "deployments")
REPLICA_SETS = Resource("apps", "v1", "replicasets")
PODS = Resource("", "v1", "pods")
EVENTS = Resource("", "v1", "events")
NODES = Resource("", "v1", "nodes")
POD_USAGE = Resource("metrics.k8s.io", "v1beta1", "pods")
NODE_USAGE = Resource("metrics.k8s.io", "v1beta1", "nodes")
BUDGETS = Resource("policy", "v1", "poddisruptionbudgets")
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

_DRY_RUN = (("dryRun", "All"),)

T = TypeVar("T", bound=View)
Propagation: TypeAlias = Literal["Background", "Foreground", "Orphan"]


@dataclass(frozen=True, slots=True)
class KubernetesConfig:
    """The clusters that actions may reach, by the name that playbooks use."""

    clusters: Mapping[str, ClusterConfig] = field(default_factory=dict[str, ClusterConfig])
    default: str = ""
    """Which of them is meant when a playbook names none; not needed when there is only one."""
    elsewhere: frozenset[str] = frozenset()
    """Those that only a worker of their own reaches, never this process."""


class KubernetesApi:
    """Clusters by name. Connections are made at the first call."""

    def __init__(self, config: KubernetesConfig) -> None:
        self._config = config
        self._clusters: dict[str, Cluster] = {}

    def cluster(self, name: str) -> "Cluster":
        """Give the cluster of this name; with an empty name the default one.

        Raises:
            Misconfigured: there is no such cluster, or no default, or another worker's.
        """
        known = self._config.clusters
        chosen = name or self._config.default or (next(iter(known)) if len(known) == 1 else "")
        if chosen not in known and not (chosen == "" and not known):
            offered = ", ".join(sorted(known)) or "none"
            wanted = f"no cluster '{chosen}'" if chosen else "no default among several clusters"
            raise Misconfigured(f"halon.yaml has {wanted} under kubernetes.clusters; it names: {offered}")
        if chosen in self._config.elsewhere:
            raise Misconfigured(
                f"cluster {chosen} is reached by its own worker only (`worker` in halon.yaml), not here"
            )
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

    async def get(self, model: type[T], resource: Resource, namespace: str, name: str) -> T:
        """Read an object; without a namespace, one of the cluster's own such as a node."""
        return view(model, await self._connection.json(Call("get", resource, namespace, name)))

    async def patch(
        self, resource: Resource, seen: Metadata, operations: Sequence[JsonObject], *, dry_run: bool = False
    ) -> JsonObject:
        """Patch an object with a JSON patch, unless it changed since it was `seen`; with `dry_run` the server checks.

        Raises:
            Conflict: it changed since.
        """
        guard: JsonObject = {"op": "test", "path": "/metadata/resourceVersion", "value": seen.resource_version}
        body: list[Json] = [guard, *operations]
        query = _DRY_RUN if dry_run else ()
        answer: JsonObject = await self._connection.json(
            Call("patch", resource, seen.namespace, seen.name, query=query, body=body)
        )
        return answer

    async def create(
        self, resource: Resource, namespace: str, manifest: JsonObject, *, dry_run: bool = False
    ) -> JsonObject:
        """Create an object.

        Raises:
            Conflict: there is one of that name.
        """
        query = _DRY_RUN if dry_run else ()
        answer: JsonObject = await self._connection.json(
            Call("create", resource, namespace, query=query, body=manifest)
        )
        return answer

    async def delete(
        self,
        resource: Resource,
        seen: Metadata,
        *,
        propagation: Propagation = "Background",
        grace: int | None = None,
        as_seen: bool = False,
        dry_run: bool = False,
    ) -> None:
        """Delete the object that was `seen`, and no other one of its name; `grace` are seconds that it has to end.

        Raises:
            Conflict: it is gone, or another one has its name, or with `as_seen` it changed since.
        """
        expected: JsonObject = {"uid": seen.uid, **({"resourceVersion": seen.resource_version} if as_seen else {})}
        options: JsonObject = {"preconditions": expected, "propagationPolicy": propagation}
        options |= {} if grace is None else {"gracePeriodSeconds": grace}
        call = Call("delete", resource, seen.namespace, seen.name, query=_DRY_RUN if dry_run else (), body=options)
        try:
            await self._connection.json(call)
        except NotFound as error:
            raise Conflict(str(error)) from error

    async def evict(self, seen: Metadata, *, dry_run: bool = False) -> None:
        """Ask the pod that was `seen` to go, as far as disruption budgets allow it.

        Raises:
            Conflict: it is gone, or another one has its name.
            EvictionRefused: a budget does not allow it now; the message names the budget.
        """
        options: JsonObject = {"preconditions": {"uid": seen.uid}, "dryRun": ["All"] if dry_run else []}
        body: JsonObject = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": seen.name, "namespace": seen.namespace},
            "deleteOptions": options,
        }
        try:
            await self._connection.json(Call("create", PODS, seen.namespace, seen.name, "eviction", body=body))
        except NotFound as error:
            raise Conflict(str(error)) from error

    async def list(  # what the API itself takes
        self,
        model: type[T],
        resource: Resource,
        namespace: str = "",
        *,
        labels: str = "",
        fields: str = "",
        most: int | None = None,
    ) -> tuple[T, ...]:
        """Read a list in pages; without a namespace, over all of them.

        Args:
            model: what is read of each object.
            resource: which objects.
            namespace: whose.
            labels: a label selector.
            fields: a field selector, such as `spec.nodeName=node-1`.
            most: at most so many. Without it, a list of more than 2,000 is an error, because part of it misleads.
        """
        bound = MAX_ITEMS if most is None else most
        selectors = [(name, one) for name, one in (("labelSelector", labels), ("fieldSelector", fields)) if one]
        found: list[Any] = []
        following = ""
        while True:
            query = [("limit", str(min(_PAGE, bound - len(found) + 1))), *selectors]
            query += [("continue", following)] if following else []
            page = view(Items, await self._connection.json(Call("list", resource, namespace, query=query)))
            found += page.items
            following = page.following
            if len(found) > bound and most is None:
                where = f"in namespace {namespace}" if namespace else "in the cluster"
                raise PermanentError(f"there are more than {bound} {resource.qualified} {where}")
            if not following or len(found) >= bound:
                return tuple(view(model, one) for one in found[:bound])

    async def deployment(self, namespace: str, name: str) -> Deployment:
        """Read a Deployment."""
        return await self.get(Deployment, DEPLOYMENTS, namespace, name)

    async def replica_sets(self, deployment: Deployment) -> tuple[ReplicaSet, ...]:
        """Read the ReplicaSets that a Deployment controls."""
        found = await self.list(
            ReplicaSet, REPLICA_SETS, deployment.metadata.namespace, labels=str(deployment.spec.selector)
        )
        uid = deployment.metadata.uid
        return tuple(one for one in found if one.metadata.controller is not None and one.metadata.controller.uid == uid)

    async def pods(self, namespace: str, selector: str, *, most: int) -> tuple[Pod, ...]:
        """Read at most so many pods of a selector."""
        return await self.list(Pod, PODS, namespace, labels=selector, most=most)

    async def pod(self, namespace: str, name: str) -> Pod:
        """Read a pod."""
        return await self.get(Pod, PODS, namespace, name)

    async def owner(self, namespace: str, kind: str, name: str) -> Thing:
        """Read the metadata of an owner, whose kind is one of `OWNERS`."""
        return await self.get(Thing, OWNERS[kind], namespace, name)

    async def autoscalers(self, namespace: str) -> tuple[Autoscaler, ...]:
        """Read the HorizontalPodAutoscalers of a namespace."""
        return await self.list(Autoscaler, AUTOSCALERS, namespace)

    async def events(self, namespace: str, *, most: int) -> tuple[Event, ...]:
        """Read at most so many events of a namespace."""
        return await self.list(Event, EVENTS, namespace, most=most)

    def watch(self, resource: Resource, namespace: str, fields: str = "") -> Watch:
        """Give what follows the objects of a namespace, or without one of the whole cluster."""
        return Watch(self._connection, resource, namespace, fields)

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
