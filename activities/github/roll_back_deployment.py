"""Deploy what was deployed before, by running its workflow run again."""

from datetime import datetime, timedelta
from typing import Annotated, ClassVar

from pydantic import StringConstraints

from activities.github._repository import READ, WRITE, Repository, WorkflowName
from halon.clients.github import GitHub
from halon.contracts.base import JsonObject
from halon.contracts.plan import Row, Settlement
from halon.kit.action import Change, Nothing, Permission, Proposal, Refusal, State
from halon.kit.env import Env

_RERUN_WITHIN = timedelta(days=30)
"""GitHub lets a run be started again for so long after it was first run."""
_FAILED = frozenset({"failure", "error"})


class Deployed(State):
    """What is deployed, and what it could go back to."""

    current: str
    """The commit of the newest deployment, or of a run for `wanted` that is under way."""
    state: str
    """Of the newest deployment."""
    wanted: str
    """The commit to go to; empty when there is none."""
    run: int
    """The run that deployed it; 0 when there is none."""
    run_over: bool
    run_conclusion: str
    run_at: datetime | None


class RollBackDeployment(Change[Deployed]):
    """Deploy what was deployed to an environment before, by running its run of the deploying workflow again.

    That is the same commit with the same workflow as it was then, through the environment's own protection rules, and
    it makes a new deployment. GitHub lets runs of the last 30 days be run again. The environment must be one that the
    workflow's jobs name. Undo goes the same way to the commit that is deployed now.

    Only repositories in `github.allow` of halon.yaml are touched. Errors: what is not allowed, and a token without the
    right, are `permission_denied`; an environment without deployments, or a workflow that is not there, `not_found`.
    """

    marks: ClassVar[bool] = False
    permissions: ClassVar[tuple[Permission, ...]] = (
        READ,
        WRITE,
        Permission("http", ("GET",), "/repos/{repository}/deployments", "repository permission `Deployments` (read)"),
    )
    example: ClassVar[JsonObject] = {
        "repository": "acme/shop",
        "environment": "production",
        "workflow": "deploy.yml",
    }

    repository: Repository
    """The repository, with its owner."""
    environment: Annotated[str, StringConstraints(min_length=1, max_length=255)]
    """The environment."""
    workflow: WorkflowName
    """The file of the workflow that deploys, or its id."""
    to_commit: Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{40}|[0-9a-f]{64})?$", max_length=64)] = ""
    """The full hash of the commit to go to; without it, the last other one that was deployed well."""

    def target(self) -> str:
        """Name the environment."""
        return f"github/{self.repository}/environments/{self.environment}"

    async def observe(self, env: Env) -> Deployed:
        """Look at the environment's deployments, and for the run that made the one to go to."""
        github = env.get(GitHub)
        deployments = await github.deployments(self.repository, self.environment)
        newest = deployments[0]
        wanted = self.to_commit or next((one.sha for one in deployments if one.succeeded and one.sha != newest.sha), "")
        runs = await github.runs(self.repository, self.workflow, (("head_sha", wanted),), 20) if wanted else ()
        under_way = next((one for one in runs if not one.over), None)
        run = under_way or next((one for one in runs if one.conclusion == "success"), runs[0] if runs else None)
        return Deployed(
            current=wanted if under_way else newest.sha,
            state=newest.state if not under_way or newest.sha == wanted else "pending",
            wanted=wanted,
            run=run.id if run else 0,
            run_over=run.over if run else True,
            run_conclusion=(run.conclusion or "") if run else "",
            run_at=run.created_at if run else None,
        )

    def plan(self, state: Deployed, now: datetime) -> Proposal | Nothing | Refusal:
        """Compare, and see whether the run can be run again."""
        if not state.wanted:
            return Refusal(f"no other commit was deployed to {self.environment} well among the newest deployments")
        if state.current == state.wanted:
            return Nothing(f"{state.wanted[:12]} is what was deployed to {self.environment} last")
        if state.run == 0:
            return Refusal(f"{self.workflow} has no run for {state.wanted[:12]} that could be run again")
        if state.run_at is not None and now - state.run_at > _RERUN_WITHIN:
            return Refusal(f"the run for {state.wanted[:12]} is older than 30 days: GitHub does not run it again")
        return Proposal(
            summary=f"Deploy {state.wanted[:12]} of {self.repository} to {self.environment} again",
            before={"commit": state.current},
            after={"commit": state.wanted},
            rows=[Row(field=self.environment, before=state.current[:12], after=state.wanted[:12])],
            notes=(f"by running run {state.run} of {self.workflow} again, which ended as {state.run_conclusion}",),
        )

    def owned(self, state: Deployed) -> JsonObject:
        """The commit that is deployed, or being deployed."""
        return {"commit": state.current}

    def mark(self, state: Deployed) -> str:
        """GitHub keeps none."""
        return ""

    async def apply(self, env: Env, after: JsonObject, state: Deployed, key: str) -> None:
        """Run it again."""
        await env.get(GitHub).rerun(self.repository, state.run)

    def settled(self, state: Deployed, after: JsonObject) -> Settlement:
        """Whether the deployment was a success."""
        commit = str(after["commit"])
        if state.current != commit:
            if state.run_over and state.run_conclusion not in {"", "success"}:
                return Settlement(state="broken", reason=f"the run for {commit[:12]} ended as {state.run_conclusion}")
            return Settlement(state="waiting", reason=f"{state.current[:12]} is what was deployed last")
        if state.state == "success":
            return Settlement(state="settled", observed={"commit": commit})
        if state.state in _FAILED:
            return Settlement(state="broken", reason=f"the deployment of {commit[:12]} failed")
        return Settlement(state="waiting", reason=f"the deployment of {commit[:12]} is {state.state}")

    def undo(self, before: JsonObject, after: JsonObject) -> "RollBackDeployment":
        """Deploy what is deployed now, the same way."""
        return RollBackDeployment(
            repository=self.repository,
            environment=self.environment,
            workflow=self.workflow,
            to_commit=str(before["commit"]),
        )
