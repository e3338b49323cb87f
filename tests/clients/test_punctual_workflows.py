"""A workflow decides by the time of its tasks only, also when a query comes while its worker is dead."""

import asyncio
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.client import WorkflowQueryFailedError
from temporalio.worker import Replayer
from temporalio.worker.workflow_sandbox import SandboxRestrictions

from halon.clients.embedded import EmbeddedTemporal
from halon.clients.punctual import AHEAD, PunctualRunner, punctual
from halon.clients.temporal import TemporalConfig, connect

sys.path.insert(0, str(Path(__file__).parent))

from sleeper import NAP, QUEUE, STICKY, Sleeper

TIMER = "timer_started_event_attributes"


def activation(length: int, second: int, *jobs: str, replaying: bool = False) -> WorkflowActivation:
    made = WorkflowActivation(history_length=length, is_replaying=replaying)
    made.timestamp.FromSeconds(second)
    for job in jobs:
        getattr(made.jobs.add(), job).SetInParent()
    return made


def taken(*activations: WorkflowActivation) -> list[bool]:
    """Which of these activations reach the workflow."""
    reached: list[WorkflowActivation] = []

    def activate(one: WorkflowActivation) -> WorkflowActivationCompletion:
        reached.append(one)
        return WorkflowActivationCompletion()

    run = punctual(activate)
    for one in activations:
        completion = run(one)
        assert completion.failed.failure.message == ("" if one in reached else AHEAD)
    return [one in reached for one in activations]


def test_new_events_come_with_a_later_time_or_not_at_all() -> None:
    start = activation(3, 10, "initialize_workflow")
    assert taken(start, activation(8, 20, "fire_timer")) == [True, True]
    assert taken(start, activation(7, 10, "fire_timer")) == [True, False]
    assert taken(start, activation(7, 10, "resolve_activity"), activation(8, 20, "fire_timer")) == [True, False, True]


def test_what_lets_nothing_go_on_is_taken_at_any_time() -> None:
    start = activation(3, 10, "initialize_workflow")
    assert taken(start, activation(7, 10, "query_workflow"), activation(7, 0, "remove_from_cache")) == [True] * 3
    assert taken(start, activation(3, 10, "resolve_activity")) == [True, True]
    assert taken(start, activation(8, 10, "fire_timer", replaying=True)) == [True, True]


async def worker(address: str) -> asyncio.subprocess.Process:
    program = "import asyncio, sleeper; asyncio.run(sleeper.main())"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", program, address), stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parent
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"up\n"
    return process


@pytest.mark.timeout(60)
async def test_a_query_after_a_workers_death_does_not_run_the_workflow_ahead_of_its_time() -> None:
    """The timer fires while the query waits for the dead worker, so the next worker gets both at once."""
    async with EmbeddedTemporal(None, ui=False) as server:
        client = await connect(TemporalConfig(server.address, server.namespace), patience=timedelta(seconds=10))
        first = await worker(server.address)
        sleeper = await client.start_workflow(Sleeper.run, id="sleeper", task_queue=QUEUE)
        while not [event async for event in sleeper.fetch_history_events() if event.HasField(TIMER)]:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        first.kill()
        await first.wait()
        second = await worker(server.address)
        try:
            await asyncio.sleep((NAP - STICKY / 2).total_seconds() - 1)
            with pytest.raises(WorkflowQueryFailedError, match="asked again"):
                await sleeper.query(Sleeper.late, rpc_timeout=timedelta(seconds=10))
            slept = await sleeper.result()
        finally:
            second.kill()
            await second.wait()
        assert slept >= NAP.total_seconds()
        runner = PunctualRunner(restrictions=SandboxRestrictions.default.with_passthrough_all_modules())
        replayer = Replayer(workflows=[Sleeper], workflow_runner=runner)
        await replayer.replay_workflow(await sleeper.fetch_history())
