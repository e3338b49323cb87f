"""Sending activities to the worker that carries them out: the central one, or that of a cluster or an account.

A worker that is not there is found out before anything is sent to it, and else because nothing is taken from its queue.
What was never taken never began; what was taken once is waited for as long as it may last, for it may have had effect.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError, TimeoutType, is_cancelled_exception
from temporalio.exceptions import TimeoutError as TemporalTimeoutError

from halon.contracts.base import format_duration
from halon.contracts.plan import ActionCall
from halon.contracts.routes import ABSENT, Absent, AbsentRequest, Carrier, Routes
from halon.core.routing import carrier_of
from halon.core.runtime import ActionFailed

ATTEMPT = timedelta(seconds=60)
"""Bound on one attempt of an activity."""
HEARTBEAT = timedelta(seconds=8)
"""An attempt whose worker is silent for so long is given to another worker."""
TAKEN_WITHIN = timedelta(seconds=30)
"""How long the worker of a cluster or an account may take to begin, as long as nothing of it has been changed."""
PRESENT_FOR = timedelta(minutes=1)
"""How long a run takes a worker to be there that it has seen."""
LOOK_WITHIN = timedelta(seconds=20)
RETRY = RetryPolicy(initial_interval=timedelta(milliseconds=250), maximum_interval=timedelta(seconds=15))

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Errand:
    """An activity to be run, in the words of Temporal."""

    name: str
    request: Any
    within: timedelta
    """Bound on all attempts."""
    summary: str
    call: ActionCall | None = None
    """The action that it is a part of, which says where; without it the central worker does it."""
    patient: bool = False
    """Something has been changed already: its worker is waited for as long as the errand may last."""


class Dispatch:
    """Runs the activities of one run where they belong."""

    def __init__(self, routes: Routes) -> None:
        self._routes = routes
        self._seen: dict[str, datetime] = {}

    async def run(self, errand: Errand, answer: type[T]) -> T:
        """Run it to its end.

        Raises:
            ActionFailed: it failed for good; `no_worker` says that it never began.
        """
        call = errand.call
        carrier = carrier_of(self._routes, call.action, call.params) if call else None
        if carrier is None:
            return await _answered(errand, answer, errand.within)
        if not errand.patient:
            await self._look(carrier)
        begun_at = workflow.now()
        patience = errand.within if errand.patient else min(TAKEN_WITHIN, errand.within)
        try:
            return await _answered(errand, answer, errand.within, carrier, patience)
        except _Abandoned as abandoned:
            return await self._taken_up(errand, answer, carrier, begun_at, abandoned)

    async def _taken_up(
        self, errand: Errand, answer: type[T], carrier: Carrier, begun_at: datetime, abandoned: "_Abandoned"
    ) -> T:
        """Have another worker take up what one began: it may have had effect, so it must not be taken for not begun."""
        left = errand.within - (workflow.now() - begun_at)
        if left <= timedelta():
            raise abandoned.failure from abandoned
        try:
            return await _answered(errand, answer, left, carrier, left)
        except _Abandoned as again:
            raise again.failure from again
        except ActionFailed as failure:
            if failure.kind != "no_worker":
                raise
            reason = f"the worker that had begun it was lost, and then: {failure.reason}"
            raise ActionFailed(reason, kind="timeout") from failure

    async def _look(self, carrier: Carrier) -> None:
        """See that the worker is there, unless it was seen a moment ago.

        Raises:
            ActionFailed: it is not.
        """
        seen = self._seen.get(carrier.queue)
        if seen is not None and workflow.now() - seen < PRESENT_FOR:
            return
        found = await asked(ABSENT, AbsentRequest(workers=(carrier,)), Absent, LOOK_WITHIN)
        if found.workers:
            raise ActionFailed(carrier.missing, kind="no_worker")
        self._seen[carrier.queue] = workflow.now()


class _Abandoned(Exception):  # noqa: N818  # a fact that the dispatch handles
    """A worker began and was lost, and no other took it up in time."""

    def __init__(self, failure: ActionFailed) -> None:
        super().__init__(failure.reason)
        self.failure = failure


async def _answered(
    errand: Errand,
    answer: type[T],
    within: timedelta,
    carrier: Carrier | None = None,
    patience: timedelta | None = None,
) -> T:
    try:
        found: T = await workflow.execute_activity(
            errand.name,
            errand.request,
            result_type=answer,
            task_queue=carrier.queue if carrier else None,
            schedule_to_start_timeout=patience,
            schedule_to_close_timeout=within,
            start_to_close_timeout=min(ATTEMPT, within),
            heartbeat_timeout=HEARTBEAT,
            retry_policy=RETRY,
            summary=errand.summary[:200],
        )
    except ActivityError as error:
        if is_cancelled_exception(error):
            raise asyncio.CancelledError from error
        cause = error.cause
        not_taken = isinstance(cause, TemporalTimeoutError) and cause.type is TimeoutType.SCHEDULE_TO_START
        if carrier is None or patience is None or not not_taken:
            raise _failed(error) from error
        if cause is not None and cause.__cause__ is not None:  # what became of an attempt that had begun
            raise _Abandoned(_failed(error)) from error
        waited = f"none took it within {format_duration(patience)}"
        raise ActionFailed(f"{carrier.missing} ({waited})", kind="no_worker") from error
    return found


async def asked(name: str, request: Any, answer: type[T], within: timedelta) -> T:
    """Ask the central worker itself, by an activity that stays in it.

    Raises:
        ActionFailed: it did not answer.
    """
    try:
        found: T = await workflow.execute_local_activity(
            name,
            request,
            result_type=answer,
            schedule_to_close_timeout=within,
            start_to_close_timeout=within,
            retry_policy=RETRY,
        )
    except ActivityError as error:
        if is_cancelled_exception(error):
            raise asyncio.CancelledError from error
        raise _failed(error) from error
    return found


def _failed(error: ActivityError) -> ActionFailed:
    """Translate Temporal's failure; the last attempt's own words are worth more than 'timed out'."""
    cause: BaseException | None = error.cause
    late = isinstance(cause, TemporalTimeoutError)
    if isinstance(cause, TemporalTimeoutError) and isinstance(cause.cause, ApplicationError):
        cause = cause.cause
    if isinstance(cause, ApplicationError):
        return ActionFailed(cause.message, kind=cause.type or "failed")
    if late:
        return ActionFailed("no worker answered in time", kind="timeout")
    return ActionFailed(str(cause or error), kind="failed")
