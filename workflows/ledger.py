"""The ledger: one workflow that holds what all runs share. `halon.core.ledger` decides; this keeps and shows it.

It answers by updates, which leave two events each, and continues as new long before its history is long. Runs give back
by signal, which needs no answer. Who holds something for a while is looked at, so that a run that was terminated, or
that no worker can carry on, does not keep it for ever.
"""

import asyncio
import contextlib
from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError

from halon.contracts.activity import ReadRequest
from halon.contracts.audit import AuditKind
from halon.contracts.ledger import (
    ADMIT_UPDATE,
    INSPECT,
    LEDGER_QUERY,
    LEDGER_WORKFLOW,
    MAX_INSPECTED,
    PAUSE_SIGNAL,
    PAUSE_UPDATE,
    PERMITS_QUERY,
    RELEASE_SIGNAL,
    RESET_UPDATE,
    RESUME_UPDATE,
    TRIP_UPDATE,
    UNLOCK_UPDATE,
    Admission,
    AdmissionRequest,
    Answer,
    BreakerCommand,
    Inspection,
    InspectionAnswer,
    LedgerInput,
    LedgerState,
    Pause,
    Permits,
    Release,
    Resume,
    Unlock,
    Untold,
)
from halon.contracts.plan import ActionCall
from halon.core import story
from halon.core.flow import uninterrupted
from halon.core.ledger import Ledger
from workflows.journal import Journal

CHAIN = "guards"
"""The audit chain of what people and the guards themselves do, one a month: `guards-2026-01`."""
LOOK_AGAIN = timedelta(seconds=15)
"""Between two looks at those who hold something."""
MAX_EVENTS = 4000
MAX_UPDATES = 1000
"""Temporal takes 2,000 updates for one run of a workflow, and 51,200 events."""
MAX_UNWRITTEN = 200
"""Records that wait for a store that is down; older ones are given up and their number is told."""
MAX_UNTOLD = 50
"""Notices that wait for a channel."""
HAND_OVER = timedelta(seconds=5)
"""How long a ledger that is to be continued waits for what is on its way to the store and to people."""
_TELLING = RetryPolicy(maximum_attempts=10)
_LOOKING = RetryPolicy(maximum_attempts=3)


