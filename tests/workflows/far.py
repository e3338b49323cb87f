"""Lamps in clusters that have a worker of their own, and those workers."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, ClassVar

from lamp import ACTIONS as CENTRAL
from lamp import GROUP, QUEUE, Dim, Engine, Look, book

import worker
from halon.contracts.incident import IncidentInput, IncidentResult
from halon.contracts.routes import Routes
from halon.contracts.run import INCIDENT_WORKFLOW
from halon.core.routing import queue_of
from halon.kit.action import Permission
from halon.kit.env import Env
from halon.kit.registry import Registry
from halon.settings import Settings


class FarDim(Dim):
    """A lamp in a cluster."""

    permissions: ClassVar[tuple[Permission, ...]] = (Permission("kubernetes", ("patch",), "/lamps"),)
    cluster: str = ""

    def undo(self, before: dict[str, Any], after: dict[str, Any]) -> "FarDim":
        return FarDim.model_validate({"to": before["level"], "cluster": self.cluster})


class FarLook(Look):
    """Look at it."""

    permissions: ClassVar[tuple[Permission, ...]] = (Permission("kubernetes", ("get",), "/lamps"),)
    cluster: str = ""


FAR = Registry({"far.dim": FarDim, "far.look": FarLook})
ROUTES = Routes(
    queue=QUEUE,
    workers={f"cluster:{name}": f"cluster:{name}" for name in ("eu-1", "eu-2")},
    reach=FAR.reach,
)
FAR_DIM: dict[str, Any] = {"id": "far", "uses": "far.dim", "with": {"to": 1, "cluster": "eu-1"}}
FAR_LOOK: dict[str, Any] = {
    "id": "seen", "verify": {"uses": "far.look", "with": {"cluster": "eu-1"}}, "until": "${{ result.lit }}",
    "every": "1s", "within": "5s",
}  # fmt: skip


@asynccontextmanager
async def worker_of(engine: Engine, name: str) -> AsyncGenerator[None]:
    """Run the worker of a target."""
    settings = Settings.model_validate({"temporal": {"task_queue": QUEUE}})
    async with worker.build_for(engine.client, Env(engine.lamp), name, queue_of(QUEUE, name), settings, actions=FAR):
        yield


async def carried_out(engine: Engine, steps: list[dict[str, Any]], **more: Any) -> IncidentResult:
    """Run a playbook of these steps, started by hand."""
    given = IncidentInput(
        group=GROUP,
        playbook=book(steps, **more),
        effects={**CENTRAL.effects, **FAR.effects},
        routes=ROUTES,
        started_by="ana@example.com",
    )
    found: IncidentResult = await engine.client.execute_workflow(
        INCIDENT_WORKFLOW, given, id=GROUP, task_queue=QUEUE, result_type=IncidentResult
    )
    return found
