"""The workflow beside an incident that tells people and waits for their word. `halon.core.coordination` decides.

It outlives the incident: duties with a deadline, a message that could not be delivered yet, and the status page go on
until they are done.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, TypeVar

from pydantic import ValidationError
from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError

from halon.contracts.audit import AuditKind
from halon.contracts.base import is_object
from halon.contracts.communication import CHANNEL
from halon.contracts.coordination import (
    ACKNOWLEDGE_UPDATE,
    COORDINATION_WORKFLOW,
    DONE_UPDATE,
    NEWS_SIGNAL,
    PUBLISH,
    PUBLISH_UPDATE,
    ROLE_UPDATE,
    WHO,
    AcknowledgeInput,
    CoordinationInput,
    CoordinationStatus,
    DoneInput,
    NewsBatch,
    Notice,
    Person,
    Published,
    PublishInput,
    PublishRequest,
    Recipient,
    RoleInput,
    ThreadState,
    WhoAnswer,
    WhoRequest,
)
from halon.contracts.run import STATUS_QUERY
from halon.core import story
from halon.core.bulletin import Draft
from halon.core.coordination import Coordinator, Refused
from halon.core.flow import uninterrupted
from halon.core.membership import shared_labels
from halon.core.runtime import Event
from workflows.journal import Journal
from workflows.telling import Courier, reason_of

WRITE_AFTER = timedelta(seconds=2)
MAX_EVENTS = 8000
"""Events of the history, after which it goes on anew as soon as nothing is on its way."""
MAX_UPDATES = 1000
"""Temporal takes 2,000 for one run of a workflow."""
THREAD_WITHIN = timedelta(seconds=10)
"""How long a question waits for the thread that it belongs to."""
_TRYING = RetryPolicy(initial_interval=timedelta(seconds=2), maximum_interval=timedelta(minutes=1))
_ASKING = RetryPolicy(maximum_attempts=3)

InputT = TypeVar("InputT", bound=Person)


@workflow.defn(name=COORDINATION_WORKFLOW)
class Coordination:
    """Tells people of one incident, and keeps who acknowledged, who has which part, and which duties are open."""

    @workflow.init
    def __init__(self, given: CoordinationInput) -> None:
        self._given = given
        self._coordinator = Coordinator(given)
        self._journal = Journal(given.incident, given.state.unwritten if given.state else ())
        spec = given.communication
        self._courier = Courier(patience=spec.patience, keep_trying=spec.keep_trying, on_event=self._note)
        self._courier.remember(given.state.notices if given.state else ())
        self._count = given.state.count if given.state else 0
        self._tasks: list[asyncio.Task[None]] = []
        self._writing: asyncio.Task[None] | None = None
        self._stirred = False
        self._updates = 0

    @workflow.run
    async def run(self, given: CoordinationInput) -> None:
        """Tell and wait until there is nothing more to tell and to wait for."""
        if given.state is None:
            self._coordinator.open(workflow.now())
        while True:
            self._stirred = False
            self._turn()
            over = self._coordinator.over(workflow.now())
            anew = self._full and self._coordinator.bulletin.threads.settled
            if not (self._idle and (over or anew)):
                await self._wait()
                continue
            await workflow.wait_condition(workflow.all_handlers_finished)
            await self._journal.flush()
            if self._stirred:
                continue
            if over:
                return
            self._go_on_anew()

    @workflow.signal(name=NEWS_SIGNAL, description="What happened. Sent by the incident and its run.")
    def news(self, batch: NewsBatch) -> None:
        """Take news in."""
        if batch.dropped:
            self._note(Event(AuditKind.NOTICE_DROPPED, f"{batch.dropped} news found no room", data={}))
        for one in batch.news:
            self._coordinator.hear(one, workflow.now())
        self._stirred = True

    @workflow.update(name=ACKNOWLEDGE_UPDATE, description='Look after the incident. Input: {"by": "you@example.com"}')
    async def acknowledge(self, given: Any = None) -> str:
        """Somebody looks after it; nobody further is called."""
        said, person = await self._heard(AcknowledgeInput, given)
        return self._done(
            said, lambda: self._coordinator.acknowledge(person, said.comment, said.authenticated, workflow.now())
        )

    @workflow.update(
        name=ROLE_UPDATE,
        description='Take a part: {"by": "you@example.com", "role": "commander"} or "communication". With "to" another '
        'has it; "-" gives it up.',
    )
    async def role(self, given: Any = None) -> str:
        """Somebody takes a part in the incident, or hands it over."""
        said, person = await self._heard(RoleInput, given)
        to = said.to if said.to in {"", "-"} else await self._person(said.to, said)
        return self._done(
            said, lambda: self._coordinator.take_part(said.role, person, to, said.authenticated, workflow.now())
        )

    @workflow.update(
        name=DONE_UPDATE, description='A duty was done. Input: {"by": "you@example.com", "deadline": "its name"}'
    )
    async def done(self, given: Any = None) -> str:
        """A duty was done."""
        said, person = await self._heard(DoneInput, given)
        return self._done(
            said,
            lambda: self._coordinator.done(said.deadline, person, said.comment, said.authenticated, workflow.now()),
        )

    @workflow.update(
        name=PUBLISH_UPDATE,
        description='Release what waits for the status page: {"by": "you@example.com"}; or say something there: '
        '{"by": …, "status": "investigating", "message": "…"}',
    )
    async def publish(self, given: Any = None) -> str:
        """Somebody releases words for the status page, or says their own."""
        said, person = await self._heard(PublishInput, given)
        return self._done(said, lambda: self._coordinator.publish(said, person, workflow.now()))

    @workflow.query(name=STATUS_QUERY, description="Who acknowledged, who has which part, what was told, what is due.")
    def status(self) -> CoordinationStatus:
        """Answer for `halon show` and the console."""
        return self._coordinator.status(self._courier.states)

    @property
    def _idle(self) -> bool:
        page = self._coordinator.publicity
        return self._courier.idle and all(one.done() for one in self._tasks) and (page is None or page.idle)

    @property
    def _full(self) -> bool:
        info = workflow.info()
        long = info.get_current_history_length() >= MAX_EVENTS or info.is_continue_as_new_suggested()
        return long or self._updates >= MAX_UPDATES

    async def _wait(self) -> None:
        """Wait for news, a word, or what is due next. What is due already is on its way, and stirs when it arrives."""
        now = workflow.now()
        at = self._coordinator.next_at(now)
        timeout = None if at is None else at - now
        with contextlib.suppress(TimeoutError):
            await workflow.wait_condition(lambda: self._stirred, timeout=timeout, timeout_summary="what is due next")

    def _turn(self) -> None:
        """Do what is due now."""
        now = workflow.now()
        self._coordinator.tick(now)
        events, drafts = self._coordinator.bulletin.drain()
        for event in events:
            self._note(event)
        for task in [one for one in self._tasks if one.done()]:
            self._tasks.remove(task)
            task.result()  # a defect fails the workflow's task, where it is seen
        for draft in drafts:
            self._do(self._tell(draft))
        threads = self._coordinator.bulletin.threads
        for channel in threads.due(now):
            self._do(self._update(*threads.begin(channel)))
        request = self._coordinator.publicity.due() if self._coordinator.publicity else None
        if request is not None:
            self._do(self._publish(request))
        workflow.set_current_details(story.coordination_details(self._coordinator.status(self._courier.states)))

    def _do(self, work: Any) -> None:
        async def stirring() -> None:
            await work
            self._stirred = True

        self._tasks.append(asyncio.create_task(stirring()))

    def _next_id(self) -> str:
        self._count += 1
        return f"{self._given.incident}/{self._count}"

    async def _tell(self, draft: Draft) -> None:
        notice = Notice(
            id=self._next_id(),
            incident=self._given.incident,
            kind=draft.kind,
            title=draft.title,
            body=draft.body,
            severity=draft.severity,
            question=draft.question,
        )
        bulletin = self._coordinator.bulletin
        threads = bulletin.threads.thread
        if draft.to == bulletin.floors:
            with contextlib.suppress(TimeoutError):
                await workflow.wait_condition(
                    lambda: all(threads(one.removeprefix(CHANNEL)) for one in draft.to),
                    timeout=THREAD_WITHIN,
                    timeout_summary="the thread begins",
                )
        await self._courier.tell(notice, draft.to, self._given.metadata.owner, threads)

    async def _update(self, state: ThreadState, news: Sequence[str], left_out: int) -> None:
        """Tell the incident's thread in one channel what is new."""
        bulletin, gather, channel = self._coordinator.bulletin, self._given.communication.gather, state.channel
        title, body = bulletin.update(news, left_out, workflow.now())
        notice = Notice(
            id=self._next_id(),
            incident=self._given.incident,
            kind="update",
            title=title,
            body=body,
            closed=self._coordinator.closed,
        )
        others = tuple(one for one in self._given.communication.fallback if one != channel)
        recipient = Recipient(name=f"channel:{channel}", channels=(channel, *others))
        thread = await self._courier.post(notice, recipient, state.thread)
        bulletin.threads.end(channel, thread, workflow.now(), gather)

    async def _publish(self, request: PublishRequest) -> None:
        page = self._coordinator.publicity
        if page is None:
            return
        try:
            answer: Published = await workflow.execute_activity(
                PUBLISH,
                request,
                result_type=Published,
                schedule_to_close_timeout=self._given.communication.keep_trying,
                start_to_close_timeout=timedelta(seconds=45),
                retry_policy=_TRYING,
                summary=f"status page: {request.status}",
            )
        except ActivityError as error:
            page.failed(reason_of(error))
            message = f"The status page does not say {request.status}: {reason_of(error)}"
            self._note(Event(AuditKind.STATUS_PAGE_FAILED, message, data={"mark": request.mark}))
            return
        page.written(answer.page_incident, answer.url)
        facts = {"mark": request.mark, "status": request.status, "id": answer.page_incident, "url": answer.url}
        message = f"The status page says {request.status}: {request.body}"
        self._note(Event(AuditKind.STATUS_PAGE_WRITTEN, message, data={**facts}))

    async def _heard(self, kind: type[InputT], given: object) -> tuple[InputT, str]:
        """Read what somebody says, and find out who that is.

        Raises:
            ApplicationError: it cannot be read, or they may not say it.
        """
        self._updates += 1
        try:
            said = kind.model_validate(given if is_object(given) else {"by": ""})
        except ValidationError as error:
            problems = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors(include_url=False)]
            raise self._refusal("somebody", "; ".join(problems[:5])) from error
        return said, await self._person(said.by, said)

    async def _person(self, name: str, said: Person) -> str:
        labels = shared_labels(self._coordinator.bulletin.alerts)
        answer: WhoAnswer = await workflow.execute_activity(
            WHO,
            WhoRequest(name=name, labels=labels),
            result_type=WhoAnswer,
            start_to_close_timeout=timedelta(seconds=10),
            retry_policy=_ASKING,
        )
        if answer.problem:
            raise self._refusal(said.by, answer.problem)
        return answer.person

    def _done(self, said: Person, what: Callable[[], str]) -> str:
        try:
            answer = what()
        except Refused as refused:
            raise self._refusal(said.by, str(refused)) from refused
        self._stirred = True
        return answer

    def _refusal(self, by: str, why: str) -> ApplicationError:
        self._note(Event(AuditKind.WORD_REFUSED, f"The word of {by} does not count: {why}", actor=by, data={}))
        self._stirred = True
        return ApplicationError(why, type="word_refused")

    def _note(self, event: Event) -> None:
        self._journal.record(event.kind, event.message, step=event.step, actor=event.actor, data=event.data)
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write())

    async def _write(self) -> None:
        while self._journal.unwritten:
            await workflow.sleep(WRITE_AFTER, summary="records gather")
            await uninterrupted(self._journal.write())

    def _go_on_anew(self) -> None:
        state = self._coordinator.state(self._courier.states, self._count)
        workflow.continue_as_new(self._given.model_copy(update={"state": state, "alerts": ()}))
