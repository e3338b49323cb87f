"""Let an application of Argo CD sync by itself again."""

from datetime import datetime
from typing import ClassVar

from activities.argocd._application import (
    LOOK,
    UPDATE,
    ApplicationName,
    ApplicationNamespace,
    Policy,
    SyncPolicy,
    address,
    operations,
    owners,
    seen,
    told,
)
from halon.clients.argocd import ArgoCd
from halon.contracts.base import JsonObject
from halon.contracts.plan import Row, Settlement
from halon.kit.action import Change, Nothing, NoUndo, Permission, Proposal, Refusal
from halon.kit.env import Env


class ResumeSync(Change[SyncPolicy]):
    """Let an application sync by itself, which deploys at once what Git has.

    Only applications in `argocd.allow` of halon.yaml are touched. Errors: what is not allowed, and a token without the
    right, are `permission_denied`, which Argo CD also answers for an application that is not there.
    """

    undoable: ClassVar[bool] = False
    permissions: ClassVar[tuple[Permission, ...]] = (LOOK, UPDATE)
    example: ClassVar[JsonObject] = {"application": "cart", "self_heal": True}

    application: ApplicationName
    """The application."""
    namespace: ApplicationNamespace = ""
    """Its namespace, when that is not Argo CD's own."""
    prune: bool = False
    """Whether what Git no longer has is deleted."""
    self_heal: bool = False
    """Whether what somebody changes in the cluster is put back."""
    allow_empty: bool = False
    """Whether an application may become empty."""

    def target(self) -> str:
        """Name the application."""
        return address(self.application, self.namespace)

    async def observe(self, env: Env) -> SyncPolicy:
        """Look at the application."""
        return seen(await env.get(ArgoCd).application(self.application, self.namespace))

    def plan(self, state: SyncPolicy, now: datetime) -> Proposal | Nothing | Refusal:
        """Compare."""
        wanted = self._policy()
        if state.policy == wanted:
            return Nothing(f"{self.application} syncs by itself already: {told(wanted)}")
        return Proposal(
            summary=f"Let the application {self.application} sync by itself",
            before=state.owned(),
            after={"automated": wanted.model_dump()},
            rows=[Row(field="sync", before=told(state.policy), after=told(wanted))],
            notes=("it deploys what Git has now", *owners(state)),
        )

    def owned(self, state: SyncPolicy) -> JsonObject:
        """The policy."""
        return state.owned()

    def mark(self, state: SyncPolicy) -> str:
        """The key in the application's annotation."""
        return state.key

    async def apply(self, env: Env, after: JsonObject, state: SyncPolicy, key: str) -> None:
        """Write the policy, with the key."""
        made = operations(state, self._policy().written(), key)
        await env.get(ArgoCd).patch(self.application, self.namespace, made)

    def settled(self, state: SyncPolicy, after: JsonObject) -> Settlement:
        """Whether it is so."""
        if state.owned() == after:
            return Settlement(state="settled", observed=state.owned())
        return Settlement(state="broken", reason=f"the sync of {self.application} is {told(state.policy)} again")

    def undo(self, before: JsonObject, after: JsonObject) -> NoUndo:
        """What was synced meanwhile stays."""
        return NoUndo("what was synced meanwhile stays; pause it again with argocd.pause_sync")

    def _policy(self) -> Policy:
        return Policy(prune=self.prune, self_heal=self.self_heal, allow_empty=self.allow_empty)
