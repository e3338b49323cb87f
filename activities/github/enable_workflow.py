"""Let a pipeline go on: enable a workflow."""

from datetime import datetime
from typing import ClassVar

from activities.github._repository import READ, WRITE, Repository, WorkflowName
from activities.github._workflow import WorkflowState, look, proposed, settled
from halon.clients.github import GitHub
from halon.contracts.base import JsonObject
from halon.contracts.plan import Settlement
from halon.kit.action import Change, Nothing, NoUndo, Permission, Proposal, Refusal
from halon.kit.env import Env


class EnableWorkflow(Change[WorkflowState]):
    """Enable a workflow that was disabled.

    What happened meanwhile does not start it afterwards.

    Only repositories in `github.allow` of halon.yaml are touched. GitHub keeps no mark with it. Errors: what is not
    allowed, and a token without the right, are `permission_denied`; a workflow that is not there is `not_found`.
    """

    marks: ClassVar[bool] = False
    undoable: ClassVar[bool] = False
    permissions: ClassVar[tuple[Permission, ...]] = (READ, WRITE)
    example: ClassVar[JsonObject] = {"repository": "acme/shop", "workflow": "deploy.yml"}

    repository: Repository
    """The repository, with its owner."""
    workflow: WorkflowName
    """The name of the workflow's file, or its id."""

    def target(self) -> str:
        """Name the workflow."""
        return f"github/{self.repository}/{self.workflow}"

    async def observe(self, env: Env) -> WorkflowState:
        """Look at the workflow."""
        return await look(env, self.repository, self.workflow)

    def plan(self, state: WorkflowState, now: datetime) -> Proposal | Nothing | Refusal:
        """Compare."""
        return proposed(state, self.repository, enabled=True)

    def owned(self, state: WorkflowState) -> JsonObject:
        """Whether it is active, or why not."""
        return {"state": state.state}

    def mark(self, state: WorkflowState) -> str:
        """GitHub keeps none."""
        return ""

    async def apply(self, env: Env, after: JsonObject, state: WorkflowState, key: str) -> None:
        """Enable it."""
        await env.get(GitHub).enable(self.repository, self.workflow, enabled=True)

    def settled(self, state: WorkflowState, after: JsonObject) -> Settlement:
        """Whether it is so."""
        return settled(state, after)

    def undo(self, before: JsonObject, after: JsonObject) -> NoUndo:
        """Disabling would not put back why it was disabled, and halting a pipeline is a decision of its own."""
        return NoUndo("what starts meanwhile is not taken back; halt it again with github.disable_workflow")
