"""Cancel a run of a workflow that is under way."""

from datetime import datetime
from typing import ClassVar

from activities.github._repository import READ, WRITE, Repository, RunId
from halon.clients.github import GitHub
from halon.contracts.base import JsonObject
from halon.contracts.plan import Row, Settlement
from halon.kit.action import Change, Nothing, NoUndo, Permission, Proposal, Refusal, State
from halon.kit.env import Env


class RunState(State):
    """A run."""

    title: str
    status: str
    conclusion: str
    attempt: int
    over: bool


class CancelRun(Change[RunState]):
    """Cancel a run of a workflow that is under way, such as a deployment of what is broken.

    What its jobs have done stays. A run that somebody starts again meanwhile is drift. Only repositories in
    `github.allow` of halon.yaml are touched. Errors: what is not allowed, and a token without the right, are
    `permission_denied`; a run that is not there is `not_found`.
    """

    marks: ClassVar[bool] = False
    undoable: ClassVar[bool] = False
    permissions: ClassVar[tuple[Permission, ...]] = (READ, WRITE)
    example: ClassVar[JsonObject] = {"repository": "acme/shop", "run_id": 30433642}

    repository: Repository
    """The repository, with its owner."""
    run_id: RunId
    """The run's id, as `github.get_runs` gives it."""

    def target(self) -> str:
        """Name the run."""
        return f"github/{self.repository}/runs/{self.run_id}"

    async def observe(self, env: Env) -> RunState:
        """Look at the run."""
        there = await env.get(GitHub).run(self.repository, self.run_id)
        return RunState(
            title=there.display_title[:200],
            status=there.status,
            conclusion=there.conclusion or "",
            attempt=there.run_attempt,
            over=there.over,
        )

    def plan(self, state: RunState, now: datetime) -> Proposal | Nothing | Refusal:
        """Cancel it, unless it is over."""
        if state.over:
            return Nothing(f"run {self.run_id} is over already: {state.conclusion}")
        return Proposal(
            summary=f"Cancel run {self.run_id} of {self.repository} ({state.title})",
            before={"over": False, "attempt": state.attempt},
            after={"over": True, "attempt": state.attempt},
            rows=[Row(field="status", before=state.status, after="cancelled")],
            notes=("what its jobs have done stays as it is",),
        )

    def owned(self, state: RunState) -> JsonObject:
        """Whether this attempt is over."""
        return {"over": state.over, "attempt": state.attempt}

    def mark(self, state: RunState) -> str:
        """GitHub keeps none."""
        return ""

    async def apply(self, env: Env, after: JsonObject, state: RunState, key: str) -> None:
        """Cancel it. To cancel it twice is to cancel it once."""
        await env.get(GitHub).cancel(self.repository, self.run_id)

    def settled(self, state: RunState, after: JsonObject) -> Settlement:
        """Whether it is over."""
        if state.attempt != after["attempt"]:
            return Settlement(state="broken", reason=f"run {self.run_id} was started again")
        if not state.over:
            return Settlement(state="waiting", reason=f"run {self.run_id} is {state.status}")
        return Settlement(state="settled", observed={"conclusion": state.conclusion})

    def undo(self, before: JsonObject, after: JsonObject) -> NoUndo:
        """What is cancelled does not go on."""
        return NoUndo("a run that was cancelled does not go on where it was; start it again where that is wanted")
