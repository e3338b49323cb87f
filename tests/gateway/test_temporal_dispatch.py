"""Handing alerts to a real Temporal server: nothing is lost, nothing is started twice, limits are kept."""

import asyncio
import sysconfig
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from gateway_doubles import playbook
from temporalio import workflow
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionRequest
from temporalio.client import Client, WorkflowHandle  # a test, not a workflow
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from halon.contracts.alert import Alert
from halon.contracts.incident import AlertBatch, IncidentInput
from halon.contracts.plan import Effect
from halon.core.grouping import AlertGroup
from halon.errors import TransientError
from halon.gateway.dispatch import MAX_SIGNAL, TemporalDispatcher, batches, details
from halon.gateway.repeats import Report

QUEUE = "gateway-tests"
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
TIMEOUT = timedelta(seconds=10)
EFFECTS = {"lab.look": Effect.READ, "lab.turn": Effect.CHANGE}


@workflow.defn(name="Incident")
class RememberingIncident:
    """Remembers what it was given, and ends when it is told to."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.sizes: list[int] = []
        self.done = False

    @workflow.run
    async def run(self, given: IncidentInput) -> list[str]:
        await workflow.wait_condition(lambda: self.done)
        return [given.group, *sorted(given.library)]

    @workflow.signal
    def alerts(self, batch: AlertBatch) -> None:
        self.seen.extend(f"{alert.fingerprint}/{alert.status.value}" for alert in batch.alerts)
        self.seen.extend(f"{episode} {times} times" for episode, times in [*batch.repeats.items(), *batch.ends.items()])
        self.sizes.append(len(batch.alerts))

    @workflow.signal
    def end(self) -> None:
        self.done = True

    @workflow.query
    def remembered(self) -> tuple[list[str], list[int]]:
        return self.seen, self.sizes


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    binary = str(Path(sysconfig.get_path("scripts")) / "temporal-test-server")
    async with (
        await WorkflowEnvironment.start_time_skipping(
            test_server_existing_path=binary, data_converter=pydantic_data_converter
        ) as environment,
        Worker(
            environment.client,
            task_queue=QUEUE,
            workflows=[RememberingIncident],
            workflow_runner=UnsandboxedWorkflowRunner(),
        ),
    ):
        yield environment.client


def alert(number: int = 1, **changes: Any) -> Alert:
    given: dict[str, Any] = {
        "source": "alertmanager",
        "name": "KubePodCrashLooping",
        "fingerprint": str(number),
        "status": "firing",
        "labels": {"namespace": "shop"},
        "starts_at": NOW,
    }
    return Alert(**(given | changes))


def group(*alerts: Alert, name: str = "crashloop") -> AlertGroup:
    return AlertGroup(f"{name}-0a1b2c3d4e", playbook(name), alerts)


def dispatcher(client: Client, timeout: timedelta = TIMEOUT) -> TemporalDispatcher:
    return TemporalDispatcher(client, QUEUE, {}, EFFECTS, timeout)


async def remembered(client: Client, group_id: str) -> tuple[list[str], list[int]]:
    handle: WorkflowHandle[Any, Any] = client.get_workflow_handle(group_id)
    seen, sizes = await handle.query("remembered")
    return seen, sizes


async def test_the_first_alert_starts_the_incident_and_later_ones_reach_it(client: Client) -> None:
    one = dispatcher(client)
    assert await one.dispatch(group(alert(1)))
    assert await one.dispatch(group(alert(1), alert(2, status="resolved")))
    assert await one.dispatch(group(alert(1, status="resolved")))
    seen, _ = await remembered(client, group().id)
    assert seen == ["1/firing", "1/firing", "2/resolved", "1/resolved"]
    described = await client.get_workflow_handle(group().id).describe()
    assert (await described.memo()) == {"playbook": "crashloop", "playbook_digest": playbook("crashloop").digest}
    assert described.workflow_type == "Incident"


async def test_an_incident_that_has_closed_is_followed_by_a_new_one(client: Client) -> None:
    one = dispatcher(client)
    await one.dispatch(group(alert(1)))
    handle = client.get_workflow_handle(group().id)
    await handle.signal("end")
    assert await handle.result() == [group().id]
    await one.dispatch(group(alert(2)))
    assert (await remembered(client, group().id))[0] == ["2/firing"]


async def test_counts_reach_an_open_incident_and_start_none(client: Client) -> None:
    one, report = dispatcher(client), Report(group().id, {"a": 3}, {"b": 2})
    assert not await one.tell_repeats(report)
    await one.dispatch(group(alert(1)))
    assert await one.tell_repeats(report)
    assert (await remembered(client, group().id))[0] == ["1/firing", "a 3 times", "b 2 times"]


async def test_alerts_that_are_all_resolved_start_nothing(client: Client) -> None:
    assert not await dispatcher(client).dispatch(group(alert(1, status="resolved")))
    request = DescribeWorkflowExecutionRequest(namespace=client.namespace)
    request.execution.workflow_id = group().id
    with pytest.raises(Exception, match="not found"):
        await client.workflow_service.describe_workflow_execution(request, retry=False)


async def test_many_alerts_come_in_signals_of_a_hundred_in_order(client: Client) -> None:
    await dispatcher(client).dispatch(group(*(alert(n) for n in range(250))))
    seen, sizes = await remembered(client, group().id)
    assert sizes == [100, 100, 50]
    assert seen == [f"{n}/firing" for n in range(250)]


async def test_many_groups_at_once_all_arrive(client: Client) -> None:
    one = dispatcher(client)
    await asyncio.gather(*(one.dispatch(group(alert(n), name=f"p{n}")) for n in range(60)))
    for n in range(60):
        assert (await remembered(client, group(name=f"p{n}").id))[0] == [f"{n}/firing"]


async def test_the_incident_carries_the_playbooks_that_its_own_calls(client: Client) -> None:
    steps = playbook().model_dump(by_alias=True) | {"steps": [{"playbook": "helper"}]}
    calls = type(playbook()).model_validate(steps)
    given = AlertGroup("caller-0a1b2c3d4e", calls, (alert(1),))
    await TemporalDispatcher(client, QUEUE, {"helper": playbook("helper")}, EFFECTS, TIMEOUT).dispatch(given)
    handle = client.get_workflow_handle(given.id)
    await handle.signal("end")
    assert await handle.result() == [given.id, "helper"]


async def test_a_server_that_is_there_is_ready(client: Client) -> None:
    await dispatcher(client).check()


async def test_a_server_that_is_gone_is_worth_another_try() -> None:
    client = await Client.connect("127.0.0.1:9", lazy=True, data_converter=pydantic_data_converter)
    one = dispatcher(client, timedelta(milliseconds=300))
    with pytest.raises(
        TransientError, match="Temporal cannot be reached: the connection is refused, so nothing listens there"
    ) as caught:
        await one.dispatch(group(alert(1)))
    assert caught.value.retry_after is not None
    with pytest.raises(TransientError, match="Temporal"):
        await one.dispatch(group(alert(1, status="resolved")))
    for ask in (one.check, one.open_work):
        with pytest.raises(TransientError, match="Temporal"):
            await ask()


async def test_a_server_that_dies_is_worth_another_try() -> None:
    binary = str(Path(sysconfig.get_path("scripts")) / "temporal-test-server")
    environment = await WorkflowEnvironment.start_time_skipping(
        test_server_existing_path=binary, data_converter=pydantic_data_converter
    )
    one = dispatcher(environment.client, timedelta(milliseconds=500))
    await one.check()
    await environment.shutdown()
    for given in (group(alert(1)), group(alert(1, status="resolved"))):
        with pytest.raises(TransientError, match="Temporal did not accept the alerts"):
            await one.dispatch(given)
    for ask in (one.check, one.open_work):
        with pytest.raises(TransientError, match="Temporal"):
            await ask()


def test_signals_stay_small_whatever_the_alerts_hold() -> None:
    large = [alert(n, labels={f"l{i}": "x" * 2000 for i in range(60)}) for n in range(20)]
    cut = list(batches(large))
    assert [one for batch in cut for one in batch.alerts] == large
    assert all(len(batch.model_dump_json()) <= MAX_SIGNAL + 100 for batch in cut)
    assert len(cut) > 1


def test_what_a_sender_wrote_is_no_markdown_of_its_own() -> None:
    shown = details(group(alert(1, labels={"a": "[click](http://evil) | <b>\n# x", "b": "y" * 5000})))
    assert "[click]" not in shown
    assert "\n# x" not in shown
    assert len(shown) < 3000
    assert "KubePodCrashLooping" in shown
