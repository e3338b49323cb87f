"""What the actions on a Deployment share: which one, and how it is looked at."""

from typing import ClassVar

from activities.kubernetes._object import cluster_of
from activities.kubernetes._templated import POD_SAMPLE, Templated
from halon.clients.kubernetes.api import DEPLOYMENTS
from halon.clients.kubernetes.connection import Resource
from halon.clients.kubernetes.objects import HASH_LABEL, Deployment, Metadata
from halon.clients.kubernetes.rollout import current, progress, revisions, trouble
from halon.contracts.base import JsonObject
from halon.contracts.plan import Settlement
from halon.kit.action import Permission
from halon.kit.env import Env

LOOK = (
    Permission("kubernetes", ("get",), "apps/deployments", "to see what is there", name="{name}"),
    Permission("kubernetes", ("list",), "apps/replicasets", "to know its revisions"),
    Permission("kubernetes", ("list",), "/pods", "to see whether its pods crash-loop"),
)
PATCH = Permission("kubernetes", ("patch",), "apps/deployments", "to write the change", name="{name}")


class Workload(Templated):
    """A Deployment with its revisions and what ails its pods."""

    kind: ClassVar[str] = "Deployment"
    resource: ClassVar[Resource] = DEPLOYMENTS

    deployment: Deployment

    @property
    def metadata(self) -> Metadata:
        """Of the Deployment."""
        return self.deployment.metadata

    @property
    def template(self) -> JsonObject:
        """Its pods' template, as it is."""
        return self.deployment.spec.template

    @property
    def size(self) -> int:
        """How many replicas it shall have."""
        return self.deployment.spec.replicas

    @property
    def updated(self) -> int:
        """How many of its pods run the current template."""
        return self.deployment.status.updated_replicas

    @property
    def available(self) -> int:
        """How many of its pods have been ready for long enough."""
        return self.deployment.status.available_replicas

    @property
    def selector(self) -> str:
        """Its pods, as a label selector."""
        return str(self.deployment.spec.selector)

    @property
    def objection(self) -> str:
        """A paused Deployment rolls nothing out."""
        return f"rollouts of {self.title} are paused: resume them first" if self.deployment.spec.paused else ""

    @property
    def caveats(self) -> tuple[str, ...]:
        """The strategy Recreate is an outage."""
        if self.deployment.spec.strategy.type != "Recreate":
            return ()
        return ("its strategy is Recreate: every old pod stops before the first new one starts",)

    def progress(self) -> Settlement:
        """How far the rollout of what it asks for now is."""
        return progress(self.deployment, self.current, self.troubles)


async def look(env: Env, cluster: str, namespace: str, name: str) -> Workload:
    """Look at a Deployment.

    Raises:
        NotFound, PermissionDenied, TransientError: as the API server says.
    """
    api = cluster_of(env, cluster)
    deployment = await api.deployment(namespace, name)
    known = revisions(await api.replica_sets(deployment))
    now = current(deployment.spec.template, known)
    pods = (
        await api.pods(namespace, f"{deployment.spec.selector},{HASH_LABEL}={now.hash}", most=POD_SAMPLE)
        if now is not None and now.hash
        else ()
    )
    return Workload(deployment=deployment, revisions=known, troubles=trouble(pods))
