"""Let Flux go on with what was suspended."""

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
from halon.contracts.base import JsonObject
from halon.contracts.plan import Settlement
from halon.kit.action import Change, Nothing, NoUndo, Permission, Proposal, Refusal
from halon.kit.env import Env


class Resume(Change[FluxState]):
    """Let Flux go on with a Kustomization, a HelmRelease or a GitRepository, as `flux resume` does.

    It applies at once what its source has. Errors: an object that is not there is `not_found`, missing rights are
    `permission_denied`.
    """

    undoable: ClassVar[bool] = False
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
        return proposed(state, self.kind, suspended=False)

    async def rehearse(self, env: Env, after: JsonObject, state: FluxState) -> Sequence[str]:
        """Let the API server check the patch."""
        return await rehearse(env, self.cluster, self.kind, state, operations(state, "", suspended=False))

    def owned(self, state: FluxState) -> JsonObject:
        """Whether it is suspended, and what else it says."""
        return state.owned()

    def mark(self, state: FluxState) -> str:
        """The key in the object's annotation."""
        return state.there.metadata.annotations.get(MARK, "")

    async def apply(self, env: Env, after: JsonObject, state: FluxState, key: str) -> None:
        """Resume it, with the key."""
        await write(env, self.cluster, self.kind, state, operations(state, key, suspended=False))

    def settled(self, state: FluxState, after: JsonObject) -> Settlement:
        """Whether it is so."""
        return settled(state, after)

    def undo(self, before: JsonObject, after: JsonObject) -> NoUndo:
        """What was applied meanwhile stays."""
        return NoUndo("what was applied meanwhile stays; suspend it again with flux.suspend")
