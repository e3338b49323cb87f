"""Who polls a task queue: whether the worker of a cluster or an account is there before anything is sent to it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from halon.contracts.routes import Carrier
from halon.errors import PermissionDenied, TransientError

ALIVE = timedelta(minutes=2)
"""A worker asks for work at least once a minute; Temporal lists it for longer after it has ended. The rest is for
clocks that differ."""
LOOK_WITHIN = timedelta(seconds=5)
_REFUSED = (RPCStatusCode.PERMISSION_DENIED, RPCStatusCode.UNAUTHENTICATED)
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Poller:
    """A process that asks for work."""

    identity: str
    """Its process number and host, as Temporal shows it."""
    last_seen: datetime

    def is_alive(self, now: datetime) -> bool:
        """Whether it asked lately."""
        return self.last_seen > now - ALIVE


class Presence:
    """Asks Temporal who is there."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def pollers(self, queue: str, *, workflows: bool = False) -> Sequence[Poller]:
        """Give who asked for activities lately, or for workflows; the last one first.

        Raises:
            TransientError: Temporal does not answer.
            PermissionDenied: it does not let these credentials ask.
        """
        kind = TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW if workflows else TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY
        request = DescribeTaskQueueRequest(
            namespace=self._client.namespace, task_queue=TaskQueue(name=queue), task_queue_type=kind
        )
        try:
            answer = await self._client.workflow_service.describe_task_queue(request, timeout=LOOK_WITHIN)
        except RPCError as error:
            if error.status in _REFUSED:
                raise PermissionDenied(f"Temporal does not let these credentials ask who polls {queue}") from error
            raise TransientError(f"Temporal does not say who polls {queue}: {error.message}") from error
        found = [Poller(one.identity, one.last_access_time.ToDatetime(UTC)) for one in answer.pollers]
        now = datetime.now(UTC)
        return sorted((one for one in found if one.is_alive(now)), key=lambda one: one.last_seen, reverse=True)

    async def absent(self, workers: Sequence[Carrier]) -> tuple[Carrier, ...]:
        """Give those of these workers that are not there. Where nobody may ask, all are taken to be there.

        Raises:
            TransientError: Temporal does not answer.
        """
        missing: dict[str, bool] = {}
        for one in workers:
            if one.queue not in missing:
                missing[one.queue] = await self._nobody(one)
        return tuple(one for one in workers if missing[one.queue])

    async def _nobody(self, worker: Carrier) -> bool:
        try:
            return not await self.pollers(worker.queue)
        except PermissionDenied as error:
            log.warning("workers.unknown", target=worker.target, reason=str(error))
            return False
