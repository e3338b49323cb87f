"""Keep Argo CD from syncing an application by itself."""

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
from activities.argocd.resume_sync import ResumeSync
from halon.clients.argocd import ArgoCd
from halon.contracts.base import JsonObject
from halon.contracts.plan import Row, Settlement
from halon.kit.action import Change, Nothing, Permission, Proposal, Refusal
from halon.kit.env import Env


class PauseSync(Change[SyncPolicy]):
    """Keep Argo CD from syncing an application by itself, so that it neither deploys nor puts a remedy back.

    The policy is taken away and put back by undo, as it was. An ApplicationSet may put it back: the plan says so.
    Only applications in `argocd.allow` of halon.yaml are touched. Errors: what is not allowed, and a token without the
    right, are `permission_denied`, which Argo CD also answers for an application that is not there.
    """

    permissions: ClassVar[tuple[Permission, ...]] = (LOOK, UPDATE)
    example: ClassVar[JsonObject] = {"application": "cart"}

    application: ApplicationName
    """The application."""
    namespace: ApplicationNamespace = ""
    """Its namespace, when that is not Argo CD's own."""

    def target(self) -> str:
        """Name the application."""
        return address(self.application, self.namespace)

    async def observe(self, env: Env) -> SyncPolicy:
        """Look at the application."""
        return seen(await env.get(ArgoCd).application(self.application, self.namespace))

    def plan(self, state: SyncPolicy, now: datetime) -> Proposal | Nothing | Refusal:
        """Compare."""
        if state.policy is None:
            return Nothing(f"{self.application} does not sync by itself")
        return Proposal(
            summary=f"Pause the automated sync of the application {self.application}",
            before=state.owned(),
            after={"automated": None},
            rows=[Row(field="sync", before=told(state.policy), after="paused")],
            notes=owners(state),
        )

    def owned(self, state: SyncPolicy) -> JsonObject:
        """The policy."""
        return state.owned()

    def mark(self, state: SyncPolicy) -> str:
        """The key in the application's annotation."""
        return state.key

    async def apply(self, env: Env, after: JsonObject, state: SyncPolicy, key: str) -> None:
        """Take the policy away, with the key."""
        await env.get(ArgoCd).patch(self.application, self.namespace, operations(state, None, key))

    def settled(self, state: SyncPolicy, after: JsonObject) -> Settlement:
        """Whether it is paused."""
        if state.policy is None:
            return Settlement(state="settled", observed=state.owned())
        return Settlement(state="broken", reason=f"the sync of {self.application} is {told(state.policy)} again")

    def undo(self, before: JsonObject, after: JsonObject) -> ResumeSync:
        """Put the policy back."""
        policy = Policy.model_validate(before["automated"])
        return ResumeSync(application=self.application, namespace=self.namespace, **policy.model_dump())
