"""Read the newest runs of a workflow."""

from datetime import datetime
from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from activities.github._repository import READ, Repository, WorkflowName
from halon.clients.github import ACTIVE, GitHub
from halon.contracts.base import JsonObject
from halon.kit.action import Output, Permission, Read
from halon.kit.env import Env
from halon.redaction import redact_text

_MAX_TITLE = 200


class RunSummary(Output):
    """A run."""

    id: int
    title: str
    status: str
    conclusion: str | None
    sha: str
    branch: str
    event: str
    url: str
    created_at: datetime


class RunsResult(Output):
    """What was found."""

    no_data: bool
    """True when there is no such run."""
    count: int
    """How many are given."""
    runs: tuple[RunSummary, ...]
    """The newest first."""


class GetRuns(Read[RunsResult]):
    """Read the newest runs of a workflow, such as to see what is under way, or whether the last deployment failed.

    Errors: a repository that is not in `github.allow`, and a token without the right, are `permission_denied`; a
    workflow that is not there is `not_found`.
    """

    permissions: ClassVar[tuple[Permission, ...]] = (READ,)
    example: ClassVar[JsonObject] = {"repository": "acme/shop", "workflow": "deploy.yml", "only": "active"}

    repository: Repository
    """The repository, with its owner."""
    workflow: WorkflowName
    """The name of the workflow's file, or its id."""
    branch: Annotated[str, StringConstraints(max_length=255)] = ""
    """Only of this branch; without it of all."""
    only: Literal["all", "active", "success", "failure"] = "all"
    """Only those that are under way, or ended so."""
    most: Annotated[int, Field(ge=1, le=50)] = 20
    """At most so many, up to 50; they are picked among the newest 50."""

    def target(self) -> str:
        """Name the workflow."""
        return f"github/{self.repository}/{self.workflow}"

    async def run(self, env: Env) -> RunsResult:
        """Read."""
        query = (("branch", self.branch),) if self.branch else ()
        found = await env.get(GitHub).runs(self.repository, self.workflow, query)
        kept = [one for one in found if self.only in {"all", one.conclusion} or self._is_active(one.status)]
        runs = tuple(
            RunSummary(
                id=one.id,
                title=redact_text(one.display_title, _MAX_TITLE),
                status=one.status,
                conclusion=one.conclusion,
                sha=one.head_sha,
                branch=one.head_branch or "",
                event=one.event,
                url=one.html_url,
                created_at=one.created_at,
            )
            for one in kept[: self.most]
        )
        return RunsResult(no_data=not runs, count=len(runs), runs=runs)

    def _is_active(self, status: str) -> bool:
        return self.only == "active" and status in ACTIVE
