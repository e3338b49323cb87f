"""What `kubernetes.run_job` acts on: jobs of halon.yaml, which somebody may define otherwise after a plan was made."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from cluster_world import cluster_world
from world import Opening, World

from halon.clients.kubernetes.jobs import JobTemplates
from halon.contracts.base import JsonObject
from halon.settings.jobs import JobTemplate, check_jobs

RUN: JsonObject = {"job": "clear-cache", "namespace": "shop", "reference": "i-1", "arguments": ["cart"]}


def template(image: str = "tools:1-done", **more: Any) -> JobTemplate:
    return JobTemplate.model_validate({"image": image, "namespace": "shop", "max_arguments": 2, **more})


def templates(**more: JobTemplate) -> dict[str, JobTemplate]:
    """Jobs, of which one takes the other back."""
    named = {name.replace("_", "-"): one for name, one in more.items()}
    return check_jobs({"clear-cache": template(undo="fill-cache"), "fill-cache": template("tools:2-done"), **named})


@asynccontextmanager
async def on_jobs() -> AsyncIterator[World]:
    known = templates()

    async def drift() -> None:
        known["clear-cache"] = template("tools:9-done", undo="fill-cache")

    async with cluster_world("kubernetes.run_job", RUN, JobTemplates(known)) as (cluster, make):
        await cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
        yield make(drift)


RUN_WORLDS: dict[str, Opening] = {"kubernetes.run_job": on_jobs}
