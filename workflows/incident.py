"""An incident: one cause, however often it shows. Starts the remediation, and closes the book."""

import asyncio
import contextlib
from collections import deque
from datetime import datetime, timedelta
from typing import Literal

from temporalio import workflow
from temporalio.common import SearchAttributePair, TypedSearchAttributes, WorkflowIDReusePolicy
from temporalio.exceptions import ChildWorkflowError, WorkflowAlreadyStartedError, is_cancelled_exception

from halon.contracts.alert import Alert, AlertStatus
from halon.contracts.audit import AuditKind
from halon.contracts.base import Json, JsonObject
from halon.contracts.bookkeeping import CLAIM, SAVE, ClaimAnswer, ClaimRequest, SaveRequest
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
from halon.core.flow import stopped, uninterrupted
from halon.core.ids import incident_id, run_id
from halon.core.membership import Members
from halon.core.runtime import Event
from workflows import attributes
from workflows.journal import WRITE_RETRY, WRITE_TIMEOUT, Journal

MAX_STORY = 100
COUNTS_A_RECORD = 400
"""Episodes whose repeats one record of the audit tells: what a record holds is bounded."""
SAVE_AFTER = timedelta(seconds=2)
"""How long an incident's news gather before they are written to the store; until then Temporal alone lists it."""
_SERVICE_LABELS = ("service", "app", "deployment", "statefulset", "daemonset", "container", "job", "namespace")
"""Labels that name the service, the best first; `job` is often that of the exporter which saw the trouble."""


