"""Read the newest pipelines of a project."""

from datetime import datetime
from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from activities.gitlab._project import READ, Project
from halon.clients.gitlab import ACTIVE, GitLab
from halon.contracts.base import JsonObject
from halon.kit.action import Output, Permission, Read, State
from halon.kit.env import Env


class PipelineSummary(State):
    """A pipeline."""

    id: int
    status: str
    sha: str
    ref: str
    source: str
    """What started it: `push`, `schedule`, `web`, `api` …"""
    url: str
    created_at: datetime


class PipelinesResult(Output):
    """What was found."""

    no_data: bool
    """True when there is no such pipeline."""
    count: int
    """How many are given."""
    pipelines: tuple[PipelineSummary, ...]
    """The newest first."""


class GetPipelines(Read[PipelinesResult]):
    """Read the newest pipelines of a project, such as to see what is under way, or whether the last one failed.

    Errors: a project that is not in `gitlab.allow`, and a token without the right, are `permission_denied`; a project
    that is not there is `not_found`.
    """

    permissions: ClassVar[tuple[Permission, ...]] = (READ,)
    example: ClassVar[JsonObject] = {"project": "acme/shop", "ref": "main", "only": "active"}

    project: Project
    """The project's path, with its groups."""
    ref: Annotated[str, StringConstraints(max_length=255)] = ""
    """Only of this branch or tag; without it of all."""
    only: Literal["all", "active", "success", "failed"] = "all"
    """Only those that are under way, or ended so."""
    most: Annotated[int, Field(ge=1, le=50)] = 20
    """At most so many, up to 50; they are picked among the newest 50."""

    def target(self) -> str:
        """Name the project."""
        return f"gitlab/{self.project}"

    async def run(self, env: Env) -> PipelinesResult:
        """Read."""
        query = (("ref", self.ref),) if self.ref else ()
        found = await env.get(GitLab).pipelines(self.project, query)
        kept = [one for one in found if self.only in {"all", one.status} or self._is_active(one.status)]
        pipelines = tuple(
            PipelineSummary(
                id=one.id,
                status=one.status,
                sha=one.sha,
                ref=one.ref,
                source=one.source,
                url=one.web_url,
                created_at=one.created_at,
            )
            for one in kept[: self.most]
        )
        return PipelinesResult(no_data=not pipelines, count=len(pipelines), pipelines=pipelines)

    def _is_active(self, status: str) -> bool:
        return self.only == "active" and status in ACTIVE
