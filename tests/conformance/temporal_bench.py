"""A Temporal server that skips time, and a worker whose activities answer by script, shared by all cases.

Nothing outside decides when something happens: decisions, resolution and cancellation are sent at workflow time by a
workflow of the bench, which the activity starts that writes the question down.
"""

import contextlib
import sysconfig
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from cases import ACTIONS, Case, Ran
from temporalio import activity, workflow
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.client import Client
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
from halon.contracts.ledger import ADMIT, CLEARANCE, Admission, AdmissionRequest, ClearanceRequest
from halon.contracts.people import ELECTORATE, Electorate, ElectorateRequest
from halon.contracts.plan import Applied, Plan, ReadResult, Settlement
from halon.contracts.run import APPROVE_SIGNAL, CLEARED_SIGNAL, DENY_SIGNAL
from halon.core.runtime import ActionFailed
from halon.core.virtual import START, Answer, Reply
from halon.playbook.scripted import ScriptedWorld
from workflows.remediation import WRITE_AFTER, Remediation

QUEUE = "conformance"
_BETWEEN = timedelta(milliseconds=200)
"""Between two replies of one instant, so that the first has been counted when the next one comes."""
_GATHERED = WRITE_AFTER + timedelta(seconds=1)
"""After a question, the record of it has been written: records gather before they are."""
_ANSWERED = frozenset({AuditKind.APPROVED, AuditKind.DENIED, AuditKind.EXPIRED})
_POLL = timedelta(minutes=1)
"""Between looks for what is not there yet."""

T = TypeVar("T")


@workflow.defn(name="Outside", sandboxed=False)
class Outside:
    """Sends something to a run at its time."""

    def __init__(self) -> None:
        self._dropped = False

    @workflow.run
    async def run(self, run: str, at: float, signal: str, value: Any) -> None:
        """At this time, or at once when it has passed, send `signal`; without a name of one, cancel."""
        with contextlib.suppress(TimeoutError):
            await workflow.wait_condition(lambda: self._dropped, timeout=max(at - workflow.time(), 0.0))
        if not self._dropped:
            # Not from here: the server's clock may run on while a workflow reaches another, and stands in an activity.
            args = [run, signal, value]
            await workflow.execute_activity("send", args=args, start_to_close_timeout=timedelta(seconds=10))

    @workflow.signal
    def drop(self) -> None:
        """Do not send it: the question has been answered."""
        self._dropped = True


@dataclass(slots=True)
class _Open:
    """A case that runs."""

    world: ScriptedWorld
    replies: list[Reply]
    sending: list[tuple[str, str, Reply]] = field(default_factory=list[tuple[str, str, Reply]])
    """Question, workflow that sends, and what."""
    records: dict[int, AuditRecord] = field(default_factory=dict[int, AuditRecord])


