"""Messages that found their channel busy, together: one list a minute instead of many messages."""

from collections import deque

from temporalio import workflow

from halon.contracts.coordination import (
    ADD_SIGNAL,
    DIGEST_WORKFLOW,
    DigestInput,
    DigestLine,
    Notice,
    Recipient,
)
from halon.core.digest import digest_text, worst
from halon.core.runtime import Event
from workflows.journal import Journal
from workflows.telling import Courier

MAX_LINES = 1000
"""Lines that wait; further ones are counted."""
MAX_SIGNALS = 2000
"""A workflow takes a bounded number of signals; after so many it goes on anew."""
MAX_SEEN = 5000


@workflow.defn(name=DIGEST_WORKFLOW)
class Digest:
    """Tells one channel what came too fast for it."""

    @workflow.init
    def __init__(self, given: DigestInput) -> None:
        self._given = given
        self._lines = {one.id: one for one in given.lines}
        self._more = given.more
        self._count = given.count
        self._seen: deque[str] = deque((one.id for one in given.lines), maxlen=MAX_SEEN)
        self._signals = 0
        self._journal = Journal(_chain())
        self._courier = Courier(
            patience=given.patience, keep_trying=given.keep_trying, on_event=self._note, damped=False
        )

    @workflow.run
    async def run(self, given: DigestInput) -> None:
        """Wait a minute, tell all that has come, and end when a minute brought nothing."""
        while True:
            await workflow.sleep(given.every, summary="messages gather")
            if not (self._lines or self._more):
                return
            await self._tell()
            await self._journal.flush()
            if self._signals >= MAX_SIGNALS:
                left = {"lines": tuple(self._lines.values()), "more": self._more, "count": self._count}
                workflow.continue_as_new(given.model_copy(update=left))

    @workflow.signal(name=ADD_SIGNAL, description="A message whose channel was busy. Sent by workers.")
    def add(self, line: DigestLine) -> None:
        """Put a message to the others; one that is repeated is there already."""
        self._signals += 1
        if line.id in self._seen:
            return
        self._seen.append(line.id)
        if len(self._lines) < MAX_LINES:
            self._lines[line.id] = line
        else:
            self._more += 1

    async def _tell(self) -> None:
        lines, more = tuple(self._lines.values()), self._more
        self._lines, self._more = {}, 0
        self._count += 1
        title, body = digest_text(lines, more)
        first = lines[0].id if lines else workflow.info().run_id
        notice = Notice(
            id=f"digest/{self._given.channel}/{first}",
            incident=_chain(),
            kind="digest",
            title=title,
            body=body,
            severity=worst(lines),
        )
        channels = (self._given.channel, *self._given.fallback)
        await self._courier.post(notice, Recipient(name=f"channel:{self._given.channel}", channels=channels), "")

    def _note(self, event: Event) -> None:
        self._journal.incident = _chain()
        self._journal.record(event.kind, event.message, data=event.data)


def _chain() -> str:
    """The audit chain of digests, one a month: they belong to no single incident."""
    return f"notices-{workflow.now():%Y-%m}"
