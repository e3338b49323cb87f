"""Reads from Temporal what a terminated run has left behind."""

from collections.abc import Callable, Sequence
from typing import Any

from temporalio import activity
from temporalio.api.common.v1 import Payloads
from temporalio.client import Client
from temporalio.service import RPCError

from halon.clients.ledger import CALL_WITHIN
from halon.contracts.activity import ApplyRequest
from halon.contracts.aftermath import AFTERMATH, Aftermath
from halon.contracts.ledger import Holder
from halon.contracts.plan import Applied
from halon.core.aftermath import Attempt, aftermath
from halon.core.runtime import UNSENT
from halon.errors import TransientError

_APPLY = ".apply"


class Aftermaths:
    """Reads histories."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def activities(self) -> Sequence[Callable[..., Any]]:
        """The activity, for a worker."""
        return (self.look,)

    @activity.defn(name=AFTERMATH)
    async def look(self, run: Holder) -> Aftermath:
        """Give the changes of a run that are, or may be, still in place.

        Raises:
            TransientError: Temporal does not give its history.
        """
        handle = self._client.get_workflow_handle(run.workflow, run_id=run.run)
        asked: dict[int, ApplyRequest] = {}
        answers: dict[int, Applied] = {}
        try:
            async for event in handle.fetch_history_events(rpc_timeout=CALL_WITHIN):
                scheduled = event.activity_task_scheduled_event_attributes
                completed = event.activity_task_completed_event_attributes
                failed = event.activity_task_failed_event_attributes
                if scheduled.activity_type.name.endswith(_APPLY):
                    asked[event.event_id] = await self._decoded(scheduled.input, ApplyRequest)
                elif completed.scheduled_event_id in asked:
                    answers[completed.scheduled_event_id] = await self._decoded(completed.result, Applied)
                elif failed.failure.application_failure_info.type in UNSENT:
                    asked.pop(failed.scheduled_event_id, None)
        except RPCError as error:
            raise TransientError(f"Temporal does not give the history of {run.workflow}: {error.message}") from error
        return aftermath(Attempt(request, answers.get(number)) for number, request in asked.items())

    async def _decoded(self, payloads: Payloads, kind: type[Any]) -> Any:
        [value] = await self._client.data_converter.decode(payloads.payloads, [kind])
        return value
