"""Start a workflow of one's own, such as a roll-back, once, and wait for its end."""

from datetime import datetime
from typing import Annotated, ClassVar, TypeAlias

from pydantic import Field, StringConstraints

from activities.github._repository import READ, WRITE, Repository, WorkflowName
from halon.clients.github import GitHub
from halon.contracts.base import JsonObject
from halon.contracts.plan import Row, Settlement
from halon.kit.action import Change, Nothing, NoUndo, Permission, Proposal, Refusal, State
from halon.kit.env import Env
from halon.kit.once import Reference, mark_of

InputName: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_-]*$", max_length=100)]


class Started(State):
    """The workflow, and the run that carries the mark."""

    workflow: str
    run: int
    """0 when there is none."""
    status: str
    conclusion: str


class RunWorkflow(Change[Started]):
    """Start a workflow with a `workflow_dispatch` trigger, once for a `reference`, and wait for its end.

    The API knows no key. So the workflow must show the one that it is given: with `run-name: Roll back
    ${{ inputs.halon }}` and an input `halon`, Halon finds its run among the newest 50 before it starts one. GitHub
    shows a run a moment after it was started: give the workflow a `concurrency` group, for an answer that is lost in
    that moment. What the workflow does, Halon does not know: there is no undo.

    Only repositories in `github.allow` of halon.yaml are touched. Errors: what is not allowed, and a token without the
    right, are `permission_denied`; a workflow that is not there is `not_found`, wrong inputs are `invalid_input`.
    """

    marks: ClassVar[bool] = False
    undoable: ClassVar[bool] = False
    permissions: ClassVar[tuple[Permission, ...]] = (READ, WRITE)
    example: ClassVar[JsonObject] = {
        "repository": "acme/shop",
        "workflow": "rollback.yml",
        "reference": "i-20260102-cart",
        "inputs": {"environment": "production"},
    }

    repository: Repository
    """The repository, with its owner."""
    workflow: WorkflowName
    """The name of the workflow's file, or its id."""
    reference: Reference
    """What it is started for, such as the incident's id: the same reference is the same run."""
    ref: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_./-]*$", max_length=255)] = "main"
    """The branch or tag whose workflow it is."""
    inputs: Annotated[dict[InputName, Annotated[str, StringConstraints(max_length=1000)]], Field(max_length=24)] = {}
    """Its inputs, without the one for the mark; no secrets."""
    mark_input: InputName = "halon"
    """The input that takes the mark, which the workflow's `run-name` shows."""

    def target(self) -> str:
        """Name the workflow."""
        return f"github/{self.repository}/{self.workflow}"

    async def observe(self, env: Env) -> Started:
        """Look for the run."""
        github = env.get(GitHub)
        workflow = await github.workflow(self.repository, self.workflow)
        runs = await github.runs(self.repository, self.workflow, (("event", "workflow_dispatch"),))
        ours = next((one for one in runs if self._mark() in one.display_title), None)
        return Started(
            workflow=workflow.state,
            run=ours.id if ours else 0,
            status=ours.status if ours else "",
            conclusion=(ours.conclusion or "") if ours else "",
        )

    def plan(self, state: Started, now: datetime) -> Proposal | Nothing | Refusal:
        """Start it, unless it was."""
        if state.run:
            return Nothing(f"run {state.run} was started for this already; it is {state.conclusion or state.status}")
        if state.workflow != "active":
            return Refusal(f"the workflow {self.workflow} is {state.workflow}")
        return Proposal(
            summary=f"Start {self.workflow} of {self.repository} at {self.ref}",
            before={"started": False, "workflow": state.workflow},
            after={"started": True, "workflow": state.workflow},
            rows=[Row(field=name, before=None, after=value) for name, value in sorted(self._inputs().items())],
        )

    def owned(self, state: Started) -> JsonObject:
        """Whether it was started, and whether it can be."""
        return {"started": state.run > 0, "workflow": state.workflow}

    def mark(self, state: Started) -> str:
        """The reference is the mark, not the key."""
        return ""

    async def apply(self, env: Env, after: JsonObject, state: Started, key: str) -> None:
        """Start it."""
        await env.get(GitHub).dispatch(self.repository, self.workflow, self.ref, self._inputs())

    def settled(self, state: Started, after: JsonObject) -> Settlement:
        """Whether it has ended well."""
        if state.run == 0:
            return Settlement(
                state="waiting", reason=f"no run shows {self._mark()} yet; does `run-name` show `{self.mark_input}`?"
            )
        if not state.conclusion:
            return Settlement(state="waiting", reason=f"run {state.run} is {state.status}")
        if state.conclusion == "success":
            return Settlement(state="settled", observed={"run": state.run})
        return Settlement(state="broken", reason=f"run {state.run} ended as {state.conclusion}")

    def undo(self, before: JsonObject, after: JsonObject) -> NoUndo:
        """What it did is not known."""
        return NoUndo("what the workflow did is not known here; start another one that takes it back")

    def _mark(self) -> str:
        return mark_of(self.reference)

    def _inputs(self) -> dict[str, str]:
        return {**self.inputs, self.mark_input: self._mark()}
