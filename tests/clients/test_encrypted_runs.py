"""What a real Temporal keeps of encrypted runs, and what happens to a run while its key is missing."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio import workflow
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client, WorkflowHandle
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from halon.clients.codec import Keyring, new_key, read_key
from halon.clients.embedded import EmbeddedTemporal
from halon.clients.temporal import TemporalConfig, connect

K1, K2 = (read_key(new_key(), "x") for _ in range(2))
QUEUE = "encrypted"


@workflow.defn
class Wait:
    """Says what it was given, once it is told to."""

    def __init__(self) -> None:
        self.told = ""

    @workflow.run
    async def run(self, text: str) -> str:
        workflow.set_current_details(f"planted-details {text}")
        await workflow.wait_condition(lambda: bool(self.told), timeout=60, timeout_summary="planted-timer")
        return f"{text} {self.told}"

    @workflow.signal
    def tell(self, word: str) -> None:
        self.told = word


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[EmbeddedTemporal]:
    async with EmbeddedTemporal(tmp_path, ui=False) as one:
        yield one


async def client(server: EmbeddedTemporal, current: str | None = None, **keys: bytes) -> Client:
    keyring = Keyring(current, keys) if current else None
    return await connect(
        TemporalConfig(server.address, server.namespace, keyring=keyring), patience=timedelta(seconds=10)
    )


def worker(client: Client) -> Worker:
    return Worker(client, task_queue=QUEUE, workflows=[Wait], workflow_runner=UnsandboxedWorkflowRunner())


async def event(handle: WorkflowHandle[Wait, str], kind: "EventType.ValueType") -> HistoryEvent:
    async with asyncio.timeout(20):
        while True:
            async for one in handle.fetch_history_events():
                if one.event_type == kind:
                    return one
            await asyncio.sleep(0.1)


async def start(client: Client) -> WorkflowHandle[Wait, str]:
    return await client.start_workflow(
        Wait.run,
        "planted-input",
        id="one",
        task_queue=QUEUE,
        memo={"note": "planted-memo"},
        static_summary="planted-summary",
    )


def files_of(directory: Path) -> bytes:
    return b"".join(file.read_bytes() for file in directory.glob("temporal.db*"))


async def test_nothing_that_was_given_is_in_the_servers_files_in_clear(
    server: EmbeddedTemporal, tmp_path: Path
) -> None:
    ours = await client(server, "k1", k1=K1)
    async with worker(ours):
        handle = await start(ours)
        await event(handle, EventType.EVENT_TYPE_TIMER_STARTED)
        await handle.signal(Wait.tell, "planted-signal")
        assert await handle.result() == "planted-input planted-signal"
        assert await (await handle.describe()).static_summary() == "planted-summary"
    kept = files_of(tmp_path)
    assert b"encryption-key-id" in kept
    assert b"planted" not in kept


async def test_a_signal_in_clear_still_arrives(server: EmbeddedTemporal) -> None:
    ours = await client(server, "k1", k1=K1)
    async with worker(ours):
        await start(ours)
        by_hand = (await client(server)).get_workflow_handle("one")
        await by_hand.signal("tell", "in-clear")
        assert await ours.get_workflow_handle("one").result() == "planted-input in-clear"


async def test_a_run_whose_key_is_missing_waits_for_it_and_loses_nothing(server: EmbeddedTemporal) -> None:
    both = await client(server, "k2", k1=K1, k2=K2)
    handle = await start(both)
    async with worker(await client(server, "k1", k1=K1)):
        failed = await event(handle, EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED)
    failure = failed.workflow_task_failed_event_attributes.failure
    assert "key 'k2'" in str(await both.data_converter.decode_failure(failure))
    async with worker(both):
        await handle.signal(Wait.tell, "later")
        assert await handle.result() == "planted-input later"
