"""A Temporal server that skips time, and a worker whose activities answer by script, shared by all cases.

Nothing outside decides when something happens: decisions, resolution and cancellation are sent at workflow time by a
workflow of the bench, which the activity starts that writes the question down.
"""

import sysconfig
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from cases import ACTIONS, Case, Ran
from temporalio import activity, workflow
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.client import Client, WorkflowFailureError
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

import worker
from halon.clients.temporal import SEARCH_ATTRIBUTES
from halon.contracts.activity import ApplyRequest, ConfirmRequest, PlanRequest, ReadRequest
from halon.contracts.audit import AuditKind, AuditRecord
from halon.contracts.base import Json
from halon.contracts.bookkeeping import APPEND, AppendRequest
from halon.contracts.decision import DecisionInput, Verdict
from halon.contracts.outcome import RunResult
from halon.contracts.plan import Applied, Plan, ReadResult, Settlement
from halon.contracts.run import APPROVE_SIGNAL, CLEARED_SIGNAL, DENY_SIGNAL
from halon.core.runtime import ActionFailed
from halon.core.virtual import Answer, Reply
from halon.playbook.scripted import ScriptedWorld
from workflows.remediation import Remediation

QUEUE = "conformance"
_POLL = timedelta(minutes=1)
"""Between looks for what is not there yet."""

T = TypeVar("T")


@workflow.defn(name="Outside", sandboxed=False)
class Outside:
    """Sends something to a run at its time."""

    @workflow.run
    async def run(self, run: str, after: float, signal: str, value: Any) -> None:
        """After so many seconds send `signal`; without a name of one, cancel."""
        await workflow.sleep(after)
        handle = workflow.get_external_workflow_handle(run)
        if signal:
            await handle.signal(signal, value)
        else:
            await handle.cancel()


@dataclass(slots=True)
class _Open:
    """A case that runs."""

    world: ScriptedWorld
    replies: list[Reply]
    records: dict[int, AuditRecord] = field(default_factory=dict[int, AuditRecord])


@dataclass
class Bench:
    """Runs cases on Temporal."""

    environment: WorkflowEnvironment
    _open: dict[str, _Open] = field(default_factory=dict[str, _Open])
    _sent: int = 0

    @property
    def client(self) -> Client:
        return self.environment.client

    async def run(self, case: Case) -> Ran:
        """Run one case to its end."""
        spec, course = case.spec, case.course
        one = self._open[spec.incident] = _Open(case.world(), list(course.replies))
        handle = await self.client.start_workflow(
            Remediation.run, spec, id=spec.incident, task_queue=QUEUE, execution_timeout=timedelta(days=30)
        )
        for after, decision in course.arrivals:
            given = DecisionInput(by=decision.by, step=decision.step, plan=decision.plan)
            await self._send(spec.incident, after, _signal(decision.verdict), given.model_dump(mode="json"))
        if course.resolves_after is not None:
            await self._send(spec.incident, course.resolves_after, CLEARED_SIGNAL, True)
        for after in course.cancels:
            await self._send(spec.incident, after, "", None)
        result = await handle.result()
        told = [record for _, record in sorted(one.records.items())]
        return Ran(
            result=result,
            story=tuple((record.kind.value, record.step, record.actor, record.message) for record in told),
            took=told[-1].at - told[0].at,
        )

    def activities(self) -> Sequence[Callable[..., Any]]:
        """Every action under the names that a real one has."""
        made: list[Callable[..., Any]] = [activity.defn(name=APPEND)(self._append)]
        for action in ACTIONS.values():
            if action.changes:
                made += [
                    activity.defn(name=f"{action.name}.plan")(self._plan),
                    activity.defn(name=f"{action.name}.apply")(self._apply),
                    activity.defn(name=f"{action.name}.confirm")(self._confirm),
                ]
            else:
                made.append(activity.defn(name=action.name)(self._read))
        return made

    async def _append(self, given: AppendRequest) -> None:
        for record in given.records:
            one = self._open[record.incident]
            one.records[record.sequence] = record
            if record.kind is AuditKind.APPROVAL_ASKED:
                await self._reply(one, record)

    async def _reply(self, one: _Open, asked: AuditRecord) -> None:
        mine = [reply for reply in one.replies if reply.step in {asked.step, asked.step.rpartition(".")[2]}]
        for reply in mine:
            one.replies.remove(reply)
            given = DecisionInput(by=reply.by, comment=reply.comment, plan=reply.plan, step=asked.step)
            await self._send(asked.incident, reply.after, _signal(reply.verdict), given.model_dump(mode="json"))

    async def _send(self, run: str, after: timedelta, signal: str, value: Json) -> None:
        self._sent += 1
        args = [run, after.total_seconds(), signal, value]
        await self.client.start_workflow("Outside", args=args, id=f"outside-{self._sent}", task_queue=QUEUE)

    async def _read(self, given: ReadRequest) -> ReadResult:
        return _answer(lambda: self._world(given).read(given.call, given.step))

    async def _plan(self, given: PlanRequest) -> Plan:
        return _answer(lambda: self._world(given).plan(given.call, given.step, given.undoing))

    async def _apply(self, given: ApplyRequest) -> Applied:
        return _answer(lambda: self._world(given).apply(given.plan, given.step, given.key))

    async def _confirm(self, given: ConfirmRequest) -> Settlement:
        found = _answer(lambda: self._world(given).confirm(given.plan, given.step))
        if found.state == "waiting":
            raise ApplicationError(found.reason, type="waiting", next_retry_delay=_POLL)
        return found

    def _world(self, given: ReadRequest | PlanRequest | ApplyRequest | ConfirmRequest) -> ScriptedWorld:
        return self._open[given.incident].world


def _answer(ask: Callable[[], Answer[T]]) -> T:
    """Give what the world answers, and take as long: by failing once, so that the server does the waiting."""
    if activity.info().attempt > 1:
        return _LATE.pop(activity.info().activity_id)
    answer = ask()
    return answer.value


def _signal(verdict: Verdict) -> str:
    return APPROVE_SIGNAL if verdict is Verdict.APPROVE else DENY_SIGNAL
