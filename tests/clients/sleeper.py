"""A worker with one workflow that sleeps and says how long it took; a process of its own, so that it can be killed."""

import asyncio
import sys
from datetime import timedelta

from temporalio import workflow
from temporalio.client import Client
from temporalio.worker import Worker
from temporalio.worker.workflow_sandbox import SandboxRestrictions

from halon.clients.punctual import PunctualRunner

QUEUE = "sleepers"
NAP = timedelta(seconds=5)
STICKY = timedelta(seconds=4)


@workflow.defn
class Sleeper:
    """Sleeps once."""

    def __init__(self) -> None:
        self._slept = 0.0

    @workflow.run
    async def run(self) -> float:
        begun = workflow.now()
        await workflow.sleep(NAP)
        self._slept = (workflow.now() - begun).total_seconds()
        return self._slept

    @workflow.query
    def late(self) -> float:
        return self._slept


async def main() -> None:
    client = await Client.connect(sys.argv[1])
    runner = PunctualRunner(restrictions=SandboxRestrictions.default.with_passthrough_all_modules())
    worker = Worker(
        client,
        task_queue=QUEUE,
        workflows=[Sleeper],
        workflow_runner=runner,
        sticky_queue_schedule_to_start_timeout=STICKY,
    )
    async with worker:
        sys.stdout.write("up\n")
        sys.stdout.flush()
        await asyncio.Event().wait()
