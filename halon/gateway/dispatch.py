"""Handing matched alerts to Temporal: signal-with-start of the incident, accepted before anybody gets a 2xx."""

import asyncio
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from temporalio.api.errordetails.v1 import NamespaceNotFoundFailure
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client  # the gateway is no workflow
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.service import RPCError, RPCStatusCode

from halon.clients.temporal import why_unreachable
from halon.contracts.alert import Alert, AlertStatus
from halon.contracts.incident import MAX_BATCH, AlertBatch
from halon.contracts.plan import Effect
from halon.contracts.playbook import Playbook
from halon.contracts.run import ALERTS_SIGNAL, INCIDENT_WORKFLOW, REMEDIATION_WORKFLOW, SearchAttribute
from halon.core.grouping import AlertGroup
from halon.core.library import NOTHING_ARRANGED, Arrangements, incident_input
from halon.core.markdown import plain
from halon.errors import PermanentError, TransientError
from halon.gateway.repeats import Report
from halon.redaction import cut_text

MAX_SIGNAL = 800_000
"""Bytes of alerts a signal, well below the 2 MB that Temporal takes in a payload."""
MAX_IN_FLIGHT = 32
"""Calls to Temporal at the same time, over all requests."""
_RETRY_AFTER = timedelta(seconds=5)
_CHECK_TIMEOUT = timedelta(seconds=2)
_SHOWN_LABELS = 20
_SHOWN_VALUE = 120
_OPEN = f"WorkflowType = '{INCIDENT_WORKFLOW}' AND ExecutionStatus = 'Running'"
_WAITING = (
    f"WorkflowType = '{REMEDIATION_WORKFLOW}' AND ExecutionStatus = 'Running' AND {SearchAttribute.WAITING} = true"
)


@dataclass(frozen=True, slots=True)
class OpenWork:
    """What is going on in the whole installation, not only through this gateway."""

    incidents: int
    """Incidents that are open."""
    waiting: int
    """Runs that wait for people to decide."""


class Dispatcher(Protocol):
    """Hands groups of alerts to whatever runs incidents."""

    async def dispatch(self, group: AlertGroup) -> bool:
        """Hand over; returns once the alerts are durable, and whether anybody takes them.

        Raises:
            TransientError: they may not be; the sender has to send them again.
            PermanentError: sending them again cannot help.
        """
        ...

    async def tell_repeats(self, report: Report) -> bool:
        """Tell an incident how often its alerts came again; returns once that is durable, and whether one is open.

        Raises:
            TransientError: it may not be told; ask again later.
            PermanentError: it cannot be told.
        """
        ...

    async def open_work(self) -> OpenWork:
        """Count what is going on.

        Raises:
            TransientError: it cannot be counted now.
        """
        ...

    async def check(self) -> None:
        """Ask whether it could take alerts now.

        Raises:
            TransientError: it could not, and why.
        """
        ...


