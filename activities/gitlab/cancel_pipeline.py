"""Cancel a pipeline that is under way."""

from datetime import datetime
from typing import ClassVar

from activities.gitlab._project import READ, WRITE, PipelineId, Project
from halon.clients.gitlab import GitLab
from halon.contracts.base import JsonObject
from halon.contracts.plan import Row, Settlement
from halon.kit.action import Change, Nothing, NoUndo, Permission, Proposal, Refusal, State
from halon.kit.env import Env


class PipelineState(State):
    """A pipeline."""

    ref: str
    status: str
    newest_job: int
    """Another one, once somebody retries it."""
    over: bool


class CancelPipeline(Change[PipelineState]):
    """Cancel a pipeline that is under way, such as a deployment of what is broken.

    What its jobs have done stays. A pipeline that somebody retries meanwhile is drift. Only projects in `gitlab.allow`
    of halon.yaml are touched. Errors: what is not allowed, and a token without the right, are `permission_denied`; a
    pipeline that is not there is `not_found`.
    """

    marks: ClassVar[bool] = False
    undoable: ClassVar[bool] = False
    permissions: ClassVar[tuple[Permission, ...]] = (READ, WRITE)
    example: ClassVar[JsonObject] = {"project": "acme/shop", "pipeline_id": 30433642}

    project: Project
    """The project's path, with its groups."""
    pipeline_id: PipelineId
    """The pipeline's id, as `gitlab.get_pipelines` gives it."""

    def target(self) -> str:
        """Name the pipeline."""
        return f"gitlab/{self.project}/pipelines/{self.pipeline_id}"

    async def observe(self, env: Env) -> PipelineState:
        """Look at the pipeline."""
        gitlab = env.get(GitLab)
        there = await gitlab.pipeline(self.project, self.pipeline_id)
        newest = await gitlab.newest_job(self.project, self.pipeline_id)
        return PipelineState(ref=there.ref, status=there.status, newest_job=newest, over=there.over)

    def plan(self, state: PipelineState, now: datetime) -> Proposal | Nothing | Refusal:
        """Cancel it, unless it is over."""
        if state.over:
            return Nothing(f"nothing of pipeline {self.pipeline_id} is under way: it is {state.status}")
        return Proposal(
            summary=f"Cancel pipeline {self.pipeline_id} of {self.project} ({state.ref})",
            before={"over": False, "newest_job": state.newest_job},
            after={"over": True, "newest_job": state.newest_job},
            rows=[Row(field="status", before=state.status, after="canceled")],
            notes=("what its jobs have done stays as it is",),
        )

    def owned(self, state: PipelineState) -> JsonObject:
        """Whether it is over, and its newest job."""
        return {"over": state.over, "newest_job": state.newest_job}

    def mark(self, state: PipelineState) -> str:
        """GitLab keeps none."""
        return ""

    async def apply(self, env: Env, after: JsonObject, state: PipelineState, key: str) -> None:
        """Cancel it. To cancel it twice is to cancel it once."""
        await env.get(GitLab).cancel(self.project, self.pipeline_id)

    def settled(self, state: PipelineState, after: JsonObject) -> Settlement:
        """Whether it is over."""
        if state.newest_job != after["newest_job"]:
            return Settlement(state="broken", reason=f"pipeline {self.pipeline_id} was retried")
        if not state.over:
            return Settlement(state="waiting", reason=f"pipeline {self.pipeline_id} is {state.status}")
        return Settlement(state="settled", observed={"status": state.status})

    def undo(self, before: JsonObject, after: JsonObject) -> NoUndo:
        """What is cancelled does not go on."""
        return NoUndo("a pipeline that was cancelled does not go on where it was; retry it where that is wanted")
