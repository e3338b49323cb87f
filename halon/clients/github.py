"""GitHub's REST API, version 2022-11-28: workflows, their runs, and deployments. https://docs.github.com/en/rest.

None of these calls takes a key against repetition: what is there is looked at before anything is written.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from halon.clients.json_api import Access, Call, JsonApi, Query, check_allowed, segment
from halon.errors import NotFound, PermanentError
from halon.settings.services import GitHubSettings

HEADERS = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
ACTIVE = frozenset({"queued", "in_progress", "waiting", "requested", "pending"})
"""States of a run that is not over."""
LOOK_BACK = 15
"""Deployments that are looked at."""
_READ = "the repository permission `Actions` (read)"
_WRITE = "the repository permission `Actions` (write)"
ModelT = TypeVar("ModelT", bound=BaseModel)


class Workflow(BaseModel):
    """A workflow."""

    id: int
    name: str = ""
    path: str = ""
    state: str
    """`active`, or why it is disabled."""


class Run(BaseModel):
    """A run of a workflow."""

    id: int
    status: str
    conclusion: str | None = None
    run_attempt: int = 1
    head_sha: str = ""
    head_branch: str | None = None
    event: str = ""
    display_title: str = ""
    html_url: str = ""
    created_at: datetime

    @property
    def over(self) -> bool:
        """Whether it has come to its end."""
        return self.status not in ACTIVE


class _Runs(BaseModel):
    total_count: int
    workflow_runs: list[Run]


class _Deployment(BaseModel):
    id: int
    sha: str
    ref: str = ""


class _Status(BaseModel):
    state: str


@dataclass(frozen=True, slots=True)
class Deployment:
    """A deployment to an environment."""

    sha: str
    ref: str
    state: str
    """Its newest status: `success`, `failure`, `in_progress`, `inactive` …"""
    succeeded: bool
    """Whether it ever was a success."""


class GitHub:
    """One GitHub, with one token."""

    def __init__(self, access: Access, settings: GitHubSettings) -> None:
        self._api = JsonApi(access)
        self._settings = settings

    async def workflow(self, repository: str, workflow: str) -> Workflow:
        """Look at a workflow, by the name of its file or its id.

        Raises:
            PermissionDenied: halon.yaml does not allow the repository, or GitHub the token.
            NotFound: there is none.
            TransientError: GitHub does not answer, or not now.
            PermanentError: it answers something else.
        """
        call = Call("GET", f"{self._actions(repository)}/workflows/{segment(workflow)}", _READ)
        return _read(Workflow, await self._api.object(call))

    async def enable(self, repository: str, workflow: str, *, enabled: bool) -> None:
        """Enable a workflow or disable it. Raises what `workflow` does."""
        way = "enable" if enabled else "disable"
        await self._api.any(Call("PUT", f"{self._actions(repository)}/workflows/{segment(workflow)}/{way}", _WRITE))

    async def dispatch(self, repository: str, workflow: str, ref: str, inputs: dict[str, str]) -> None:
        """Start a workflow that has a `workflow_dispatch` trigger. Raises what `workflow` does."""
        path = f"{self._actions(repository)}/workflows/{segment(workflow)}/dispatches"
        await self._api.any(Call("POST", path, _WRITE, body={"ref": ref, "inputs": inputs}))

    async def runs(self, repository: str, workflow: str, query: Query = (), most: int = 50) -> tuple[Run, ...]:
        """Read the newest runs of a workflow. Raises what `workflow` does."""
        path = f"{self._actions(repository)}/workflows/{segment(workflow)}/runs"
        said = await self._api.object(Call("GET", path, _READ, (*query, ("per_page", str(most)))))
        return tuple(_read(_Runs, said).workflow_runs)

    async def run(self, repository: str, run: int) -> Run:
        """Look at a run. Raises what `workflow` does."""
        return _read(Run, await self._api.object(Call("GET", f"{self._actions(repository)}/runs/{run}", _READ)))

    async def cancel(self, repository: str, run: int) -> None:
        """Cancel a run. Raises what `workflow` does, and Conflict when it is over."""
        await self._api.any(Call("POST", f"{self._actions(repository)}/runs/{run}/cancel", _WRITE))

    async def rerun(self, repository: str, run: int) -> None:
        """Run all jobs of a run that is over again. Raises what `workflow` does."""
        await self._api.any(Call("POST", f"{self._actions(repository)}/runs/{run}/rerun", _WRITE))

    async def deployments(self, repository: str, environment: str) -> Sequence[Deployment]:
        """Read the newest deployments to an environment, the newest first. Raises what `workflow` does."""
        root, needs = self._root(repository), "the repository permission `Deployments` (read)"
        query = (("environment", environment), ("per_page", str(LOOK_BACK)))
        found = [
            _read(_Deployment, one) for one in await self._api.list(Call("GET", f"{root}/deployments", needs, query))
        ]
        if not found:
            raise NotFound(f"{repository} has no deployments to the environment {environment}")

        async def with_state(one: _Deployment) -> Deployment:
            path = f"{root}/deployments/{one.id}/statuses"
            said = await self._api.list(Call("GET", path, needs, (("per_page", "30"),)))
            states = [_read(_Status, status).state for status in said]
            return Deployment(one.sha, one.ref, states[0] if states else "pending", "success" in states)

        return await asyncio.gather(*(with_state(one) for one in found))

    async def close(self) -> None:
        """Close the connections."""
        await self._api.close()

    def _root(self, repository: str) -> str:
        check_allowed(self._settings.allow, repository, "github.allow")
        owner, _, name = repository.partition("/")
        return f"/repos/{segment(owner)}/{segment(name)}"

    def _actions(self, repository: str) -> str:
        return f"{self._root(repository)}/actions"


def _read(kind: type[ModelT], said: object) -> ModelT:
    try:
        return kind.model_validate(said)
    except ValidationError:
        raise PermanentError("GitHub answers with something else than was asked for") from None