@workflow.defn(name=LEDGER_WORKFLOW)
class LedgerWorkflow:
    """Holds locks, breakers, rates, budgets, pauses and the storm."""

    @workflow.init
    def __init__(self, given: LedgerInput) -> None:
        self._ledger = Ledger(given.state)
        self._journal = Journal(_chain(), given.unwritten)
        self._writing: asyncio.Task[None] | None = None
        self._untold = list(given.untold)
        self._telling: asyncio.Task[None] | None = None
        self._updates = 0

    @workflow.run
    async def run(self, given: LedgerInput) -> None:  # noqa: ARG002  # `workflow.init` has taken it
        """Answer, look after those who hold something, and go on anew before the history is long."""
        self._show()
        self._tell_people_soon()
        while not self._full:
            await workflow.wait_condition(lambda: self._full or self._ledger.needs_looking_after)
            with contextlib.suppress(TimeoutError):
                what = "look after those who hold something"
                await workflow.wait_condition(lambda: self._full, timeout=LOOK_AGAIN, timeout_summary=what)
                continue
            if self._ledger.needs_looking_after:
                await self._look()
                self._ledger.tick(workflow.now())
                self._tell()
        await workflow.wait_condition(workflow.all_handlers_finished)
        await self._hand_over()
        workflow.continue_as_new(
            LedgerInput(state=self._ledger.state, unwritten=self._journal.waiting, untold=tuple(self._untold))
        )

    @workflow.update(name=ADMIT_UPDATE, description="Sent by runs: may I act?")
    def admit(self, request: AdmissionRequest) -> Admission:
        """Answer for all guards of a run."""
        self._updates += 1
        admission = self._ledger.admit(request, workflow.now())
        self._tell()
        return admission

    @workflow.signal(name=RELEASE_SIGNAL, description="Sent by runs when they end.")
    def release(self, report: Release) -> None:
        """Take back what a run was granted."""
        self._ledger.release(report, workflow.now())
        self._tell()

    @workflow.update(
        name=PAUSE_UPDATE,
        description='Stop changes. Input: {"by": "you@example.com", "reason": "why"}, and "playbook" or "target" '
        "(a prefix) to stop only those.",
    )
    def pause(self, given: Pause) -> Answer:
        """The kill switch."""
        return self._done(self._ledger.pause(given, workflow.now()))

    @workflow.signal(name=PAUSE_SIGNAL, description="The same, for when no worker is there to answer.")
    def pause_now(self, given: Pause) -> None:
        """The kill switch, without an answer."""
        self._done(self._ledger.pause(given, workflow.now()))

    @workflow.update(
        name=RESUME_UPDATE,
        description='Take a pause back. Input: {"by": "you@example.com"}, with the same "playbook" or "target".',
    )
    def resume(self, given: Resume) -> Answer:
        """Take pauses back."""
        return self._done(self._ledger.resume(given))

    @workflow.update(
        name=TRIP_UPDATE,
        description='Open a breaker. Input: {"by": "you@example.com", "reason": "why", "key": "the playbook"}',
    )
    def trip(self, given: BreakerCommand) -> Answer:
        """Open a breaker by hand."""
        return self._done(self._ledger.trip(given, workflow.now()))

    @workflow.update(
        name=RESET_UPDATE,
        description='Close a breaker. Input: {"by": "you@example.com", "reason": "why", "key": "the playbook"}',
    )
    def reset(self, given: BreakerCommand) -> Answer:
        """Close a breaker by hand."""
        return self._done(self._ledger.reset(given))

    @workflow.update(
        name=UNLOCK_UPDATE,
        description='Free a lock. Input: {"by": "you@example.com", "reason": "why", "lock": "its name"}',
    )
    def unlock(self, given: Unlock) -> Answer:
        """Free a lock by hand."""
        return self._done(self._ledger.unlock(given))

    @workflow.query(name=PERMITS_QUERY, description="What a worker must know before it writes.")
    def permits(self) -> Permits:
        """Pauses, and the number of each lock."""
        return self._ledger.permits

    @workflow.query(name=LEDGER_QUERY, description="All that the ledger knows.")
    def state(self) -> LedgerState:
        """Answer for `halon guards`."""
        return self._ledger.state

    async def _hand_over(self) -> None:
        """Let what is on its way arrive, but not for long: a store or a channel that is down must not stop the guards.

        What has not arrived by then goes on with the ledger.
        """
        under_way = [one for one in (self._writing, self._telling) if one is not None and not one.done()]
        if self._writing is not None:
            self._writing.cancel()
        if under_way:
            with contextlib.suppress(TimeoutError):
                await workflow.wait_condition(
                    lambda: all(one.done() for one in under_way),
                    timeout=HAND_OVER,
                    timeout_summary="records and notices are on their way",
                )

    @property
    def _full(self) -> bool:
        info = workflow.info()
        long = info.get_current_history_length() >= MAX_EVENTS or info.is_continue_as_new_suggested()
        return long or self._updates >= MAX_UPDATES

    def _done(self, answer: Answer) -> Answer:
        self._updates += 1
        self._tell()
        return answer

    async def _look(self) -> None:
        """Ask which of those who hold something have closed."""
        holders, overdue = self._ledger.inspectable(workflow.now())
        for start in range(0, len(holders), MAX_INSPECTED):
            batch = tuple(holders[start : start + MAX_INSPECTED])
            names = {one.workflow for one in batch}
            given = Inspection(holders=batch, overdue=tuple(one for one in overdue if one in names))
            with contextlib.suppress(ActivityError):  # nobody is taken for dead because nobody can be asked
                answer: InspectionAnswer = await workflow.execute_local_activity(
                    INSPECT,
                    given,
                    result_type=InspectionAnswer,
                    start_to_close_timeout=timedelta(seconds=15),
                    retry_policy=_LOOKING,
                )
                self._ledger.closed(answer.closed, workflow.now())

    def _tell(self) -> None:
        """Hand what happened to the audit, tell people of a storm, and show the whole in Temporal's UI."""
        for event in self._ledger.drain():
            self._journal.incident = _chain()
            self._journal.record(event.kind, event.message, actor=event.actor, data=event.data)
            if event.kind is AuditKind.STORM_BEGAN:
                self._untold += [Untold(channel=one, message=event.message) for one in self._ledger.channels]
                del self._untold[:-MAX_UNTOLD]
                self._tell_people_soon()
        self._journal.give_up(MAX_UNWRITTEN)
        if self._journal.unwritten and (self._writing is None or self._writing.done()):
            self._writing = asyncio.create_task(self._write())
        self._show()

    async def _write(self) -> None:
        while self._journal.unwritten:
            await uninterrupted(self._journal.write())

    def _tell_people_soon(self) -> None:
        if self._untold and (self._telling is None or self._telling.done()):
            self._telling = asyncio.create_task(self._tell_people())

    async def _tell_people(self) -> None:
        """Tell each channel once. One that cannot be reached is left: the audit and the console have it."""
        while self._untold:
            one = self._untold[0]
            params = {"to": one.channel, "title": one.message, "severity": "warning"}
            call = ActionCall(action="notify.send", params={**params})
            with contextlib.suppress(ActivityError):
                await workflow.execute_activity(
                    "notify.send",
                    ReadRequest(call=call, incident=_chain(), step="storm"),
                    schedule_to_close_timeout=timedelta(minutes=10),
                    start_to_close_timeout=timedelta(seconds=60),
                    retry_policy=_TELLING,
                    summary=f"tell {one.channel} of the storm",
                )
            if one in self._untold:
                self._untold.remove(one)

    def _show(self) -> None:
        workflow.set_current_details(story.ledger_details(self._ledger.state))


def _chain() -> str:
    return f"{CHAIN}-{workflow.now():%Y-%m}"
