"""What GitHub's changes act on: a repository whose workflow deploys."""

import functools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from github_double import GitHubDouble, github
from vendor import vendor_world
from world import Opening, World

from halon.contracts.base import JsonObject

WORKFLOW: JsonObject = {"repository": "acme/shop", "workflow": "deploy.yml"}


def disabled(double: GitHubDouble) -> None:
    double.workflow["state"] = "disabled_manually"


def under_way(double: GitHubDouble) -> None:
    double.runs[0] |= {"status": "in_progress", "conclusion": None}


@asynccontextmanager
async def on_repository(
    action: str, params: JsonObject, furnish: Callable[[GitHubDouble], Any] = lambda _: None
) -> AsyncIterator[World]:
    double = GitHubDouble()
    furnish(double)
    async with double.serving() as url:
        client = github(url)
        yield vendor_world(double, action, params, client)
        await client.close()


WORLDS: dict[str, Opening] = {
    "github.disable_workflow": functools.partial(on_repository, "github.disable_workflow", WORKFLOW),
    "github.enable_workflow": functools.partial(on_repository, "github.enable_workflow", WORKFLOW, disabled),
    "github.cancel_run": functools.partial(
        on_repository, "github.cancel_run", {"repository": "acme/shop", "run_id": 2}, under_way
    ),
    "github.run_workflow": functools.partial(
        on_repository, "github.run_workflow", {**WORKFLOW, "reference": "i-1", "inputs": {"environment": "production"}}
    ),
    "github.roll_back_deployment": functools.partial(
        on_repository, "github.roll_back_deployment", {**WORKFLOW, "environment": "production"}
    ),
}
