"""Deploy what was deployed before, by running its deployment job again."""

from datetime import datetime
from typing import Annotated, ClassVar

from pydantic import StringConstraints

from activities.gitlab._project import READ, WRITE, Project
from halon.clients.gitlab import ACTIVE, Deployment, GitLab
from halon.contracts.base import JsonObject
from halon.contracts.plan import Row, Settlement
from halon.kit.action import Change, Nothing, Permission, Proposal, Refusal, State
from halon.kit.env import Env

_FAILED = frozenset({"failed", "canceled", "skipped"})


class Deployed(State):
    """What is deployed, and what it could go back to."""

    current: str
    """The commit of the newest deployment."""
    state: str
    """Of the newest deployment."""
    wanted: str
    """The commit to go to; empty when there is none."""
    job: int
    """The job that deployed it last; 0 when there is none."""
    job_name: str
    job_active: bool


class RollBackDeployment(Change[Deployed]):
    """Deploy what was deployed to an environment before, by running the job again that deployed it.

    That is what GitLab's own button for it does: the same commit with the same job as it was then, through the
    environment's own protection, as a new deployment. A project that prevents outdated deployment jobs must allow job
    retries for roll-backs. Undo goes the same way to the commit that is deployed now.

    Only projects in `gitlab.allow` of halon.yaml are touched. Errors: what is not allowed, a token without the right,
    and a job that GitLab does not run again are `permission_denied`; an environment without deployments is `not_found`.
    """

    marks: ClassVar[bool] = False
    permissions: ClassVar[tuple[Permission, ...]] = (READ, WRITE)
    example: ClassVar[JsonObject] = {"project": "acme/shop", "environment": "production"}

    project: Project
    """The project's path, with its groups."""
    environment: Annotated[str, StringConstraints(min_length=1, max_length=255)]
    """The environment."""
    to_commit: Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{40}|[0-9a-f]{64})?$", max_length=64)] = ""
    """The full hash of the commit to go to; without it, the last other one that was deployed well."""

    def target(self) -> str:
        """Name the environment."""
        return f"gitlab/{self.project}/environments/{self.environment}"

    async def observe(self, env: Env) -> Deployed:
        """Look at the environment's deployments, and for the job that made the one to go to."""
        found = await env.get(GitLab).deployments(self.project, self.environment)
        newest = found[0]
        wanted = self.to_commit or next(
            (one.sha for one in found if one.status == "success" and one.sha != newest.sha), ""
        )
        made = [one for one in found if one.sha == wanted and one.deployable is not None]
        # The newest one with this commit: GitLab runs a job again only once, and the one that it made of it after that.
        job = made[0].deployable if made and self._was_good(made) else None
        return Deployed(
            current=newest.sha,
            state=newest.status,
            wanted=wanted,
            job=job.id if job else 0,
            job_name=job.name if job else "",
            job_active=job is not None and job.status in ACTIVE,
        )

    def plan(self, state: Deployed, now: datetime) -> Proposal | Nothing | Refusal:
        """Compare, and see whether there is a job to run again."""
        if not state.wanted:
            return Refusal(f"no other commit was deployed to {self.environment} well among the newest deployments")
        if state.current == state.wanted:
            return Nothing(f"{state.wanted[:12]} is what was deployed to {self.environment} last")
        if state.job == 0:
            return Refusal(f"{state.wanted[:12]} was not deployed to {self.environment} well by a job among the newest")
        if state.job_active:
            return Refusal(
                f"job {state.job} is deploying {state.wanted[:12]} beside a newer deployment: look there first"
            )
        return Proposal(
            summary=f"Deploy {state.wanted[:12]} of {self.project} to {self.environment} again",
            before={"commit": state.current},
            after={"commit": state.wanted},
            rows=[Row(field=self.environment, before=state.current[:12], after=state.wanted[:12])],
            notes=(f"by running job {state.job} ({state.job_name[:100]}) again",),
        )

    def owned(self, state: Deployed) -> JsonObject:
        """The commit that is deployed, or being deployed."""
        return {"commit": state.current}

    def mark(self, state: Deployed) -> str:
        """GitLab keeps none."""
        return ""

    async def apply(self, env: Env, after: JsonObject, state: Deployed, key: str) -> None:
        """Run the job again."""
        await env.get(GitLab).retry(self.project, state.job)

    def settled(self, state: Deployed, after: JsonObject) -> Settlement:
        """Whether the deployment was a success."""
        commit = str(after["commit"])
        if state.current != commit:
            return Settlement(state="waiting", reason=f"{state.current[:12]} is what was deployed last")
        if state.state == "success":
            return Settlement(state="settled", observed={"commit": commit})
        if state.state in _FAILED:
            return Settlement(state="broken", reason=f"the deployment of {commit[:12]} is {state.state}")
        return Settlement(state="waiting", reason=f"the deployment of {commit[:12]} is {state.state}")

    def undo(self, before: JsonObject, after: JsonObject) -> "RollBackDeployment":
        """Deploy what is deployed now, the same way."""
        return RollBackDeployment(project=self.project, environment=self.environment, to_commit=str(before["commit"]))

    def _was_good(self, made: list[Deployment]) -> bool:
        """Whether it was deployed well once, or is named by whoever asks for it."""
        return bool(self.to_commit) or any(one.status == "success" for one in made)
