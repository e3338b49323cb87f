"""Start a pipeline of one's own, such as a roll-back, once, and wait for its end."""

from datetime import datetime
from typing import Annotated, ClassVar, TypeAlias

from pydantic import Field, StringConstraints, model_validator

from activities.gitlab._project import READ, WRITE, Project, Ref
from halon.clients.gitlab import ACTIVE, GitLab
from halon.contracts.base import JsonObject
from halon.contracts.plan import Row, Settlement
from halon.kit.action import Change, Nothing, NoUndo, Permission, Proposal, Refusal, State
from halon.kit.env import Env
from halon.kit.once import Reference, mark_of

MARK = "HALON_REFERENCE"
VariableName: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=100)]


class Started(State):
    """The branch, and the pipeline that carries the mark."""

    commit: str
    """What the pipeline has, or would have."""
    pipeline: int
    """0 when there is none."""
    status: str


class RunPipeline(Change[Started]):
    """Start a pipeline of a branch or tag, once for a `reference`, and wait for its end.

    The API knows no key. So the pipeline gets a variable `HALON_REFERENCE`, by which it is found among the newest 20
    that were started so, before another one is. Variables of the pipeline must be in `gitlab.variables` of halon.yaml,
    and the project must let the token's role set them. A commit that comes to the branch meanwhile is drift. What the
    pipeline does, Halon does not know: there is no undo.

    Only projects in `gitlab.allow` of halon.yaml are touched. Errors: what is not allowed, and a token without the
    right, are `permission_denied`; a branch that is not there is `not_found`, what the project does not take is
    `invalid_input`.
    """

    marks: ClassVar[bool] = False
    undoable: ClassVar[bool] = False
    permissions: ClassVar[tuple[Permission, ...]] = (READ, WRITE)
    example: ClassVar[JsonObject] = {
        "project": "acme/shop",
        "reference": "i-20260102-cart",
        "ref": "main",
        "variables": {"TASK": "rollback"},
    }

    project: Project
    """The project's path, with its groups."""
    reference: Reference
    """What it is started for, such as the incident's id: the same reference is the same pipeline."""
    ref: Ref = "main"
    """The branch or tag."""
    variables: Annotated[
        dict[VariableName, Annotated[str, StringConstraints(max_length=1000)]], Field(max_length=24)
    ] = {}
    """Its variables; no secrets."""

    @model_validator(mode="after")
    def _own(self) -> "RunPipeline":
        if MARK in self.variables:
            raise ValueError(f"`variables` cannot hold {MARK}: it carries the mark")
        return self

    def target(self) -> str:
        """Name the branch."""
        return f"gitlab/{self.project}/refs/{self.ref}"

    async def observe(self, env: Env) -> Started:
        """Look for the pipeline, and at the branch."""
        gitlab = env.get(GitLab)
        gitlab.check_variables(sorted(self.variables))
        there = await gitlab.started(self.project, self.ref, MARK, mark_of(self.reference))
        if there is not None:
            return Started(commit=there.sha, pipeline=there.id, status=there.status)
        return Started(commit=await gitlab.head(self.project, self.ref), pipeline=0, status="")

    def plan(self, state: Started, now: datetime) -> Proposal | Nothing | Refusal:
        """Start it, unless it was."""
        if state.pipeline:
            return Nothing(f"pipeline {state.pipeline} was started for this already; it is {state.status}")
        return Proposal(
            summary=f"Start a pipeline of {self.project} at {self.ref} ({state.commit[:12]})",
            before={"started": False, "commit": state.commit},
            after={"started": True, "commit": state.commit},
            rows=[
                Row(field="pipeline", before=None, after=f"{self.ref} at {state.commit[:12]}"),
                *(Row(field=name, before=None, after=value) for name, value in sorted(self.variables.items())),
            ],
        )

    def owned(self, state: Started) -> JsonObject:
        """Whether it was started, and with what."""
        return {"started": state.pipeline > 0, "commit": state.commit}

    def mark(self, state: Started) -> str:
        """The reference is the mark, not the key."""
        return ""

    async def apply(self, env: Env, after: JsonObject, state: Started, key: str) -> None:
        """Start it."""
        variables = {**self.variables, MARK: mark_of(self.reference)}
        await env.get(GitLab).run(self.project, self.ref, variables)

    def settled(self, state: Started, after: JsonObject) -> Settlement:
        """Whether it has ended well."""
        if state.pipeline == 0:
            return Settlement(state="broken", reason="the pipeline is not there any more")
        if state.status == "success":
            return Settlement(state="settled", observed={"pipeline": state.pipeline})
        if state.status in ACTIVE:
            return Settlement(state="waiting", reason=f"pipeline {state.pipeline} is {state.status}")
        if state.status == "manual":
            return Settlement(state="waiting", reason=f"pipeline {state.pipeline} waits for a person to start a job")
        return Settlement(state="broken", reason=f"pipeline {state.pipeline} ended as {state.status}")

    def undo(self, before: JsonObject, after: JsonObject) -> NoUndo:
        """What it did is not known."""
        return NoUndo("what the pipeline did is not known here; start another one that takes it back")