@dataclass
class Bench:
    """Runs cases on Temporal."""

    environment: WorkflowEnvironment
    _open: dict[str, _Open] = field(default_factory=dict[str, _Open])
    _late: dict[tuple[str, str], Answer[Any]] = field(default_factory=dict[tuple[str, str], Answer[Any]])
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
        began = await self.environment.get_current_time()
        for after, decision in course.arrivals:
            given = DecisionInput(by=decision.by, step=decision.step, plan=decision.plan)
            await self._send(spec.incident, began + after, _signal(decision.verdict), given.model_dump(mode="json"))
        if course.resolves_after is not None:
            await self._send(spec.incident, began + course.resolves_after, CLEARED_SIGNAL, value=True)
        for after in course.cancels:
            await self._send(spec.incident, began + after, "", value=None)
        result = await handle.result()
        told = [record for _, record in sorted(one.records.items())]
        return Ran(
            result=result,
            story=tuple((record.kind.value, record.step, record.actor, record.message) for record in told),
            took=told[-1].at - told[0].at,
        )

    def activities(self) -> Sequence[Callable[..., Any]]:
        """Every action under the names that a real one has."""
        made: list[Callable[..., Any]] = [
            self.send,
            _named(APPEND, AppendRequest, self._append),
            _named(ADMIT, AdmissionRequest, self._admit),
            _named(ELECTORATE, ElectorateRequest, self._electorate),
            _named(CLEARANCE, ClearanceRequest, self._clearance),
        ]
        for action in ACTIONS.values():
            if action.changes:
                made += [
                    _named(f"{action.name}.plan", PlanRequest, self._plan),
                    _named(f"{action.name}.apply", ApplyRequest, self._apply),
                    _named(f"{action.name}.confirm", ConfirmRequest, self._confirm),
                ]
            else:
                made.append(_named(action.name, ReadRequest, self._read))
        return made

    @activity.defn
    async def send(self, run: str, signal: str, value: Any) -> None:
        """Reach a run from outside."""
        handle = self.client.get_workflow_handle(run)
        await (handle.signal(signal, value) if signal else handle.cancel())

    async def _append(self, given: AppendRequest) -> None:
        for record in given.records:
            one = self._open[record.incident]
            one.records[record.sequence] = record
            if record.kind is AuditKind.APPROVAL_ASKED:
                await self._reply(one, record)
            elif record.kind in {AuditKind.DECISION_TAKEN, AuditKind.DECISION_REFUSED}:
                said = (record.step, record.actor.casefold())
                one.sending = [each for each in one.sending if (each[0], each[2].by.casefold()) != said]
            elif record.kind in _ANSWERED:
                await self._drop(one, record.step)

    async def _reply(self, one: _Open, asked: AuditRecord) -> None:
        """Let everybody reply who still has something to say about this step, each in their time."""
        mine = [reply for reply in one.replies if reply.step in {asked.step, asked.step.rpartition(".")[2]}]
        for index, reply in enumerate(mine):
            one.replies.remove(reply)
            given = DecisionInput(
                by=reply.by,
                comment=reply.comment,
                plan=reply.plan,
                step=asked.step,
                break_glass=reply.break_glass,
            )
            at = asked.at + max(reply.after, _GATHERED) + index * _BETWEEN
            sender = await self._send(asked.incident, at, _signal(reply.verdict), given.model_dump(mode="json"))
            one.sending.append((asked.step, sender, reply))

    async def _drop(self, one: _Open, step: str) -> None:
        """What was not said to this question is for the next one of its step."""
        for question, sender, reply in one.sending:
            if question == step:
                await self.client.get_workflow_handle(sender).signal("drop")
                one.replies.append(reply)
        one.sending = [each for each in one.sending if each[0] != step]

    async def _send(self, run: str, at: datetime, signal: str, value: Json) -> str:
        self._sent += 1
        args = [run, at.timestamp(), signal, value]
        await self.client.start_workflow("Outside", args=args, id=f"outside-{self._sent}", task_queue=QUEUE)
        return f"outside-{self._sent}"

    async def _admit(self, given: AdmissionRequest) -> Admission:
        return self._answer(lambda: self._open[given.incident].world.admit(given, START))

    async def _electorate(self, given: ElectorateRequest) -> Electorate:
        return self._answer(lambda: self._open[given.incident].world.electorate(given))

    async def _clearance(self, given: ClearanceRequest) -> bool:
        return True

    async def _read(self, given: ReadRequest) -> ReadResult:
        return self._answer(lambda: self._world(given).read(given.call, given.step))

    async def _plan(self, given: PlanRequest) -> Plan:
        return self._answer(lambda: self._world(given).plan(given.call, given.step, given.undoing))

    async def _apply(self, given: ApplyRequest) -> Applied:
        return self._answer(lambda: self._world(given).apply(given.plan, given.step, given.key))

    async def _confirm(self, given: ConfirmRequest) -> Settlement:
        found = self._answer(lambda: self._world(given).confirm(given.plan, given.step))
        if found.state == "waiting":
            raise ApplicationError(found.reason, type="waiting", next_retry_delay=_POLL)
        return found

    def _world(self, given: ReadRequest | PlanRequest | ApplyRequest | ConfirmRequest) -> ScriptedWorld:
        return self._open[given.incident].world

    def _answer(self, ask: Callable[[], Answer[T]]) -> T:
        """Give what the world answers. It takes as long by failing once, so that the server does the waiting."""
        info = activity.info()
        late = self._late.pop((info.workflow_run_id or "", info.activity_id), None)
        answer: Answer[Any] = late or ask()
        if answer.takes and late is None:
            self._late[info.workflow_run_id or "", info.activity_id] = answer
            raise ApplicationError("not yet", type="waiting", next_retry_delay=answer.takes)
        if isinstance(answer.value, ActionFailed):
            raise ApplicationError(answer.value.reason, type=answer.value.kind, non_retryable=True)
        found: T = answer.value
        return found


@asynccontextmanager
async def bench() -> AsyncGenerator[Bench]:
    """Start the server and the worker, with the decisions inside the sandbox too."""
    server = Path(sysconfig.get_path("scripts")) / "temporal-test-server"
    environment = await WorkflowEnvironment.start_time_skipping(
        test_server_existing_path=str(server), data_converter=pydantic_data_converter
    )
    async with environment:
        request = AddSearchAttributesRequest(namespace="default", search_attributes=SEARCH_ATTRIBUTES)
        await environment.client.operator_service.add_search_attributes(request)
        one = Bench(environment)
        async with Worker(
            environment.client,
            task_queue=QUEUE,
            workflows=[Remediation, Outside],
            activities=one.activities(),
            workflow_runner=worker.workflow_runner(guard_core=True),
        ):
            yield one


def _named(name: str, request: type[Any], work: Callable[[Any], Awaitable[Any]]) -> Callable[..., Any]:
    """An activity of this name; the converter reads from its annotation what to make of the input."""

    async def run(given: Any) -> Any:
        return await work(given)

    run.__annotations__ = {"given": request}
    return activity.defn(name=name)(run)


def _signal(verdict: Verdict) -> str:
    return APPROVE_SIGNAL if verdict is Verdict.APPROVE else DENY_SIGNAL
