"""An incident: one cause, however often it shows. Starts the remediation, and closes the book."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal

from temporalio import workflow
from temporalio.common import TypedSearchAttributes, WorkflowIDReusePolicy
from temporalio.exceptions import ChildWorkflowError, FailureError, WorkflowAlreadyStartedError, is_cancelled_exception

from halon.contracts.alert import Alert, AlertStatus
from halon.contracts.audit import AuditKind
from halon.contracts.base import JsonObject, format_duration
from halon.contracts.bookkeeping import SAVE, SaveRequest
from halon.contracts.incident import AlertBatch, IncidentInput, IncidentResult, IncidentRow
from halon.contracts.outcome import Outcome, RunResult
from halon.contracts.run import (
    ALERTS_SIGNAL,
    CLEARED_SIGNAL,
    INCIDENT_WORKFLOW,
    MAX_RUN_ALERTS,
    REMEDIATION_WORKFLOW,
    STATUS_QUERY,
    RunSpec,
)
from halon.core import story
from halon.core.flapping import flapping_text
from halon.core.flow import stopped, uninterrupted
from halon.core.ids import incident_id, run_id
from halon.core.membership import Members
from halon.core.recurrence import reopened_text
from halon.core.runtime import Event
from workflows import attributes
from workflows.aftermath import lost
from workflows.group import Group
from workflows.journal import WRITE_RETRY, WRITE_TIMEOUT, Journal
from workflows.telling import Newsroom, introduction

MAX_STORY = 100
SAVE_AFTER = timedelta(seconds=2)
"""How long an incident's news gather before they are written to the store; until then Temporal alone lists it."""


