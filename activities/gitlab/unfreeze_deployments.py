"""Let deployments go on: take the deploy freeze of Halon away."""

from datetime import datetime
from typing import ClassVar

from activities.gitlab._freeze import PERMISSIONS, FreezeState, look, owned, proposed, settled
from activities.gitlab._project import Project
from halon.clients.gitlab import GitLab
from halon.contracts.base import JsonObject
from halon.contracts.plan import Settlement
from halon.kit.action import Change, Nothing, NoUndo, Permission, Proposal, Refusal
from halon.kit.env import Env


class UnfreezeDeployments(Change[FreezeState]):
    """Take away the deploy freeze that `gitlab.freeze_deployments` has made; those of others stay.

    What was left out meanwhile does not run afterwards. Only projects in `gitlab.allow` of halon.yaml are touched.
    Errors: what is not allowed, and a token without the right, are `permission_denied`.
    """

    marks: ClassVar[bool] = False
    undoable: ClassVar[bool] = False
    permissions: ClassVar[tuple[Permission, ...]] = PERMISSIONS
    example: ClassVar[JsonObject] = {"project": "acme/shop"}

    project: Project
    """The project's path, with its groups."""

    def target(self) -> str:
        """Name the project."""
        return f"gitlab/{self.project}"

    async def observe(self, env: Env) -> FreezeState:
        """Look at the freeze periods."""
        return await look(env, self.project)

    def plan(self, state: FreezeState, now: datetime) -> Proposal | Nothing | Refusal:
        """Compare."""
        return proposed(state, self.project, frozen=False)

    def owned(self, state: FreezeState) -> JsonObject:
        """Whether Halon's is there, and how many others are."""
        return owned(state)

    def mark(self, state: FreezeState) -> str:
        """GitLab keeps none: the period itself shows whose it is."""
        return ""

    async def apply(self, env: Env, after: JsonObject, state: FreezeState, key: str) -> None:
        """Take it away."""
        for freeze in state.ours:
            await env.get(GitLab).thaw(self.project, freeze)

    def settled(self, state: FreezeState, after: JsonObject) -> Settlement:
        """Whether it is so."""
        return settled(state, after)

    def undo(self, before: JsonObject, after: JsonObject) -> NoUndo:
        """Why there is none."""
        return NoUndo("somebody decided that deployments go on; freeze them again where that is wanted")
