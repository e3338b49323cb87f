"""The way from what happens to people: news to the workflow that tells them, and each message to its recipients.

Nothing here delays a remedy: news go out behind a run's back, and when nobody takes them they are dropped, with a note.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    FailureError,
    WorkflowAlreadyStartedError,
    is_cancelled_exception,
)
from temporalio.exceptions import TimeoutError as TemporalTimeoutError

from halon.contracts.alert import Alert
from halon.contracts.audit import AuditKind
from halon.contracts.base import JsonObject
from halon.contracts.coordination import (
    COORDINATION_WORKFLOW,
    DELIVER,
    MAX_ALERTS,
    MAX_KEPT,
    MAX_NEWS,
    NEWS_SIGNAL,
    RESOLVE,
    CoordinationInput,
    Delivered,
    DeliverRequest,
    News,
    NewsBatch,
    Notice,
    NoticeState,
    Recipient,
    Recipients,
    ResolveRequest,
)
from halon.contracts.incident import IncidentInput
from halon.core.damping import pause_after
from halon.core.ids import coordination_id
from halon.core.membership import Members
from halon.core.runtime import Event
from workflows.journal import Journal

MAX_WAITING = 200
"""News that wait for the one that is on its way; older ones are dropped and counted."""
MAX_MESSAGE = 2000
_PATIENCE = (timedelta(seconds=1), timedelta(seconds=5), timedelta(seconds=30))
"""Between attempts to hand news over: the other workflow may just be starting."""
_FACTS = ("plan", "from", "to", "quorum", "outcome", "reason", "left", "break_glass", "target")
"""What of an event's data people may need."""
TOLD = frozenset(
    {
        AuditKind.ALERT_RECEIVED,
        AuditKind.ALERT_RESOLVED,
        AuditKind.ALERT_FLAPPING,
        AuditKind.ALERT_SUPPRESSED,
        AuditKind.INCIDENT_REOPENED,
        AuditKind.INCIDENT_CLOSED,
        AuditKind.RUN_REFUSED,
        AuditKind.RUN_CANCELLED,
        AuditKind.RUN_TIMED_OUT,
        AuditKind.STEP_FAILED,
        AuditKind.APPROVAL_ASKED,
        AuditKind.APPROVAL_REMINDED,
        AuditKind.APPROVAL_ESCALATED,
        AuditKind.DECISION_TAKEN,
        AuditKind.DECISION_REFUSED,
        AuditKind.GLASS_BROKEN,
        AuditKind.APPROVED,
        AuditKind.DENIED,
        AuditKind.EXPIRED,
        AuditKind.APPLIED,
        AuditKind.VERIFIED,
        AuditKind.UNVERIFIED,
        AuditKind.DRIFTED,
        AuditKind.UNDO_STARTED,
        AuditKind.UNDONE,
        AuditKind.UNDO_FAILED,
        AuditKind.LEASED,
        AuditKind.LEASE_EXPIRED,
        AuditKind.STOPPED,
        AuditKind.HELD,
        AuditKind.HOLD_ENDED,
    }
)
"""What people are told of."""
SETTLE_WITHIN = timedelta(seconds=30)
"""How long an incident that is over waits for its last news to be taken."""
_ATTEMPT = timedelta(seconds=45)
_TRYING = RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(seconds=30))
_ONCE = RetryPolicy(maximum_attempts=1)
MAX_UNDER_WAY = 50
"""Messages on their way at the same time; a further one is dropped, and the audit says so. When no channel takes any
for a day, their attempts are half of the events that Temporal keeps for a workflow."""


def introduction(
    given: IncidentInput, incident: str, members: Members, opened_at: datetime
) -> CoordinationInput | None:
    """What the workflow that tells people begins with; None when nobody is to be told, as of a dry run."""
    if given.communication is None or given.dry_run:
        return None
    return CoordinationInput(
        incident=incident,
        communication=given.communication,
        metadata=given.playbook.metadata,
        alerts=members.alerts[:MAX_ALERTS],
        service=members.service,
        severity=members.severity,
        opened_at=opened_at,
        started_by=given.started_by,
        linger=given.playbook.trigger.reopen_within if given.playbook.trigger else None,
    )