@workflow.defn(name=INCIDENT_WORKFLOW)
class Incident:
    """Collects the alerts of one cause, runs the playbook once, and records what came of it.

    When the cause is back soon after it ended well, the same incident goes on: in another execution of this workflow,
    with another run and the same audit chain.
    """

    @workflow.init
    def __init__(self, given: IncidentInput) -> None:
        self._given = given
        self._arrived: deque[Alert] = deque(given.pending)
        self._late: list[Alert] = []
        self._members = Members()
        self._story: deque[str] = deque(maxlen=MAX_STORY)
        self._journal = Journal()
        self._news = Newsroom("", self._journal)
        self._child: workflow.ChildWorkflowHandle[object, RunResult] | None = None
        self._state: Literal["open", "closed"] = "open"
        self._opened = False
        self._closing = False
        self._background: asyncio.Task[None] | None = None
        self._began_at = workflow.now()
        self._group = Group(given)
        self._flapping = False
        self._cleared_at: datetime | None = None
        self._told_cleared = False
        self._id = ""
        self._result: RunResult | None = None

    @workflow.run
    async def run(self, given: IncidentInput) -> IncidentResult:
        """Open, wait for `after`, run the playbook, close."""
        await workflow.wait_condition(lambda: bool(self._arrived) or bool(given.started_by))
        while (handled_by := await self._begin()) is not None:
            if not self._arrived:
                return IncidentResult(incident=handled_by, outcome=None, reason=f"handled already by {handled_by}")
        self._open()
        keeper = asyncio.create_task(self._keep_taking_in())
        try:
            self._result = await self._enough() or self._held_back() or await self._remediate()
        except asyncio.CancelledError:
            self._result = RunResult(outcome=Outcome.CANCELLED, reason="cancelled before the playbook began")
        self._closing = True
        with contextlib.suppress(asyncio.CancelledError):
            await uninterrupted(self._close(self._result, keeper))
        if self._late:
            update = {"pending": tuple(self._late), "started_by": "", "turn": given.turn + 1}
            workflow.continue_as_new(given.model_copy(update=update))
        return IncidentResult(incident=self._id, outcome=self._result.outcome, reason=self._result.reason)

    @workflow.signal(name=ALERTS_SIGNAL, description="Alerts of this incident, and counts. Sent by the gateway.")
    def alerts(self, batch: AlertBatch) -> None:
        """Take alerts in; the workflow sorts them when it comes to it."""
        self._arrived.extend(batch.alerts)
        self._members.count_repeats(batch.repeats, batch.ends)
        self._group.heard((), sum(batch.repeats.values()))

    @workflow.query(name=STATUS_QUERY, description="The incident's row, as the store lists it.")
    def status(self) -> IncidentRow:
        """Answer for `halon show`."""
        return self._row(self._state)

    async def _begin(self) -> str | None:
        """Name the incident after what opens it. Gives who handled all of its alerts before, if anyone did."""
        opener = next((one for one in self._arrived if one.status is AlertStatus.FIRING), None)
        given = self._given
        self._id = incident_id(given.group, opener or self._arrived[0]) if self._arrived else f"{given.group}-manual"
        self._journal.incident = self._id
        handled_by = await self._take_in()
        if handled_by is not None:
            while self._tell_repeats() or self._journal.unwritten:
                await self._journal.flush()
        return handled_by

    async def _enough(self) -> RunResult | None:
        """Wait until as many alerts came as the trigger wants. A result when they did not.

        That all of them cleared meanwhile does not end it: what comes and goes is to be counted as well.
        """
        group, after = self._group, self._group.after
        if after is None:
            return None
        self._show(f"waiting for {after.count} alerts")
        within = format_duration(after.within)
        while not group.enough(after) and (left := group.wait_left(after, self._began_at)):
            with contextlib.suppress(TimeoutError):
                await workflow.wait_condition(
                    lambda: group.enough(after), timeout=left, timeout_summary=f"{after.count} alerts within {within}"
                )
        if group.enough(after):
            return None
        came = f"{group.most(after)} of the {after.count} alerts that the trigger asks for came"
        self._tell(AuditKind.ALERT_SUPPRESSED, f"Not acted on: {came} within {within}")
        if self._members.cleared:
            return RunResult(outcome=Outcome.RESOLVED, reason=f"cleared when {came}")
        return RunResult(outcome=Outcome.REFUSED, reason=f"only {came}")

    def _held_back(self) -> RunResult | None:
        """Whether `once` lets no run start now, with the reason."""
        why = self._group.held_back()
        if not why:
            return None
        self._tell(AuditKind.ALERT_SUPPRESSED, f"Not acted on: {why}", {"incident": self._group.acted})
        return RunResult(outcome=Outcome.REFUSED, reason=why)

    async def _remediate(self) -> RunResult:
        """Start the run, and wait for its end. One that was refused, or not needed any more, did not act."""
        given, group = self._given, self._group
        before = group.run_started()
        result = await self._carry_out(
            RunSpec(
                incident=self._id,
                ordinal=group.runs,
                playbook=given.playbook,
                library=given.library,
                effects=given.effects,
                routes=given.routes,
                alerts=self._members.alerts[:MAX_RUN_ALERTS],
                inputs=given.inputs,
                dry_run=given.dry_run,
                started_by=given.started_by,
                recurrence=group.recurrence(self._id, self._began_at),
                caution=group.caution(),
                coordination=self._news.coordination,
                opening=self._journal.unwritten,
            )
        )
        if result.outcome in {Outcome.REFUSED, Outcome.RESOLVED} and not result.applied:
            group.acted_at = before
        return result

    async def _carry_out(self, spec: RunSpec) -> RunResult:
        book, run = spec.playbook, run_id(self._id, spec.ordinal)
        try:
            self._child = await workflow.start_child_workflow(
                REMEDIATION_WORKFLOW,
                spec,
                id=run,
                result_type=RunResult,
                id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                parent_close_policy=workflow.ParentClosePolicy.REQUEST_CANCEL,
                search_attributes=TypedSearchAttributes(self._found_by()),
                static_summary=story.plain(book.metadata.title, 200),
                static_details=self._about(),
            )
        except WorkflowAlreadyStartedError:
            return RunResult(outcome=Outcome.REFUSED, reason=f"{run} ran already: it is never run twice")
        if self._members.cleared:
            await self._tell_run(self._child)
        try:
            return await self._child
        except ChildWorkflowError as error:
            if is_cancelled_exception(error):
                return RunResult(outcome=Outcome.CANCELLED, reason="cancelled")
            return await lost(error, self._tell)

    async def _take_in(self) -> str | None:
        """Sort what arrived: claim new episodes, count repeats. Gives who handled it all before, if anyone."""
        batch = [self._arrived.popleft() for _ in range(len(self._arrived))]
        fresh = self._members.new_episodes(batch)
        mine, taken = frozenset[str](), dict[str, str]()
        if fresh or (batch and not self._opened):
            self._id, answer = await self._group.claim(self._id, batch, fresh, opening=not self._opened)
            mine, taken = frozenset(answer.mine), answer.taken
        was_cleared = self._members.cleared
        self._journal.incident = self._id if mine or self._opened else taken[min(taken)] if taken else self._id
        self._enter(batch, mine)
        if self._child is not None and self._members.cleared != was_cleared:
            await self._tell_run(self._child)
        return self._journal.incident if batch and not self._members.alerts else None

    def _enter(self, batch: Sequence[Alert], mine: frozenset[str]) -> None:
        """Count alerts in, and tell what is new about them."""
        before = self._members.firings
        for alert, news in self._members.take(batch, mine):
            event = story.alert_event(alert, news)
            if event is not None:
                self._tell(event.kind, event.message, event.data, alert if news == "new" else None)
        known = [one for one in batch if one.status is AlertStatus.RESOLVED or self._members.holds(one.episode)]
        flaps = self._group.heard(known, self._members.firings - before)
        self._cleared_at = (self._cleared_at or workflow.now()) if self._members.cleared else None
        if flaps and not self._flapping:
            self._flapping = True
            message = f"{flapping_text(*flaps)}: while it does, each change needs a person's approval"
            self._tell(AuditKind.ALERT_FLAPPING, message, {"alert": flaps[0], "changes": flaps[1]})

    async def _tell_run(self, run: "workflow.ChildWorkflowHandle[object, RunResult]") -> None:
        """Let the run know whether its alerts have cleared. One that has ended meanwhile need not know."""
        self._told_cleared = self._told_cleared or self._members.cleared
        with contextlib.suppress(FailureError):
            await run.signal(CLEARED_SIGNAL, self._members.cleared)

    async def _keep_taking_in(self) -> None:
        while not self._closing:
            await workflow.wait_condition(lambda: bool(self._arrived) or self._closing)
            await self._take_in()
            self._show()

    def _open(self) -> None:
        book = self._given.playbook
        attributes.upsert(*(pair.key.value_set(pair.value) for pair in self._found_by()))
        self._opened = True
        self._began_at = workflow.now()
        self._news.start(introduction(self._given, self._id, self._members, self._group.since(self._began_at)))
        self._tell_beginning()
        facts: JsonObject = {"playbook": book.metadata.name, "digest": book.digest}
        self._tell(AuditKind.PLAYBOOK_MATCHED, f"Playbook {book.metadata.name} takes it: {book.metadata.title}", facts)
        self._background = asyncio.create_task(self._save_when_it_lasts())

    def _found_by(self) -> attributes.Pairs:
        name, members = self._given.playbook.metadata.name, self._members
        return attributes.opened(name, self._id, members.severity, members.service)

    def _tell_beginning(self) -> None:
        settled, at = self._group.reopens, self._began_at
        if settled is not None:
            ended: JsonObject = {"outcome": settled.outcome, "ended_at": settled.at.isoformat()}
            facts: JsonObject = {"reopened": settled.reopened + 1, **ended}
            self._tell(AuditKind.INCIDENT_REOPENED, reopened_text(settled, at), facts)
            return
        by = f"by {self._given.started_by}" if self._given.started_by else "by its alert"
        previous, before = self._group.before(at)
        facts = {"previous": previous} if previous else {}
        self._tell(AuditKind.INCIDENT_OPENED, f"Incident {self._id} opened {by}{before}", facts)

    async def _close(self, result: RunResult, keeper: "asyncio.Task[None]") -> None:
        """Write down how it ended. What fires anew from here on comes after it: another incident, or this one again."""
        await keeper
        if self._background is not None:
            await stopped(self._background)
        self._take_last()
        repeats = self._members.repeats
        message = f"Closed as {result.outcome.value}: {result.reason}{f', {repeats} repeats' if repeats else ''}"
        facts: JsonObject = {"outcome": result.outcome.value, "alerts": len(self._members.alerts), "repeats": repeats}
        facts |= {"reason": result.reason, "left": [f"{one.summary} on {one.target}" for one in result.left]}
        self._tell_repeats()
        self._tell(AuditKind.INCIDENT_CLOSED, message, facts)
        await self._news.settled()
        attributes.upsert(attributes.STATE.value_set("closed"), attributes.OUTCOME.value_set(result.outcome.value))
        release = self._given_back(result)
        await self._save("closed", release)
        while self._arrived or self._tell_repeats():
            self._take_last()
            await self._save("closed")
        if result.outcome is Outcome.RESOLVED:
            still = [one for one in self._members.firing if one.episode in release]
            self._late = [*still, *self._late][:MAX_RUN_ALERTS]
        self._state = "closed"
        self._show()

    def _tell_repeats(self) -> bool:
        """Record how often each alert came again; false when none did since the last time."""
        for event in (events := story.repeat_events(self._members.told_repeats())):
            self._tell(event.kind, event.message, event.data)
        return bool(events)

    def _given_back(self, result: RunResult) -> tuple[str, ...]:
        """Episodes about which nothing was done: all when no run began; what fired again after all had cleared."""
        if result.outcome is Outcome.REFUSED and not self._group.began:
            return tuple(one.episode for one in self._members.alerts)
        if result.outcome is Outcome.RESOLVED and (self._told_cleared or not self._group.began):
            return tuple(one.episode for one in self._members.firing)
        return ()

    def _take_last(self) -> None:
        """Count repeats that came while closing, and keep what is new, and how it went on, for what comes after."""
        batch = [self._arrived.popleft() for _ in range(len(self._arrived))]
        new = {*self._members.new_episodes(batch), *(one.episode for one in self._late)}
        self._late += [one for one in batch if one.episode in new][: MAX_RUN_ALERTS - len(self._late)]
        self._enter([one for one in batch if one.episode not in new], frozenset())

    async def _save_when_it_lasts(self) -> None:
        """Write the open incident and its news, unless it closes at once: writing it twice would delay the remedy.

        One that is reopened is written right away: until then the store has it as closed.
        """
        gather = self._group.reopens is None
        while True:
            if gather:
                await workflow.sleep(SAVE_AFTER, summary="records gather")
            gather = True
            await uninterrupted(self._save())
            await workflow.wait_condition(lambda: bool(self._journal.unwritten))

    async def _save(self, state: Literal["open", "closed"] = "open", release: tuple[str, ...] = ()) -> None:
        conditions, resolved = self._group.conditions.unsaved()
        await workflow.execute_activity(
            SAVE,
            SaveRequest(
                row=self._row(state),
                records=await self._journal.take(),
                conditions=conditions,
                resolved=resolved,
                run=self._group.claimant,
                release=release,
            ),
            start_to_close_timeout=WRITE_TIMEOUT,
            retry_policy=WRITE_RETRY,
            summary="the incident's row and records",
        )

    def _tell(self, kind: AuditKind, message: str, data: JsonObject | None = None, new: Alert | None = None) -> None:
        event = Event(kind, message, data=data or {})
        self._story.append(story.line(workflow.now(), event))
        self._journal.record(kind, message, data=event.data)
        self._news.heard(event, new)
        self._show()

    def _show(self, headline: str = "") -> None:
        marks = f", reopened {self._group.reopens.reopened + 1} times" if self._group.reopens else ""
        marks += ", flapping" if self._flapping else ""
        title = f"{self._given.playbook.metadata.title}: {headline or self._state}{marks}"
        run = run_id(self._id, self._group.runs)
        where = [f"The run, its plan and its approvals are in workflow `{run}`.", ""] if self._child else []
        workflow.set_current_details(story.details(title, where, list(self._story), self._result))

    def _about(self) -> str:
        first = self._members.alerts[0] if self._members.alerts else None
        what = f"alert {first.name}" if first else f"started by {self._given.started_by}"
        return story.plain(f"Incident {self._id}: {what}; playbook {self._given.playbook.metadata.name}", 1000)

    def _row(self, state: Literal["open", "closed"]) -> IncidentRow:
        info, book = workflow.info(), self._given.playbook
        closed: datetime | None = workflow.now() if state == "closed" else None
        again, (settled_as, settled_at) = self._group.reopens, self._group.settled(self._result, closed)
        return IncidentRow(
            id=self._id,
            group=self._given.group,
            playbook=book.metadata.name,
            playbook_digest=book.digest,
            workflow_id=info.workflow_id,
            run_id=info.first_execution_run_id,
            state=state,
            outcome=self._result.outcome.value if self._result and closed else "",
            reason=self._result.reason if self._result and closed else "",
            service=self._members.service,
            severity=self._members.severity,
            title=book.metadata.title,
            target=self._result.target if self._result else "",
            labels=self._members.labels,
            opened_at=self._group.since(self._began_at),
            closed_at=closed,
            alert_count=self._members.count,
            reopened=again.reopened + 1 if again else 0,
            reopened_at=self._began_at if again else None,
            runs=self._group.runs,
            acted_at=self._group.acted_at,
            settled_as=settled_as,
            settled_at=settled_at,
            cleared_at=self._cleared_at,
            flapping=self._flapping,
        )
