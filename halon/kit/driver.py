"""Puts actions into a Temporal worker: an activity for a read, three for a change, errors translated in one place.

A read is registered under its own name, a change as `<name>.plan`, `<name>.apply` and `<name>.confirm`; the requests
are in `halon.contracts.activity`. Waiting holds no slot: a confirm that is not there yet fails with a delay, and the
server tries it again. What an action means is in `halon.kit.lifecycle`.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, TypeVar

import structlog
from opentelemetry import metrics, trace
from opentelemetry.trace import Status, StatusCode
from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from halon.contracts.activity import ApplyRequest, ConfirmRequest, PlanRequest, ReadRequest
from halon.contracts.plan import Applied, Plan, ReadResult, Settlement
from halon.errors import (
    Conflict,
    HalonError,
    InvalidInput,
    Misconfigured,
    NotFound,
    PermanentError,
    PermissionDenied,
    TransientError,
)
from halon.kit.action import Change
from halon.kit.env import Env
from halon.kit.lifecycle import Lifecycle
from halon.kit.permits import Permits
from halon.kit.registry import Registry
from halon.redaction import redact_text

MAX_SAID = 4000
"""Characters of an error that go on to histories, traces and people."""
MAX_CALL = timedelta(seconds=45)
"""Bound on one attempt on this side; keep it below the activity's start-to-close time-out (60 s)."""
BEAT = timedelta(seconds=2)
"""Between two heartbeats; workflows take a worker for dead after `HEARTBEAT` in `workflows/dispatch.py`."""
CENTRAL = "central"
"""What the worker is called that runs the playbooks."""
_SLOWEST_POLL = 10
"""A confirm's delay doubles up to this many times the first one."""

_KINDS: tuple[tuple[type[PermanentError], str], ...] = (
    (NotFound, "not_found"),
    (PermissionDenied, "permission_denied"),
    (InvalidInput, "invalid_input"),
    (Misconfigured, "misconfigured"),
)
"""The machine word of each permanent error that somebody handles differently; every other one is `failed`."""

_log = structlog.get_logger(__name__)
_tracer = trace.get_tracer("halon.kit")
_durations = metrics.get_meter("halon.kit").create_histogram(
    "halon.action.duration",
    unit="s",
    description="How long an attempt at a phase of an action took, by action, phase, result and worker",
    explicit_bucket_boundaries_advisory=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 45),
)

T = TypeVar("T")


def action_activities(
    registry: Registry,
    env: Env,
    permits: Permits | None = None,
    *,
    max_call: timedelta = MAX_CALL,
    carrier: str = CENTRAL,
) -> list[Callable[..., Any]]:
    """Give the activities of every action in `registry`, for a worker that reaches the world through `env`.

    `permits` is asked right before every write. Without it nobody is: for tests of actions alone. `carrier` is the
    worker in whose name they run, for logs, traces and metrics.
    """
    edge = _Edge(Lifecycle(registry, env, permits), max_call, carrier)
    activities: list[Callable[..., Any]] = []
    for name in registry.names:
        if issubclass(registry.action(name), Change):
            activities += [_plan(name, edge), _apply(name, edge), _confirm(name, edge)]
        else:
            activities.append(_read(name, edge))
    return activities


def _read(name: str, edge: "_Edge") -> Callable[..., Any]:
    @activity.defn(name=name)
    async def read(request: ReadRequest) -> ReadResult:
        return await edge.run(name, "read", request, lambda: edge.lifecycle.read(request))

    return read


def _plan(name: str, edge: "_Edge") -> Callable[..., Any]:
    @activity.defn(name=f"{name}.plan")
    async def plan(request: PlanRequest) -> Plan:
        return await edge.run(name, "plan", request, lambda: edge.lifecycle.plan(request))

    return plan


def _apply(name: str, edge: "_Edge") -> Callable[..., Any]:
    @activity.defn(name=f"{name}.apply")
    async def apply(request: ApplyRequest) -> Applied:
        return await edge.run(name, "apply", request, lambda: edge.lifecycle.apply(request))

    return apply


def _confirm(name: str, edge: "_Edge") -> Callable[..., Any]:
    @activity.defn(name=f"{name}.confirm")
    async def confirm(request: ConfirmRequest) -> Settlement:
        settlement = await edge.run(name, "confirm", request, lambda: edge.lifecycle.confirm(request))
        if settlement.state == "waiting":
            delay = request.poll * min(2 ** min(activity.info().attempt - 1, 10), _SLOWEST_POLL)
            benign = ApplicationErrorCategory.BENIGN  # not yet there is no failure to log
            raise ApplicationError(settlement.reason, type="waiting", next_retry_delay=delay, category=benign)
        return settlement

    return confirm