class Newsroom:
    """Hands one workflow's news to the one that tells people. Without one it does nothing at all."""

    def __init__(self, coordination: str, journal: Journal) -> None:
        self._to = coordination
        self._journal = journal
        self._waiting: deque[News] = deque()
        self._dropped = 0
        self._count = 0
        self._sending: asyncio.Task[None] | None = None

    def heard(self, event: Event, alert: Alert | None = None) -> None:
        """Take an event in. Never waits."""
        if not self._to or event.kind not in TOLD:
            return
        info = workflow.info()
        self._count += 1
        data: JsonObject = {key: event.data[key] for key in _FACTS if key in event.data}
        self._waiting.append(
            News(
                id=f"{info.workflow_id}/{info.run_id[:8]}/{self._count}",
                kind=event.kind,
                at=workflow.now(),
                message=event.message[:MAX_MESSAGE],
                step=event.step,
                actor=event.actor,
                data=data,
                alert=alert,
                run=info.workflow_id,
            )
        )
        while len(self._waiting) > MAX_WAITING:
            self._waiting.popleft()
            self._dropped += 1
        if self._sending is None or self._sending.done():
            self._sending = asyncio.create_task(self._send())

    @property
    def coordination(self) -> str:
        """Workflow id of the one that tells people; empty when none does."""
        return self._to

    def start(self, given: CoordinationInput | None) -> None:
        """Start the workflow that tells people, behind this one's back. One that is still there goes on."""
        if given is not None:
            self._to = coordination_id(given.incident)
            self._sending = asyncio.create_task(self._start(given))

    async def settled(self, within: timedelta = SETTLE_WITHIN) -> None:
        """Wait until nothing is on its way any more, but not for long."""
        if self._sending is not None and not self._sending.done():
            sending = self._sending
            try:
                await workflow.wait_condition(sending.done, timeout=within, timeout_summary="news are on their way")
            except TimeoutError:
                self._note(len(self._waiting), "nobody took them in time")

    async def _start(self, given: CoordinationInput) -> None:
        with contextlib.suppress(WorkflowAlreadyStartedError):
            await workflow.start_child_workflow(
                COORDINATION_WORKFLOW,
                given,
                id=self._to,
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
                parent_close_policy=workflow.ParentClosePolicy.ABANDON,
                cancellation_type=workflow.ChildWorkflowCancellationType.ABANDON,
                static_summary=f"Tells people of {given.incident}",
            )
        await self._send()

    async def _send(self) -> None:
        while self._waiting:
            batch = tuple(self._waiting.popleft() for _ in range(min(MAX_NEWS, len(self._waiting))))
            if not await self._handed_over(NewsBatch(news=batch, dropped=self._dropped)):
                self._note(len(batch), f"the workflow {self._to} does not take them")
            self._dropped = 0

    async def _handed_over(self, batch: NewsBatch) -> bool:
        handle = workflow.get_external_workflow_handle(self._to)
        for pause in (*_PATIENCE, None):
            try:
                await handle.signal(NEWS_SIGNAL, batch)
            except FailureError:
                if pause is not None:
                    await workflow.sleep(pause, summary="news are handed over again")
                continue
            return True
        return False

    def _note(self, count: int, why: str) -> None:
        message = f"{count} news reached nobody: {why}"
        self._journal.record(AuditKind.NOTICE_DROPPED, message, data={"news": count})


