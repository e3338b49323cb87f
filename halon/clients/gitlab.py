"""GitLab's REST API, version 4: pipelines, deployments, freeze periods. https://docs.gitlab.com/api/rest/.

None of these calls takes a key against repetition: what is there is looked at before anything is written.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TypeVar
from urllib.parse import quote

from pydantic import BaseModel, ValidationError

from halon.clients.json_api import Access, Call, JsonApi, Query, check_allowed
from halon.errors import NotFound, PermanentError, PermissionDenied
from halon.settings.services import GitLabSettings

ACTIVE = frozenset(
    {
        *("created", "waiting_for_resource", "preparing", "waiting_for_callback"),
        *("pending", "scheduled", "running", "canceling"),
    }
)
"""States of a pipeline or job that goes on by itself; one that is `manual` waits for a person."""
LOOK_BACK = 30
"""Deployments that are looked at."""
STARTED = 20
"""Pipelines that are looked at for the mark of one that was started."""
_READ = "the scope `read_api`, and the role Reporter in the project"
_WRITE = "the scope `api`, and the role {} in the project"
MAX_FREEZES = 100
"""Freeze periods of one page; a project has a few."""
ModelT = TypeVar("ModelT", bound=BaseModel)


class Pipeline(BaseModel):
    """A pipeline."""

    id: int
    status: str
    sha: str = ""
    ref: str = ""
    source: str = ""
    web_url: str = ""
    created_at: datetime

    @property
    def over(self) -> bool:
        """Whether nothing of it is under way."""
        return self.status not in ACTIVE


class Job(BaseModel):
    """A job."""

    id: int
    status: str = ""
    name: str = ""
    started_at: datetime | None = None


class Deployment(BaseModel):
    """A deployment to an environment, and the job that made it."""

    id: int
    sha: str
    ref: str = ""
    status: str
    deployable: Job | None = None

    @property
    def counts(self) -> bool:
        """Whether it changes what is deployed: not when its job waits for a person, or was left out."""
        if self.status in {"running", "success", "failed"}:
            return True
        if self.deployable is None:
            return False
        begun = self.deployable.started_at is not None
        return begun or self.deployable.status in ACTIVE


class FreezePeriod(BaseModel):
    """A freeze period: crons in a time zone."""

    id: int
    freeze_start: str
    freeze_end: str
    cron_timezone: str = "UTC"


class _Variable(BaseModel):
    key: str
    value: str = ""


class _Commit(BaseModel):
    id: str


class GitLab:
    """One GitLab, with one token."""

    def __init__(self, access: Access, settings: GitLabSettings) -> None:
        self._api = JsonApi(access)
        self._settings = settings

    async def pipelines(self, project: str, query: Query = (), most: int = 50) -> Sequence[Pipeline]:
        """Read the newest pipelines of a project.

        Raises:
            PermissionDenied: halon.yaml does not allow the project, or GitLab the token.
            NotFound: there is no such project.
            TransientError: GitLab does not answer, or not now.
            PermanentError: it answers something else.
        """
        whole = (*query, ("order_by", "id"), ("sort", "desc"), ("per_page", str(most)))
        return await self._list(Pipeline, project, "/pipelines", whole)

    async def pipeline(self, project: str, pipeline: int) -> Pipeline:
        """Look at a pipeline. Raises what `pipelines` does."""
        return _read(Pipeline, await self._api.object(self._get(project, f"/pipelines/{pipeline}")))

    async def newest_job(self, project: str, pipeline: int) -> int:
        """Give the id of a pipeline's newest job: another one, once somebody retries. Raises what `pipelines` does."""
        query = (("include_retried", "true"), ("per_page", "1"))
        found = await self._list(Job, project, f"/pipelines/{pipeline}/jobs", query)
        return found[0].id if found else 0

    async def cancel(self, project: str, pipeline: int) -> None:
        """Cancel what is under way of a pipeline. Raises what `pipelines` does."""
        await self._write(project, f"/pipelines/{pipeline}/cancel", "Developer")

    async def started(self, project: str, ref: str, variable: str, mark: str) -> Pipeline | None:
        """Find the pipeline that was started with a mark, among the newest. Raises what `pipelines` does."""
        found = await self.pipelines(project, (("ref", ref), ("source", "api")), STARTED)

        async def carries(one: Pipeline) -> bool:
            try:
                given = await self._list(_Variable, project, f"/pipelines/{one.id}/variables")
            except (PermissionDenied, NotFound):
                return False  # GitLab shows them to whoever started the pipeline, so it is somebody else's
            return any((each.key, each.value) == (variable, mark) for each in given)

        carrying = await asyncio.gather(*(carries(one) for one in found))
        return next((one for one, ours in zip(found, carrying, strict=True) if ours), None)

    async def head(self, project: str, ref: str) -> str:
        """Give the commit of a branch or tag. Raises what `pipelines` does."""
        path = f"/repository/commits/{quote(ref, safe='')}"
        return _read(_Commit, await self._api.object(self._get(project, path, (("stats", "false"),)))).id

    async def run(self, project: str, ref: str, variables: Mapping[str, str]) -> Pipeline:
        """Start a pipeline. Raises what `pipelines` does, and InvalidInput when the project does not take it."""
        listed = [{"key": key, "value": value} for key, value in variables.items()]
        path, body = f"{self._root(project)}/pipeline", {"ref": ref, "variables": listed}
        needs = f"{_WRITE.format('Developer')}, which may set variables of pipelines"
        return _read(Pipeline, await self._api.object(Call("POST", path, needs, body=body)))

    async def deployments(self, project: str, environment: str) -> Sequence[Deployment]:
        """Read the newest deployments to an environment that count, the newest first. Raises what `pipelines` does."""
        query = (
            ("environment", environment),
            ("order_by", "id"),
            ("sort", "desc"),
            ("per_page", str(LOOK_BACK)),
        )
        found = [one for one in await self._list(Deployment, project, "/deployments", query) if one.counts]
        if not found:
            raise NotFound(f"{project} has no deployments to the environment {environment}")
        return found

    async def retry(self, project: str, job: int) -> None:
        """Run a job that is over again. Raises what `pipelines` does."""
        await self._write(project, f"/jobs/{job}/retry", "Developer, which may deploy to the environment,")

    async def freezes(self, project: str) -> Sequence[FreezePeriod]:
        """Read the freeze periods of a project. Raises what `pipelines` does."""
        found = await self._list(FreezePeriod, project, "/freeze_periods", (("per_page", str(MAX_FREEZES)),))
        if len(found) >= MAX_FREEZES:
            raise PermanentError(
                f"{project} has {MAX_FREEZES} freeze periods or more: that is too many to look through"
            )
        return found

    async def freeze(self, project: str, start: str, end: str) -> None:
        """Add a freeze period, in UTC. Raises what `pipelines` does."""
        body = {"freeze_start": start, "freeze_end": end, "cron_timezone": "UTC"}
        path = f"{self._root(project)}/freeze_periods"
        await self._api.object(Call("POST", path, _WRITE.format("Maintainer"), body=body))

    async def thaw(self, project: str, freeze: int) -> None:
        """Remove a freeze period. Raises what `pipelines` does."""
        path = f"{self._root(project)}/freeze_periods/{freeze}"
        await self._api.any(Call("DELETE", path, _WRITE.format("Maintainer")))

    def check_variables(self, names: Sequence[str]) -> None:
        """Whether halon.yaml lets a pipeline be started with these variables. Raises PermissionDenied when not."""
        for name in names:
            check_allowed(self._settings.variables, name, "gitlab.variables")

    async def close(self) -> None:
        """Close the connections."""
        await self._api.close()

    async def _write(self, project: str, path: str, role: str) -> None:
        await self._api.any(Call("POST", f"{self._root(project)}{path}", _WRITE.format(role)))

    async def _list(self, kind: type[ModelT], project: str, path: str, query: Query = ()) -> Sequence[ModelT]:
        return [_read(kind, one) for one in await self._api.list(self._get(project, path, query))]

    def _get(self, project: str, path: str, query: Query = ()) -> Call:
        return Call("GET", f"{self._root(project)}{path}", _READ, query)

    def _root(self, project: str) -> str:
        check_allowed(self._settings.allow, project, "gitlab.allow")
        return f"/api/v4/projects/{quote(project, safe='')}"


def _read(kind: type[ModelT], said: object) -> ModelT:
    try:
        return kind.model_validate(said)
    except ValidationError:
        raise PermanentError("GitLab answers with something else than was asked for") from None
