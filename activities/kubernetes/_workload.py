"""Workloads of every kind that has a pod template: how each is looked at, and how its template is written."""

from collections.abc import Sequence
from typing import ClassVar, Literal, TypeAlias

from activities.kubernetes import _daemonset, _deployment, _statefulset
from activities.kubernetes._object import (
    ClusterName,
    Name,
    Namespace,
    Part,
    cluster_of,
    mark,
    rehearse,
    stamped,
    target,
)
from activities.kubernetes._templated import Templated
from halon.clients.kubernetes.api import PODS
from halon.contracts.base import JsonObject
from halon.contracts.plan import Settlement
from halon.kit.action import Change
from halon.kit.env import Env

Kind: TypeAlias = Literal["Deployment", "StatefulSet", "DaemonSet"]
"""A kind of workload that has a pod template."""

LOOK = (
    *_deployment.LOOK,
    *(one for one in _statefulset.LOOK if one not in _deployment.LOOK),
    _daemonset.LOOK[0],
)
PATCH = (_deployment.PATCH, _statefulset.PATCH, _statefulset.UNSTICK, _daemonset.PATCH)


async def look(env: Env, cluster: str, kind: Kind, namespace: str, name: str) -> Templated:
    """Look at a workload.

    Raises:
        NotFound, PermissionDenied, TransientError: as the API server says.
    """
    match kind:
        case "Deployment":
            return await _deployment.look(env, cluster, namespace, name)
        case "StatefulSet":
            return await _statefulset.look(env, cluster, namespace, name)
        case "DaemonSet":
            return await _daemonset.look(env, cluster, namespace, name)


class OfTemplate(Change[Templated]):
    """A change of the pod template of one workload, whose kind the action knows."""

    part: ClassVar[Part] = "template"

    namespace: Namespace
    """The workload's namespace."""
    name: Name
    """The workload's name."""
    cluster: ClusterName = ""
    """A cluster of halon.yaml; without it, the default one."""

    @property
    def of_kind(self) -> Kind:
        """The kind of workload that it changes."""
        raise NotImplementedError

    def target(self) -> str:
        """Name the workload."""
        return target(self.cluster, self.namespace, self.of_kind, self.name)

    async def observe(self, env: Env) -> Templated:
        """Look at the workload and its revisions."""
        return await look(env, self.cluster, self.of_kind, self.namespace, self.name)

    def operations(self, after: JsonObject, state: Templated) -> list[JsonObject]:
        """Operations of a JSON patch that write `after`. Pure."""
        raise NotImplementedError

    async def rehearse(self, env: Env, after: JsonObject, state: Templated) -> Sequence[str]:
        """Let the API server check the patch."""
        return await rehearse(env, self.cluster, state.resource, state.metadata, self.operations(after, state))

    def owned(self, state: Templated) -> JsonObject:
        """The pod template, by digest."""
        return state.pinned()

    def mark(self, state: Templated) -> str:
        """The key of the last change to it."""
        return mark(state.metadata, self.part)

    async def apply(self, env: Env, after: JsonObject, state: Templated, key: str) -> None:
        """Write the template, and delete the pods that would keep the controller from rolling it out.

        Those go first: a run that ends in between finds the template as it was, and begins anew.
        """
        api = cluster_of(env, self.cluster)
        for pod in state.stuck:
            await api.delete(PODS, pod)
        operations = [*self.operations(after, state), *stamped(state.metadata, self.part, key)]
        await api.patch(state.resource, state.metadata, operations)

    def settled(self, state: Templated, after: JsonObject) -> Settlement:
        """Whether its rollout is complete."""
        return state.settled_on(after)