class Courier:
    """Brings messages to their recipients: retries, then another channel, and always a record of what became of it."""

    def __init__(
        self, *, patience: timedelta, keep_trying: timedelta, on_event: Callable[[Event], None], damped: bool = True
    ) -> None:
        self._patience = patience
        self._keep_trying = keep_trying
        self._on_event = on_event
        self._damped = damped
        self._states: dict[tuple[str, str], NoticeState] = {}
        self._under_way = 0

    @property
    def states(self) -> tuple[NoticeState, ...]:
        """How far each message has come, the last ones."""
        return tuple(self._states.values())

    @property
    def idle(self) -> bool:
        """Whether nothing is on its way."""
        return self._under_way == 0

    def remember(self, states: Sequence[NoticeState]) -> None:
        """Take over what is known of earlier messages."""
        self._states = {(one.id, one.to): one for one in states}

    async def tell(
        self, notice: Notice, to: Sequence[str], owner: str, threads: Callable[[str], str] = lambda _: ""
    ) -> None:
        """Tell everybody whom these references mean now. Returns when each was told, or never will be.

        `threads` gives what names the incident's thread in a channel, where it has one.
        """
        if self._under_way >= MAX_UNDER_WAY:
            self._event(AuditKind.NOTICE_DROPPED, notice, "", "too many messages are on their way already")
            return
        self._under_way += 1
        try:
            await self._tell(notice, to, owner, threads)
        finally:
            self._under_way -= 1

    async def post(self, notice: Notice, recipient: Recipient, thread: str) -> str:
        """Tell one recipient. Gives what names the message to the channel, when it went to the first one."""
        self._under_way += 1
        try:
            return await self._deliver(notice, recipient, thread)
        finally:
            self._under_way -= 1

    async def _tell(self, notice: Notice, to: Sequence[str], owner: str, threads: Callable[[str], str]) -> None:
        try:
            found: Recipients = await workflow.execute_activity(
                RESOLVE,
                ResolveRequest(to=tuple(to), owner=owner),
                result_type=Recipients,
                schedule_to_close_timeout=self._keep_trying,
                start_to_close_timeout=_ATTEMPT,
                retry_policy=_TRYING,
                summary=f"who is {', '.join(to)}"[:200],
            )
        except ActivityError as error:
            self._event(AuditKind.NOTICE_FAILED, notice, ", ".join(to), f"nobody could be found: {reason_of(error)}")
            return
        for missing in found.missing:
            self._event(AuditKind.NOTICE_FAILED, notice, missing.partition(":")[0], missing)
        deliveries = [asyncio.create_task(self._deliver(notice, one, _thread(one, threads))) for one in found.found]
        for delivery in deliveries:
            await delivery

    async def _deliver(self, notice: Notice, recipient: Recipient, thread: str) -> str:
        began = workflow.now()
        failed: list[str] = []
        for number, channel in enumerate(recipient.channels):
            self._state(notice, recipient, "failing" if failed else "waiting", channel, "; ".join(failed))
            answer = await self._try(notice, recipient, channel, thread if number == 0 else "", self._patience)
            if isinstance(answer, Delivered):
                return self._arrived(notice, recipient, channel, failed, answer)
            failed.append(f"{channel}: {answer}")
        reason = "; ".join(failed) or "no channel leads there"
        self._event(AuditKind.NOTICE_FAILED, notice, recipient.name, f"not told yet: {reason}", recipient.channels)
        while recipient.channels and (waited := workflow.now() - began) < self._keep_trying:
            self._state(notice, recipient, "failing", recipient.channels[0], reason)
            await workflow.sleep(pause_after(waited), summary=f"before {recipient.name} is tried again"[:200])
            for number, channel in enumerate(recipient.channels):
                answer = await self._try(notice, recipient, channel, thread if number == 0 else "", None)
                if isinstance(answer, Delivered):
                    return self._arrived(notice, recipient, channel, failed, answer)
        self._state(notice, recipient, "failed", "", reason)
        if recipient.channels:
            self._event(AuditKind.NOTICE_FAILED, notice, recipient.name, f"given up: {reason}", recipient.channels)
        return ""

    async def _try(
        self, notice: Notice, recipient: Recipient, channel: str, thread: str, within: timedelta | None
    ) -> Delivered | str:
        """Try one channel, again and again for as long as `within`, else once. Gives why it was not told."""
        request = DeliverRequest(
            notice=notice, channel=channel, person=recipient.person, thread=thread, damped=self._damped
        )
        try:
            answer: Delivered = await workflow.execute_activity(
                DELIVER,
                request,
                result_type=Delivered,
                schedule_to_close_timeout=within or 2 * _ATTEMPT,
                start_to_close_timeout=_ATTEMPT if within is None else min(_ATTEMPT, within),
                retry_policy=_ONCE if within is None else _TRYING,
                summary=f"{notice.kind} to {recipient.name} by {channel}: {notice.title}"[:200],
            )
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise asyncio.CancelledError from error
            return reason_of(error)
        return answer

    def _arrived(
        self, notice: Notice, recipient: Recipient, channel: str, failed: Sequence[str], answer: Delivered
    ) -> str:
        how = " in a digest" if answer.digest else ""
        first = channel == recipient.channels[0]
        self._state(notice, recipient, "sent", channel, "; ".join(failed))
        if first:
            self._event(AuditKind.NOTICE_SENT, notice, recipient.name, f"told by {channel}{how}", (channel,))
        else:
            why = f"told by {channel}{how} instead: {'; '.join(failed)}"
            self._event(AuditKind.NOTICE_FALLBACK, notice, recipient.name, why, (channel,))
        return answer.thread if first else ""

    def _state(self, notice: Notice, recipient: Recipient, state: str, channel: str, reason: str) -> None:
        key = (notice.id, recipient.name)
        found = NoticeState.model_validate(
            {
                "id": notice.id,
                "to": recipient.name,
                "title": notice.title,
                "state": state,
                "channel": channel,
                "reason": reason[:500],
                "at": workflow.now(),
            }
        )
        self._states[key] = found
        while len(self._states) > MAX_KEPT:
            del self._states[next(iter(self._states))]

    def _event(self, kind: AuditKind, notice: Notice, to: str, how: str, channels: Sequence[str] = ()) -> None:
        facts: JsonObject = {"notice": notice.id, "kind": notice.kind, "to": to, "channels": list(channels)}
        self._on_event(Event(kind, f"{notice.title} → {to or 'nobody'}: {how}"[:1000], data=facts))


def _thread(recipient: Recipient, threads: Callable[[str], str]) -> str:
    return threads(recipient.channels[0]) if recipient.channels and not recipient.person else ""


def reason_of(error: ActivityError) -> str:
    """The last attempt's own words, which are worth more than 'timed out'."""
    cause: BaseException | None = error.cause
    if isinstance(cause, TemporalTimeoutError):
        cause = cause.cause if isinstance(cause.cause, ApplicationError) else None
        if cause is None:
            return "no worker answered in time"
    return cause.message if isinstance(cause, ApplicationError) else str(cause or error)