class _Edge:
    """Where the kit meets Temporal: bounds a call, translates its error, logs it and puts it into the trace."""

    def __init__(self, lifecycle: Lifecycle, max_call: timedelta, carrier: str) -> None:
        self.lifecycle = lifecycle
        self._carrier = carrier
        self._max_call = max_call

    async def run(
        self,
        name: str,
        phase: str,
        request: ReadRequest | PlanRequest | ApplyRequest | ConfirmRequest,
        call: Callable[[], Awaitable[T]],
    ) -> T:
        """Run one phase of one action.

        Raises:
            ApplicationError: it failed; the type is a machine word, and only what may pass is retried.
        """
        carrier = self._carrier
        log = _log.bind(action=name, phase=phase, incident=request.incident, step=request.step, worker=carrier)
        attributes = {
            "halon.action": name,
            "halon.incident": request.incident,
            "halon.step": request.step,
            "halon.worker": carrier,
        }
        begun = time.perf_counter()

        def measure(result: str) -> None:
            labels = {"action": name, "phase": phase, "result": result, "worker": carrier}
            _durations.record(time.perf_counter() - begun, labels)

        with _tracer.start_as_current_span(
            f"{phase} {name}", attributes=attributes, record_exception=False, set_status_on_exception=False
        ) as span:
            try:
                _check_address(request, name)
                async with asyncio.timeout(self._max_call.total_seconds()), _alive():
                    answer = await call()
            except Exception as error:  # the edge: everything becomes Temporal's error, none is dropped
                failure = translated(error, f"{name} ({phase})")
                measure(failure.type or "failed")
                span.set_status(Status(StatusCode.ERROR, failure.message))
                unexpected = not isinstance(error, HalonError | TimeoutError)
                log.warning(
                    "action failed", kind=failure.type, reason=failure.message, exc_info=error if unexpected else None
                )
                raise failure from None  # what led to it may hold what was masked in it, and the log has it
            measure("ok")
            log.info("action ran", **_said(answer))
            return answer


@asynccontextmanager
async def _alive() -> AsyncGenerator[None]:
    """Tell the server that this attempt goes on, so that it soon knows when the worker has died.

    A call that is over before the first beat costs the server nothing.
    """

    async def beat() -> None:
        while True:
            await asyncio.sleep(BEAT.total_seconds())
            activity.heartbeat()

    beating = asyncio.create_task(beat())
    try:
        yield
    finally:
        beating.cancel()


def translated(error: Exception, where: str) -> ApplicationError:
    """Give Temporal's error for one of ours. What nobody expected is permanent: repeating a defect does not mend it."""
    said = redact_text(str(error), MAX_SAID)  # an API may repeat what it was sent
    if isinstance(error, TransientError):
        return ApplicationError(said, type="unavailable", next_retry_delay=error.retry_after)
    if isinstance(error, TimeoutError):
        return ApplicationError(f"{where} did not answer in time", type="unavailable")
    if isinstance(error, Conflict):
        return ApplicationError(said, type="unavailable")
    if isinstance(error, PermanentError):
        kind = next((word for known, word in _KINDS if isinstance(error, known)), "failed")
        return ApplicationError(said, type=kind, non_retryable=True)
    defect = f"{where} failed with a defect ({type(error).__name__}); the worker's log has the details"
    return ApplicationError(defect, type="failed", non_retryable=True)


def _check_address(request: ReadRequest | PlanRequest | ApplyRequest | ConfirmRequest, name: str) -> None:
    asked = request.call.action if isinstance(request, ReadRequest | PlanRequest) else request.plan.action
    if asked != name:
        raise InvalidInput(f"the request is for {asked}, but came to {name}")


def _said(answer: object) -> dict[str, str]:
    if isinstance(answer, Plan):
        return {"kind": answer.kind, "summary": answer.summary, "plan": answer.digest[:12], "reason": answer.reason}
    if isinstance(answer, Applied):
        return {"status": answer.status, "reason": answer.reason}
    if isinstance(answer, Settlement):
        return {"state": answer.state, "reason": answer.reason}
    return {}
