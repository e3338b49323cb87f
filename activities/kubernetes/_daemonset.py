"""What the actions on a DaemonSet share: which one, and how it is looked at."""

from typing import ClassVar

from activities.kubernetes._object import cluster_of
from activities.kubernetes._templated import POD_SAMPLE, Templated
from halon.clients.kubernetes.connection import Resource
from halon.clients.kubernetes.objects import Metadata
from halon.clients.kubernetes.rollout import current, trouble
from halon.clients.kubernetes.sets import daemon_progress, revisions
from halon.clients.kubernetes.workloads import (
    CONTROLLER_REVISIONS,
    DAEMON_SETS,
    REVISION_HASH,
    ControllerRevision,
    DaemonSet,
)
from halon.contracts.base import JsonObject
from halon.contracts.plan import Settlement
from halon.kit.action import Permission
from halon.kit.env import Env

LOOK = (
    Permission("kubernetes", ("get",), "apps/daemonsets", "to see what is there", name="{name}"),
    Permission("kubernetes", ("list",), "apps/controllerrevisions", "to know its revisions"),
    Permission("kubernetes", ("list",), "/pods", "to see whether its pods crash-loop"),
)
PATCH = Permission("kubernetes", ("patch",), "apps/daemonsets", "to write the change", name="{name}")


class DaemonWorkload(Templated):
    """A DaemonSet with its revisions and what ails its pods."""

    kind: ClassVar[str] = "DaemonSet"
    resource: ClassVar[Resource] = DAEMON_SETS

    daemon_set: DaemonSet

    @property
    def metadata(self) -> Metadata:
        """Of the DaemonSet."""
        return self.daemon_set.metadata

    @property
    def template(self) -> JsonObject:
        """Its pods' template, as it is."""
        return self.daemon_set.spec.template

    @property
    def size(self) -> int:
        """How many nodes shall have a pod of it."""
        return self.daemon_set.status.desired_number_scheduled

    @property
    def size_unit(self) -> str:
        """It has a pod on each node."""
        return "nodes"

    @property
    def updated(self) -> int:
        """How many of its pods run the current template."""
        return self.daemon_set.status.updated_number_scheduled

    @property
    def available(self) -> int:
        """How many of its pods have been ready for long enough."""
        return self.daemon_set.status.number_available

    @property
    def selector(self) -> str:
        """Its pods, as a label selector."""
        return str(self.daemon_set.spec.selector)

    @property
    def objection(self) -> str:
        """With OnDelete a new template waits for somebody to delete pods."""
        strategy = self.daemon_set.spec.update_strategy.type
        if strategy == "RollingUpdate":
            return ""
        return f"{self.title} has the update strategy {strategy}: its pods keep what they have until they are deleted"

    def progress(self) -> Settlement:
        """How far the rollout of what it asks for now is."""
        return daemon_progress(self.daemon_set, self.troubles)


async def look(env: Env, cluster: str, namespace: str, name: str) -> DaemonWorkload:
    """Look at a DaemonSet.

    Raises:
        NotFound, PermissionDenied, TransientError: as the API server says.
    """
    api = cluster_of(env, cluster)
    found = await api.get(DaemonSet, DAEMON_SETS, namespace, name)
    selector, uid = str(found.spec.selector), found.metadata.uid
    kept = await api.list(ControllerRevision, CONTROLLER_REVISIONS, namespace, labels=selector)
    ours = [one for one in kept if one.metadata.controller is not None and one.metadata.controller.uid == uid]
    marks = {one.metadata.name: one.metadata.labels.get(REVISION_HASH, "") for one in ours}
    now = current(found.spec.template, revisions(ours, (), marks))
    pods = (
        await api.pods(namespace, f"{selector},{REVISION_HASH}={now.hash}", most=POD_SAMPLE)
        if now is not None and now.hash
        else ()
    )
    return DaemonWorkload(daemon_set=found, revisions=revisions(ours, pods, marks), troubles=trouble(pods))
