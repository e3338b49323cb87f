"""The composition root: the only module that imports both workflows and activities, and puts them into a worker.

`halon worker` runs it. Everything that a worker needs is built here and handed down: clients, registry, store.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from temporalio.client import Client  # the composition root is no workflow
from temporalio.common import WorkerDeploymentVersion
from temporalio.worker import Worker, WorkerDeploymentConfig
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

import activities
from halon.clients.admission import Guards
from halon.clients.aftermath import Aftermaths
from halon.clients.oncall import OnCall
from halon.clients.people import People
from halon.clients.punctual import PunctualRunner
from halon.clients.seals import Seals, seals
from halon.clients.telling import Telling
from halon.kit.driver import action_activities
from halon.kit.env import Env
from halon.kit.registry import Registry, discover
from halon.settings import Settings
from halon.store.bookkeeping import Bookkeeping
from halon.store.store import Store
from workflows.coordination import Coordination
from workflows.digest import Digest
from workflows.incident import Incident
from workflows.ledger import LedgerWorkflow
from workflows.remediation import Remediation

PASSED_THROUGH = (
    "cel_expr_python",
    "google.protobuf",
    "halon.contracts",
    "pydantic",
    "pydantic_core",
    "rfc8785",
    "annotated_types",
)
"""Modules that the sandbox shares with the process: data types, and what cannot be imported twice."""

SHARED_FOR_SPEED = (
    "halon.core",
    "workflows.attributes",
    "workflows.desk",
    "workflows.dispatch",
    "workflows.journal",
    "workflows.runtime",
    "workflows.telling",
)
"""Shared as well, because importing them anew for each run costs half of the time from alert to apply.

What the sandbox would catch there, ruff's banned API catches, and so do the suites that keep them inside.
"""

WORKFLOWS: tuple[type, ...] = (Incident, Remediation, LedgerWorkflow, Coordination, Digest)

MAX_ACTIVITIES = 100
"""Activities at once in one worker: each is a call to an API."""
STICKY = timedelta(seconds=4)
"""A worker that died keeps its workflows for this long before others may go on with them.

A shorter time takes them from a worker that is only busy, which then replays them, and is busier still.
"""
GRACE = timedelta(seconds=20)
"""How long actions may take to finish when a worker ends."""


@cache
def registry() -> Registry:
    """Every action that this installation ships. It is looked for once in a process."""
    return discover(activities)


def build(  # what a worker is made of
    client: Client,
    store: Store,
    env: Env,
    *,
    task_queue: str,
    actions: Registry | None = None,
    settings: Settings | None = None,
) -> Worker:
    """A worker that runs Halon's workflows and actions on `task_queue`.

    Raises:
        Misconfigured: a calendar of freezes, a rule of the policy, the communication or the key for decisions in
            `settings` is wrong.
    """
    guards = Guards(client, task_queue, settings)
    people = _people(env, settings)
    telling = Telling(client, task_queue, settings, env)
    handlers: Sequence[Callable[..., Any]] = [
        *action_activities(actions or registry(), env, guards),
        *guards.activities(),
        *people.activities(),
        *Aftermaths(client).activities(),
        *telling.activities(),
        *Bookkeeping(store).activities(),
    ]
    return Worker(
        client,
        task_queue=task_queue,
        workflows=WORKFLOWS,
        activities=handlers,
        workflow_runner=workflow_runner(),
        deployment_config=_deployment(),
        max_concurrent_activities=MAX_ACTIVITIES,
        sticky_queue_schedule_to_start_timeout=STICKY,
        graceful_shutdown_timeout=GRACE,
    )


def build_for(  # what such a worker is made of
    client: Client,
    env: Env,
    name: str,
    task_queue: str,
    settings: Settings,
    *,
    actions: Registry | None = None,
) -> Worker:
    """The worker `name` of clusters or accounts: it carries out actions on those, and runs no playbooks.

    It asks the guards before each write as the central one does, and so reads the same freezes.

    Raises:
        Misconfigured: a calendar of freezes or a rule of the policy in `settings` is wrong.
    """
    guards = Guards(client, settings.temporal.task_queue, settings)
    return Worker(
        client,
        task_queue=task_queue,
        activities=action_activities((actions or registry()).reaching(), env, guards, carrier=name),
        deployment_config=_deployment(),
        max_concurrent_activities=MAX_ACTIVITIES,
        graceful_shutdown_timeout=GRACE,
    )


def _deployment() -> WorkerDeploymentConfig:
    """Which Halon this is, for histories. Without it the SDK reads the code of every module to make up a name."""
    try:
        number = version("halon")
    except PackageNotFoundError:
        number = "from its sources"
    return WorkerDeploymentConfig(WorkerDeploymentVersion("halon", number), use_worker_versioning=False)


def _people(env: Env, settings: Settings | None) -> People:
    if settings is None:
        return People(Settings(), Seals((), {}), OnCall(Settings()))
    return People(settings, seals(settings), env.find(OnCall) or OnCall(settings))


def workflow_runner(*, guard_core: bool = False) -> SandboxedWorkflowRunner:
    """Temporal's sandbox around the workflows; with `guard_core` around all that they decide with as well."""
    modules = PASSED_THROUGH if guard_core else (*PASSED_THROUGH, *SHARED_FOR_SPEED)
    restrictions = SandboxRestrictions.default.with_passthrough_modules(*modules)
    return PunctualRunner(restrictions=restrictions)
