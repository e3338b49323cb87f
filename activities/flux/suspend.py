"""Keep Flux from applying something."""

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar

from activities.flux._object import (
    MARK,
    PERMISSIONS,
    ClusterName,
    FluxState,
    Kind,
    Name,
    Namespace,
    address,
    look,
    operations,
    proposed,
    rehearse,
    settled,
    write,
)
from activities.flux.resume import Resume
from halon.contracts.base import JsonObject
from halon.contracts.plan import Settlement
from halon.kit.action import Change, Nothing, Permission, Proposal, Refusal
from halon.kit.env import Env


class Suspend(Change[FluxState]):
    """Keep Flux from applying a Kustomization, a HelmRelease or a GitRepository, as `flux suspend` does.

    So it neither deploys nor puts a remedy back; undo lets it go on. What another Kustomization applies may be resumed
    by that: the plan says so. Errors: an object that is not there is `not_found`, missing rights are
    `permission_denied`.
    """

    permissions: ClassVar[tuple[Permission, ...]] = PERMISSIONS
    example: ClassVar[JsonObject] = {"kind": "Kustomization", "namespace": "flux-system", "name": "shop"}

    kind: Kind
    """What it is."""
    namespace: Namespace
    """Its namespace."""
    name: Name
    """Its name."""
    cluster: ClusterName = ""
    """A cluster of halon.yaml; without it, the default one."""

    def target(self) -> str:
        """Name the object."""
        return address(self.cluster, self.kind, self.namespace, self.name)

    async def observe(self, env: Env) -> FluxState:
        """Look at the object."""
        return await look(env, self.cluster, self.kind, self.namespace, self.name)

    def plan(self, state: FluxState, now: datetime) -> Proposal | Nothing | Refusal:
        """Compare."""
        return proposed(state, self.kind, suspended=True)

    async def rehearse(self, env: Env, after: JsonObject, state: FluxState) -> Sequence[str]:
        """Let the API server check the patch."""
        return await rehearse(env, self.cluster, self.kind, state, operations(state, "", suspended=True))

    def owned(self, state: FluxState) -> JsonObject:
        """Whether it is suspended, and what else it says."""
        return state.owned()

    def mark(self, state: FluxState) -> str:
        """The key in the object's annotation."""
        return state.there.metadata.annotations.get(MARK, "")

    async def apply(self, env: Env, after: JsonObject, state: FluxState, key: str) -> None:
        """Suspend it, with the key."""
        await write(env, self.cluster, self.kind, state, operations(state, key, suspended=True))

    def settled(self, state: FluxState, after: JsonObject) -> Settlement:
        """Whether it is so."""
        return settled(state, after)

    def undo(self, before: JsonObject, after: JsonObject) -> Resume:
        """Let it go on."""
        return Resume(kind=self.kind, namespace=self.namespace, name=self.name, cluster=self.cluster)
