"""What the actions on a StatefulSet share: which one, and how it is looked at."""

import asyncio
from typing import ClassVar

from activities.kubernetes._object import cluster_of
from activities.kubernetes._templated import Templated
from halon.clients.kubernetes.api import PODS
from halon.clients.kubernetes.connection import Resource
from halon.clients.kubernetes.objects import Metadata, Pod
from halon.clients.kubernetes.rollout import current, trouble
from halon.clients.kubernetes.sets import holding_up, revisions, stateful_progress
from halon.clients.kubernetes.workloads import (
    CONTROLLER_REVISIONS,
    REVISION_HASH,
    STATEFUL_SETS,
    ControllerRevision,
    StatefulSet,
)
from halon.contracts.base import JsonObject
from halon.contracts.plan import Settlement
from halon.kit.action import Permission
from halon.kit.env import Env

_MAX_PODS = 250
"""Pods of a StatefulSet that are looked at."""

LOOK = (
    Permission("kubernetes", ("get",), "apps/statefulsets", "to see what is there", name="{name}"),
    Permission("kubernetes", ("list",), "apps/controllerrevisions", "to know its revisions"),
    Permission("kubernetes", ("list",), "/pods", "to see whether its pods crash-loop"),
)
PATCH = Permission("kubernetes", ("patch",), "apps/statefulsets", "to write the change", name="{name}")
UNSTICK = Permission(
    "kubernetes", ("delete",), "/pods", "to delete pods of a StatefulSet that never got ready and hold up its update"
)


class StatefulWorkload(Templated):
    """A StatefulSet with its revisions and what ails its pods."""

    kind: ClassVar[str] = "StatefulSet"
    resource: ClassVar[Resource] = STATEFUL_SETS

    stateful_set: StatefulSet
    held_up_by: tuple[Pod, ...]
    """Pods that never get ready and for which the controller waits."""

    @property
    def metadata(self) -> Metadata:
        """Of the StatefulSet."""
        return self.stateful_set.metadata

    @property
    def template(self) -> JsonObject:
        """Its pods' template, as it is."""
        return self.stateful_set.spec.template

    @property
    def size(self) -> int:
        """How many replicas it shall have."""
        return self.stateful_set.spec.replicas

    @property
    def updated(self) -> int:
        """How many of its pods run the current template."""
        return self.stateful_set.status.updated_replicas

    @property
    def available(self) -> int:
        """How many of its pods have been ready for long enough."""
        return self.stateful_set.status.available_replicas

    @property
    def selector(self) -> str:
        """Its pods, as a label selector."""
        return str(self.stateful_set.spec.selector)

    @property
    def objection(self) -> str:
        """With OnDelete, or a partition above every pod, a new template waits for somebody to delete pods."""
        spec, partition = self.stateful_set.spec, self.stateful_set.partition
        if spec.update_strategy.type != "RollingUpdate":
            strategy = spec.update_strategy.type
            return (
                f"{self.title} has the update strategy {strategy}: its pods keep what they have until they are deleted"
            )
        if spec.replicas and partition >= spec.replicas:
            return f"updates of {self.title} begin at pod {partition}, and it has {spec.replicas}: none would change"
        return ""

    @property
    def caveats(self) -> tuple[str, ...]:
        """A partition leaves pods out."""
        first = self.stateful_set.partition
        if not first:
            return ()
        return (f"its update is partitioned: pods {first} to {self.size - 1} get the template, the others keep theirs",)

    @property
    def stuck(self) -> tuple[Metadata, ...]:
        """Pods for which the controller waits in vain."""
        return tuple(one.metadata for one in self.held_up_by)

    def progress(self) -> Settlement:
        """How far the rollout of what it asks for now is."""
        return stateful_progress(self.stateful_set, self.troubles, self.held_up_by)


async def look(env: Env, cluster: str, namespace: str, name: str) -> StatefulWorkload:
    """Look at a StatefulSet.

    Raises:
        NotFound, PermissionDenied, TransientError: as the API server says.
    """
    api = cluster_of(env, cluster)
    found = await api.get(StatefulSet, STATEFUL_SETS, namespace, name)
    selector, uid = str(found.spec.selector), found.metadata.uid
    kept, pods = await asyncio.gather(
        api.list(ControllerRevision, CONTROLLER_REVISIONS, namespace, labels=selector),
        api.list(Pod, PODS, namespace, labels=selector, most=_MAX_PODS),
    )
    ours = [one for one in kept if one.metadata.controller is not None and one.metadata.controller.uid == uid]
    own = [one for one in pods if one.metadata.controller is not None and one.metadata.controller.uid == uid]
    known = revisions(ours, own, {one.metadata.name: one.metadata.name for one in ours})
    now = current(found.spec.template, known)
    newest = [one for one in own if now is not None and one.metadata.labels.get(REVISION_HASH) == now.hash]
    return StatefulWorkload(
        stateful_set=found, revisions=known, troubles=trouble(newest), held_up_by=holding_up(found, own)
    )