class TemporalDispatcher:
    """Hands groups to Incident workflows, whose id is the group's."""

    def __init__(
        self,
        client: Client,
        task_queue: str,
        catalogue: Mapping[str, Playbook],
        effects: Mapping[str, Effect],
        timeout: timedelta,
        *,
        arrangements: Arrangements = NOTHING_ARRANGED,
    ) -> None:
        self._client = client
        self._task_queue = task_queue
        self._catalogue = catalogue
        self._effects = effects
        self._timeout = timeout
        self._arrangements = arrangements
        self._slots = asyncio.Semaphore(MAX_IN_FLIGHT)

    async def dispatch(self, group: AlertGroup) -> bool:
        """Signal the incident, starting it when an alert fires and none runs.

        A group that has only resolved alerts starts nothing: without an incident nobody takes them.

        Raises:
            TransientError: Temporal did not accept in time, or not at all.
            PermanentError: Temporal will never accept this.
        """
        starts = any(alert.status is AlertStatus.FIRING for alert in group.alerts)
        async with self._calling():
            for batch in batches(group.alerts):
                if starts:
                    await self._signal_with_start(group, batch)
                elif not await self._signal(group.id, batch):
                    return False
        return True

    async def tell_repeats(self, report: Report) -> bool:
        """Signal the incident, if one is open.

        Raises:
            TransientError: Temporal did not accept in time, or not at all.
            PermanentError: Temporal will never accept this, for example because the incident has had too many signals.
        """
        async with self._calling():
            return await self._signal(report.account, AlertBatch(repeats=report.firing, ends=report.resolved))

    async def open_work(self) -> OpenWork:
        """Ask Temporal, whose answer may be a second old.

        Raises:
            TransientError: Temporal does not answer, or `halon setup` was not done.
        """
        try:
            async with asyncio.timeout(_CHECK_TIMEOUT.total_seconds()):
                incidents = await self._client.count_workflows(_OPEN, rpc_timeout=_CHECK_TIMEOUT)
                waiting = await self._client.count_workflows(_WAITING, rpc_timeout=_CHECK_TIMEOUT)
        except TimeoutError as error:
            raise TransientError("Temporal does not answer in time") from error
        except RPCError as error:
            raise TransientError(f"Temporal: {cut_text(error.message, 200)}") from error
        except RuntimeError as error:
            raise _unreachable(error) from error
        return OpenWork(incidents=incidents.count, waiting=waiting.count)

    async def check(self) -> None:
        """Ask for the namespace.

        Raises:
            TransientError: Temporal does not answer, or does not have it.
        """
        request = DescribeNamespaceRequest(namespace=self._client.namespace)
        try:
            async with asyncio.timeout(_CHECK_TIMEOUT.total_seconds()):
                await self._client.workflow_service.describe_namespace(request, retry=False, timeout=_CHECK_TIMEOUT)
        except TimeoutError as error:
            raise TransientError("Temporal does not answer in time") from error
        except RPCError as error:
            raise TransientError(f"Temporal: {cut_text(error.message, 200)}") from error
        except RuntimeError as error:
            raise _unreachable(error) from error

    async def _signal_with_start(self, group: AlertGroup, batch: AlertBatch) -> None:
        playbook = group.playbook
        given = incident_input(group.id, playbook, self._catalogue, self._effects, self._arrangements)
        await self._client.start_workflow(
            INCIDENT_WORKFLOW,
            given,
            id=group.id,
            task_queue=self._task_queue,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            start_signal=ALERTS_SIGNAL,
            start_signal_args=[batch],
            memo={"playbook": playbook.metadata.name, "playbook_digest": playbook.digest},
            static_summary=cut_text(playbook.metadata.title, 190),
            static_details=details(group),
            rpc_timeout=self._timeout,
        )

    @asynccontextmanager
    async def _calling(self) -> AsyncGenerator[None]:
        """Hold the calls of the block to the bounds, and translate what goes wrong."""
        try:
            async with asyncio.timeout(self._timeout.total_seconds()), self._slots:
                yield
        except TimeoutError as error:
            raise TransientError("Temporal did not accept the alerts in time", retry_after=_RETRY_AFTER) from error
        except RPCError as error:
            raise _translated(error) from error
        except RuntimeError as error:  # what the client raises as long as it has never been connected
            raise _unreachable(error) from error

    async def _signal(self, group: str, batch: AlertBatch) -> bool:
        try:
            await self._client.get_workflow_handle(group).signal(ALERTS_SIGNAL, batch, rpc_timeout=self._timeout)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND or _no_namespace(error):
                raise
            return False
        return True


def batches(alerts: Sequence[Alert]) -> Iterator[AlertBatch]:
    """Cut alerts into signals, each within Temporal's limits, in order."""
    batch: list[Alert] = []
    size = 0
    for alert in alerts:
        length = len(alert.model_dump_json().encode())
        if batch and (len(batch) == MAX_BATCH or size + length > MAX_SIGNAL):
            yield AlertBatch(alerts=tuple(batch))
            batch, size = [], 0
        batch.append(alert)
        size += length
    if batch:
        yield AlertBatch(alerts=tuple(batch))


def details(group: AlertGroup) -> str:
    """Tell in Temporal's UI, as Markdown, what opened the incident."""
    first, metadata = group.alerts[0], group.playbook.metadata
    rows = [
        ("Alert", first.name),
        ("Source", first.source),
        ("Since", first.starts_at.isoformat()),
        ("Playbook", f"{metadata.name} (owner {metadata.owner})"),
        ("Runbook", metadata.runbook),
        *sorted(first.labels.items())[:_SHOWN_LABELS],
    ]
    lines = [f"| {plain(name, _SHOWN_VALUE)} | {plain(value, _SHOWN_VALUE)} |" for name, value in rows if value]
    return "\n".join(["| | |", "|---|---|", *lines])


def _translated(error: RPCError) -> TransientError | PermanentError:
    message = cut_text(error.message, 200)
    if error.status is RPCStatusCode.INVALID_ARGUMENT:
        return PermanentError(f"Temporal refuses the incident: {message}")
    return TransientError(f"Temporal did not accept the alerts: {message}", retry_after=_RETRY_AFTER)


def _unreachable(error: RuntimeError) -> TransientError:
    return TransientError(
        f"Temporal cannot be reached: {cut_text(why_unreachable(error), 200)}", retry_after=_RETRY_AFTER
    )


def _no_namespace(error: RPCError) -> bool:
    details_of = error.grpc_status.details
    return any(detail.Is(NamespaceNotFoundFailure.DESCRIPTOR) for detail in details_of)
