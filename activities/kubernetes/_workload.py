"""Workloads of every kind that has a pod template: how each is looked at, and how its template is written."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import ClassVar, Literal, TypeAlias

from pydantic import ValidationError

from activities.kubernetes import _daemonset, _deployment, _statefulset
from activities.kubernetes._object import (
    ClusterName,
    Name,
    Namespace,
    Part,
    annotate,
    cluster_of,
    escaped,
    mark,
    rehearse,
    stamped,
    target,
)
from activities.kubernetes._templated import Templated
from halon.clients.kubernetes.api import PODS
from halon.clients.kubernetes.objects import Metadata
from halon.contracts.base import Contract, JsonObject
from halon.contracts.plan import Settlement
from halon.errors import Conflict
from halon.kit.action import Change, Permission
from halon.kit.env import Env

Kind: TypeAlias = Literal["Deployment", "StatefulSet", "DaemonSet"]
"""A kind of workload that has a pod template."""

_BY_KIND: dict[Kind, tuple[Permission, ...]] = {
    "Deployment": _deployment.LOOK,
    "StatefulSet": _statefulset.LOOK,
    "DaemonSet": _daemonset.LOOK,
}
_PATCH_BY_KIND: dict[Kind, tuple[Permission, ...]] = {
    "Deployment": (_deployment.PATCH,),
    "StatefulSet": (_statefulset.PATCH, _statefulset.UNSTICK),
    "DaemonSet": (_daemonset.PATCH,),
}
LOOK = tuple(replace(one, when=(("kind", kind),)) for kind, needed in _BY_KIND.items() for one in needed)
"""What looking needs, by the parameter `kind`."""
PATCH = tuple(replace(one, when=(("kind", kind),)) for kind, needed in _PATCH_BY_KIND.items() for one in needed)
"""What writing a template needs, by the parameter `kind`."""


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


UNFINISHED = "halon.dev/unfinished-change"
"""Annotation of a workload: what it asked for before a change of which a part is still to do."""


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

    def asked(self, state: Templated) -> JsonObject:
        """What the workload asks for: the pod template, by digest. Pure."""
        return state.pinned()

    def owned(self, state: Templated) -> JsonObject:
        """What it asks for, or what it asked for before a change that is not finished."""
        asked, unfinished = self.asked(state), _unfinished(state.metadata)
        return unfinished.before if unfinished is not None and unfinished.after == asked else asked

    def mark(self, state: Templated) -> str:
        """The key of the last change to it."""
        return mark(state.metadata, self.part)

    async def apply(self, env: Env, after: JsonObject, state: Templated, key: str) -> None:
        """Write the template, and delete the pods for which the controller would wait before it rolls it out.

        They go after the template is written, for otherwise they would come again as they were. Until they are gone the
        change is marked as unfinished instead of with its key, so that a run that ends in between does both again.
        """
        api = cluster_of(env, self.cluster)
        if state.stuck:
            begun = Unfinished(before=self.owned(state), after=after).model_dump_json()
            noted = annotate("/metadata", bool(state.metadata.annotations), {UNFINISHED: begun})
            await api.patch(state.resource, state.metadata, [*self._left(after, state), *noted])
            for pod in state.stuck:
                with suppress(Conflict):  # it is gone already
                    await api.delete(PODS, pod)
            state = await self.observe(env)
            if self.asked(state) != after:
                raise Conflict(f"{state.title} was changed by somebody else meanwhile")
        operations = [*self._left(after, state), *stamped(state.metadata, self.part, key)]
        if UNFINISHED in state.metadata.annotations:
            operations.append({"op": "remove", "path": f"/metadata/annotations/{escaped(UNFINISHED)}"})
        await api.patch(state.resource, state.metadata, operations)

    def _left(self, after: JsonObject, state: Templated) -> list[JsonObject]:
        """Operations that are still to do: none when it asks for `after` already."""
        return [] if self.asked(state) == after else self.operations(after, state)

    def settled(self, state: Templated, after: JsonObject) -> Settlement:
        """Whether its rollout is complete."""
        return state.settled_on(after)


class Unfinished(Contract):
    """A change whose template is written, and whose pods are not yet deleted."""

    before: JsonObject
    after: JsonObject


def _unfinished(meta: Metadata) -> Unfinished | None:
    """Read the annotation; what somebody else made of it counts as none."""
    try:
        return Unfinished.model_validate_json(meta.annotations.get(UNFINISHED, ""))
    except ValidationError:
        return None
