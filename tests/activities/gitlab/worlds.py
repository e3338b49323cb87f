"""What GitLab's changes act on: a project whose pipelines deploy."""

import functools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from gitlab_double import GitLabDouble, gitlab
from vendor import vendor_world
from world import Opening, World

from halon.contracts.base import JsonObject

PROJECT: JsonObject = {"project": "acme/shop"}


def frozen(double: GitLabDouble) -> None:
    always = {"freeze_start": "0 0 1 1 *", "freeze_end": "59 23 31 12 *", "cron_timezone": "UTC"}
    double.freezes.append({"id": 2, **always})


def under_way(double: GitLabDouble) -> None:
    double.pipelines[0]["status"] = "running"


@asynccontextmanager
async def on_project(
    action: str, params: JsonObject, furnish: Callable[[GitLabDouble], Any] = lambda _: None
) -> AsyncIterator[World]:
    double = GitLabDouble()
    furnish(double)
    async with double.serving() as url:
        client = gitlab(url)
        yield vendor_world(double, action, params, client)
        await client.close()


WORLDS: dict[str, Opening] = {
    "gitlab.cancel_pipeline": functools.partial(
        on_project, "gitlab.cancel_pipeline", {**PROJECT, "pipeline_id": 12}, under_way
    ),
    "gitlab.freeze_deployments": functools.partial(on_project, "gitlab.freeze_deployments", PROJECT),
    "gitlab.unfreeze_deployments": functools.partial(on_project, "gitlab.unfreeze_deployments", PROJECT, frozen),
    "gitlab.roll_back_deployment": functools.partial(
        on_project, "gitlab.roll_back_deployment", {**PROJECT, "environment": "production"}
    ),
    "gitlab.run_pipeline": functools.partial(
        on_project, "gitlab.run_pipeline", {**PROJECT, "reference": "i-1", "variables": {"TASK": "rollback"}}
    ),
}
