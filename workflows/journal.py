"""A workflow's audit records on their way to the store.

Records are made in the order of events and written behind: the history holds them until then, so nothing is lost when a
process dies. They are written together, a second after the first of them, and before the workflow ends; a store that is
down delays the end, never the remedy.

They are written by ordinary activities, whose input is in the history before they run. A local activity would write
first: when the worker then dies, or a signal comes in between, the task is done again with another time or in another
order, and the same record would have two contents.
"""

import asyncio
from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy

from halon.contracts.audit import AuditKind, AuditRecord
from halon.contracts.base import JsonObject
from halon.contracts.bookkeeping import APPEND, MAX_RECORDS, AppendRequest

WRITE_TIMEOUT = timedelta(seconds=10)
WRITE_RETRY = RetryPolicy(initial_interval=timedelta(milliseconds=200), maximum_interval=timedelta(seconds=10))
"""Without a bound on the attempts: an incident whose record cannot be written stays open and says so."""


class Journal:
    """Counts and keeps the records of one workflow until they are written."""

    def __init__(self, incident: str = "", opening: tuple[AuditRecord, ...] = ()) -> None:
        self.incident = incident
        """Whose records they are."""
        info = workflow.info()
        self._writer = f"{info.workflow_id}:{info.run_id[:8]}"
        self._waiting: list[AuditRecord] = list(opening)
        self._sequence = 0
        self._lock = asyncio.Lock()

    @property
    def unwritten(self) -> tuple[AuditRecord, ...]:
        """The first records that wait."""
        return tuple(self._waiting[:MAX_RECORDS])

    @property
    def waiting(self) -> tuple[AuditRecord, ...]:
        """All records that wait."""
        return tuple(self._waiting)

    def give_up(self, most: int) -> None:
        """Keep the latest records when more than `most` wait, and tell how many are lost."""
        lost = len(self._waiting) - most
        if lost > 0:
            del self._waiting[: lost + 1]
            message = f"{lost + 1} records were given up: the store took none for too long"
            self.record(AuditKind.RECORDS_LOST, message, data={"records": lost + 1})

    def record(self, kind: AuditKind, message: str, *, step: str = "", actor: str = "halon", data: JsonObject) -> None:
        """Add a record; it is written with the next flush."""
        self._sequence += 1
        self._waiting.append(
            AuditRecord(
                incident=self.incident,
                writer=self._writer,
                sequence=self._sequence,
                at=workflow.now(),
                kind=kind,
                step=step,
                message=message,
                actor=actor,
                data=data,
            )
        )

    async def write(self) -> None:
        """Write what waits now, in order. Returns when it is written, however long the store takes."""
        async with self._lock:
            batch = self.unwritten
            if batch:
                await workflow.execute_activity(
                    APPEND,
                    AppendRequest(records=batch),
                    start_to_close_timeout=WRITE_TIMEOUT,
                    retry_policy=WRITE_RETRY,
                    summary=f"audit: {len(batch)} records",
                )
                del self._waiting[: len(batch)]

    async def flush(self) -> None:
        """Write until nothing waits."""
        while self._waiting:
            await self.write()

    async def take(self) -> tuple[AuditRecord, ...]:
        """Hand over what waits, for a caller that writes it together with something else in one go."""
        if len(self._waiting) > MAX_RECORDS:
            await self.flush()
        batch = tuple(self._waiting)
        self._waiting.clear()
        return batch
