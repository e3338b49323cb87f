"""Halt deployments: a deploy freeze, until it is taken away."""

from datetime import datetime
from typing import ClassVar

from activities.gitlab._freeze import END, PERMISSIONS, START, FreezeState, look, owned, proposed, settled
from activities.gitlab._project import Project
from activities.gitlab.unfreeze_deployments import UnfreezeDeployments
from halon.clients.gitlab import GitLab
from halon.contracts.base import JsonObject
from halon.contracts.plan import Settlement
from halon.kit.action import Change, Nothing, Permission, Proposal, Refusal
from halon.kit.env import Env


class FreezeDeployments(Change[FreezeState]):
    """Freeze the deployments of a project, until `gitlab.unfreeze_deployments` lets them go on, or its undo does.

    It adds a freeze period that never ends; give the step `expires` to have it taken away. GitLab tells pipelines of
    it by the variable `CI_DEPLOY_FREEZE`: only jobs whose `rules` ask for it are left out, and a pipeline that is under
    way goes on (`gitlab.cancel_pipeline` cancels it). Only projects in `gitlab.allow` of halon.yaml are touched.
    Errors: what is not allowed, and a token without the right, are `permission_denied`.
    """

    marks: ClassVar[bool] = False
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
        return proposed(state, self.project, frozen=True)

    def owned(self, state: FreezeState) -> JsonObject:
        """Whether Halon's is there, and how many others are."""
        return owned(state)

    def mark(self, state: FreezeState) -> str:
        """GitLab keeps none: the period itself shows whose it is."""
        return ""

    async def apply(self, env: Env, after: JsonObject, state: FreezeState, key: str) -> None:
        """Freeze them."""
        await env.get(GitLab).freeze(self.project, START, END)

    def settled(self, state: FreezeState, after: JsonObject) -> Settlement:
        """Whether it is so."""
        return settled(state, after)

    def undo(self, before: JsonObject, after: JsonObject) -> UnfreezeDeployments:
        """Let them go on."""
        return UnfreezeDeployments(project=self.project)