@workflow.defn(name=INCIDENT_WORKFLOW)
class Incident:
    """Collects the alerts of one cause, runs the playbook once, and records what came of it."""

    @workflow.init
    def __init__(self, given: IncidentInput) -> None:
        self._given = given
        self._arrived: deque[Alert] = deque(given.pending)
        self._late: list[Alert] = []
        self._members = Members()
        self._story: deque[str] = deque(maxlen=MAX_STORY)
        self._journal = Journal()
        self._child: workflow.ChildWorkflowHandle[object, RunResult] | None = None
        self._state: Literal["open", "closed"] = "open"
        self._closing = False
        self._too_few = False
        self._background: asyncio.Task[None] | None = None
        self._opened_at = workflow.now()
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
            self._result = await self._enough() or await self._remediate()
        except asyncio.CancelledError:
            self._result = RunResult(outcome=Outcome.CANCELLED, reason="cancelled before the playbook began")
        self._closing = True
        with contextlib.suppress(asyncio.CancelledError):
            await uninterrupted(self._close(self._result, keeper))
        if self._late:
            workflow.continue_as_new(given.model_copy(update={"pending": tuple(self._late), "started_by": ""}))
        return IncidentResult(incident=self._id, outcome=self._result.outcome, reason=self._result.reason)

    @workflow.signal(
        name=ALERTS_SIGNAL, description="Alerts of this incident, firing or resolved. Sent by the gateway."
    )
    def alerts(self, batch: AlertBatch) -> None:
        """Take alerts in; the workflow sorts them when it comes to it."""
        self._arrived.extend(batch.alerts)
        self._members.count_repeats(batch.repeats, batch.ends)

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
            self._tell_repeats()
            await self._journal.flush()
            while self._tell_repeats():
                await self._journal.flush()
        return handled_by

    async def _enough(self) -> RunResult | None:
        """Wait until as many alerts came as the trigger wants. A result when they did not, or cleared before."""
        after = self._given.playbook.trigger.after if self._given.playbook.trigger else None
        if after is None or self._given.started_by:
            return None
        self._show(f"waiting for {after.count} alerts")
        with contextlib.suppress(TimeoutError):
            await workflow.wait_condition(
                lambda: self._members.firings >= after.count or self._members.cleared,
                timeout=after.within,
                timeout_summary=f"{after.count} alerts within {after.within}",
            )
        if self._members.firings >= after.count:
            return None
        came = f"{self._members.firings} of the {after.count} alerts that the trigger asks for came"
        self._tell(AuditKind.ALERT_SUPPRESSED, f"Not acted on: {came} within {after.within}")
        if self._members.cleared:
            return RunResult(outcome=Outcome.RESOLVED, reason=f"cleared when {came}")
        self._too_few = True
        return RunResult(outcome=Outcome.REFUSED, reason=f"only {came}")

    async def _remediate(self) -> RunResult:
        given, book = self._given, self._given.playbook
        spec = RunSpec(
            incident=self._id,
            playbook=book,
            library=given.library,
            effects=given.effects,
            alerts=self._members.alerts[:MAX_RUN_ALERTS],
            inputs=given.inputs,
            dry_run=given.dry_run,
            started_by=given.started_by,
            opening=self._journal.unwritten,
        )
        pairs = [
            SearchAttributePair(attributes.PLAYBOOK, book.metadata.name),
            SearchAttributePair(attributes.INCIDENT, attributes.keyword(self._id)),
            SearchAttributePair(attributes.SEVERITY, attributes.keyword(self._severity())),
            SearchAttributePair(attributes.SERVICE, attributes.keyword(self._service())),
            SearchAttributePair(attributes.STATE, "open"),
        ]
        try:
            self._child = await workflow.start_child_workflow(
                REMEDIATION_WORKFLOW,
                spec,
                id=run_id(self._id),
                result_type=RunResult,
                id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                parent_close_policy=workflow.ParentClosePolicy.REQUEST_CANCEL,
                search_attributes=TypedSearchAttributes(pairs),
                static_summary=story.plain(book.metadata.title, 200),
                static_details=self._about(),
            )
        except WorkflowAlreadyStartedError:
            return RunResult(outcome=Outcome.REFUSED, reason=f"{run_id(self._id)} ran already: it is never run twice")
        if self._members.cleared:
            await self._child.signal(CLEARED_SIGNAL, self._members.cleared)
        try:
            return await self._child
        except ChildWorkflowError as error:
            if is_cancelled_exception(error):
                return RunResult(outcome=Outcome.CANCELLED, reason="cancelled")
            reason = f"the run ended without a result ({error.cause or error}): look at {run_id(self._id)}"
            return RunResult(outcome=Outcome.FAILED, reason=reason)

    async def _take_in(self) -> str | None:
        """Sort what arrived: claim new episodes, count repeats. Gives who handled it all before, if anyone."""
        batch = [self._arrived.popleft() for _ in range(len(self._arrived))]
        fresh = self._members.new_episodes(batch)
        answer = ClaimAnswer(mine=fresh)
        if fresh:
            answer = await workflow.execute_local_activity(
                CLAIM,
                ClaimRequest(incident=self._id, run=workflow.info().first_execution_run_id, episodes=fresh),
                result_type=ClaimAnswer,
                start_to_close_timeout=WRITE_TIMEOUT,
                retry_policy=WRITE_RETRY,
            )
        was_cleared = self._members.cleared
        for alert, news in self._members.take(batch, frozenset(answer.mine)):
            self._told_alert(alert, news)
        if self._child is not None and self._members.cleared != was_cleared:
            await self._child.signal(CLEARED_SIGNAL, self._members.cleared)
        if batch and not self._members.alerts:
            return answer.taken[min(answer.taken)] if answer.taken else self._id
        return None

    async def _keep_taking_in(self) -> None:
        while not self._closing:
            await workflow.wait_condition(lambda: bool(self._arrived) or self._closing)
            await self._take_in()
            self._show()

    def _told_alert(self, alert: Alert, news: str) -> None:
        """Record what is new about an alert; identical repeats are only counted."""
        facts: JsonObject = {
            "alert": alert.name,
            "labels": dict[str, Json](alert.labels),
            "starts_at": alert.starts_at.isoformat(),
            "fingerprint": alert.fingerprint,
            "source": alert.source,
            "episode": alert.episode,
        }
        if alert.status is AlertStatus.RESOLVED:
            if news:
                self._tell(AuditKind.ALERT_RESOLVED, f"Alert {alert.name} resolved", facts)
        elif news == "new":
            self._tell(AuditKind.ALERT_RECEIVED, f"Alert {alert.name} received from {alert.source}", facts)
        elif news == "taken":
            self._tell(AuditKind.ALERT_SUPPRESSED, f"Alert {alert.name} belongs to an incident that is closed", facts)

    def _open(self) -> None:
        book = self._given.playbook
        attributes.upsert(
            attributes.PLAYBOOK.value_set(book.metadata.name),
            attributes.INCIDENT.value_set(attributes.keyword(self._id)),
            attributes.SEVERITY.value_set(attributes.keyword(self._severity())),
            attributes.SERVICE.value_set(attributes.keyword(self._service())),
            attributes.STATE.value_set("open"),
        )
        by = f"by {self._given.started_by}" if self._given.started_by else "by its alert"
        self._tell(AuditKind.INCIDENT_OPENED, f"Incident {self._id} opened {by}")
        facts: JsonObject = {"playbook": book.metadata.name, "digest": book.digest}
        self._tell(AuditKind.PLAYBOOK_MATCHED, f"Playbook {book.metadata.name} takes it: {book.metadata.title}", facts)
        self._background = asyncio.create_task(self._save_when_it_lasts())

    async def _close(self, result: RunResult, keeper: "asyncio.Task[None]") -> None:
        """Write down how it ended. What fires anew from here on is a new incident, which follows this one."""
        await keeper
        if self._background is not None:
            await stopped(self._background)
        self._take_last()
        repeats = self._members.repeats
        count = f", {repeats} repeats" if repeats else ""
        message = f"Closed as {result.outcome.value}: {result.reason}"
        facts: JsonObject = {"outcome": result.outcome.value, "alerts": len(self._members.alerts), "repeats": repeats}
        self._tell_repeats()
        self._tell(AuditKind.INCIDENT_CLOSED, f"{message}{count}", facts)
        attributes.upsert(attributes.STATE.value_set("closed"), attributes.OUTCOME.value_set(result.outcome.value))
        await self._save("closed")
        while self._arrived or self._tell_repeats():
            self._take_last()
            self._tell_repeats()
            await self._save("closed")
        self._state = "closed"
        self._show()

    def _tell_repeats(self) -> bool:
        """Record how often each alert came again; false when none did since the last time."""
        counts = list(self._members.told_repeats().items())
        for start in range(0, len(counts), COUNTS_A_RECORD):
            part = dict[str, Json](counts[start : start + COUNTS_A_RECORD])
            times = sum(times for _, times in counts[start : start + COUNTS_A_RECORD])
            message = f"{len(part)} alerts came again, {times} times in all"
            self._tell(AuditKind.ALERT_REPEATED, message, {"times": times, "episodes": part})
        return bool(counts)

    def _take_last(self) -> None:
        """Count repeats that came while closing, and keep what is new for the next incident."""
        batch = [self._arrived.popleft() for _ in range(len(self._arrived))]
        fresh = frozenset(self._members.new_episodes(batch))
        late = [alert for alert in batch if alert.episode in fresh and alert.status is AlertStatus.FIRING]
        self._late += late[: MAX_RUN_ALERTS - len(self._late)]
        for alert, news in self._members.take([one for one in batch if one.episode not in fresh], frozenset()):
            self._told_alert(alert, news)

    async def _save_when_it_lasts(self) -> None:
        """Write the open incident and its news, unless it closes at once: writing it twice would delay the remedy."""
        while True:
            await workflow.sleep(SAVE_AFTER, summary="records gather")
            await uninterrupted(self._save())
            await workflow.wait_condition(lambda: bool(self._journal.unwritten))

    async def _save(self, state: Literal["open", "closed"] = "open") -> None:
        await workflow.execute_activity(
            SAVE,
            SaveRequest(
                row=self._row(state), records=await self._journal.take(), release=self._too_few and self._closing
            ),
            start_to_close_timeout=WRITE_TIMEOUT,
            retry_policy=WRITE_RETRY,
            summary="the incident's row and records",
        )

    def _tell(self, kind: AuditKind, message: str, data: JsonObject | None = None) -> None:
        event = Event(kind, message, data=data or {})
        self._story.append(story.line(workflow.now(), event))
        self._journal.record(kind, message, data=event.data)
        self._show()

    def _show(self, headline: str = "") -> None:
        title = f"{self._given.playbook.metadata.title}: {headline or self._state}"
        where = (
            [f"The run, its plan and its approvals are in workflow `{run_id(self._id)}`.", ""] if self._child else []
        )
        workflow.set_current_details(story.details(title, where, list(self._story), self._result))

    def _about(self) -> str:
        first = self._members.alerts[0] if self._members.alerts else None
        what = f"alert {first.name}" if first else f"started by {self._given.started_by}"
        return story.plain(f"Incident {self._id}: {what}; playbook {self._given.playbook.metadata.name}", 1000)

    def _severity(self) -> str:
        return self._members.alerts[0].severity if self._members.alerts else ""

    def _service(self) -> str:
        labels = self._members.alerts[0].labels if self._members.alerts else {}
        return next((labels[name] for name in _SERVICE_LABELS if labels.get(name)), "")

    def _row(self, state: Literal["open", "closed"]) -> IncidentRow:
        info, book = workflow.info(), self._given.playbook
        closed: datetime | None = workflow.now() if state == "closed" else None
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
            service=self._service(),
            severity=self._severity(),
            title=book.metadata.title,
            target=self._result.target if self._result else "",
            opened_at=self._opened_at,
            closed_at=closed,
            alert_count=self._members.count,
        )
