"""Queues that the gateway asks for messages, for those who cannot open a port: one task for each source of type `sqs`.

A message goes the way of a webhook, and is deleted only when its alerts are durable. One that cannot be read is not
deleted: it comes again after longer and longer, until the queue's own policy takes it to a dead-letter queue.
While Temporal does not answer nothing is received, so that an outage of ours does not take good messages there.
"""

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, TypeAlias

import structlog
from opentelemetry import metrics

from halon.clients.aws.api import AwsApi
from halon.clients.aws.queues import AT_ONCE, LONGEST_HIDDEN, WAIT, Queue, Received
from halon.contracts.base import format_duration
from halon.errors import HalonError, InvalidInput, PermanentError, TransientError
from halon.gateway.bodies import Bodies
from halon.gateway.intake import Intake
from halon.gateway.parsing import AlertSource, bounded_problems
from halon.gateway.sources import build_source
from halon.gateway.sources.sns import envelope
from halon.redaction import cut_text
from halon.settings import QueueSettings, Settings
from halon.settings.sources import PLAIN

SHORTEST_PAUSE, LONGEST_PAUSE = timedelta(seconds=1), timedelta(minutes=1)
"""Between two tries, while SQS or Temporal does not answer."""
SHORTEST_HIDDEN = timedelta(seconds=30)
"""Before a message that was not taken comes again; twice as long each time."""
LAST = WAIT + timedelta(seconds=5)
"""How long a queue's task may take to end: SQS is still asked, and what it gives is still done."""
_MAX_DOUBLINGS = 12

Result: TypeAlias = Literal["taken", "refused", "later"]
log = structlog.get_logger(__name__)
_meter = metrics.get_meter("halon.gateway")
_messages = _meter.create_counter("halon.gateway.messages", description="Messages of queues, by source and result")
_failures = _meter.create_counter("halon.gateway.queue.failures", description="Calls to queues that failed, by source")


@dataclass(frozen=True, slots=True)
class Ways:
    """Where messages go, and how is asked whether they can."""

    bodies: Bodies
    intake: Intake
    clock: Callable[[], datetime]
    check: Callable[[], Awaitable[None]]
    """Raises TransientError while Temporal does not answer."""


@dataclass(slots=True)
class Poller:
    """Takes the messages of one queue."""

    source: AlertSource
    queue: Queue
    ways: Ways
    wrapped: bool
    """Whether a message is the text itself, and none that says what it is."""
    hidden: timedelta
    stopping: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """Take messages until it is told to stop."""
        pause = SHORTEST_PAUSE
        while not self.stopping.is_set():
            try:
                await self.ways.check()
                messages = await self.queue.receive(self.hidden)
                answered = await self._taken(messages)
            except HalonError as error:
                _failures.add(1, {"source": self.source.name})
                wait = format_duration(pause)
                log.warning("queue.unanswered", source=self.source.name, reason=str(error), again_in=wait)
                answered = False
            except Exception:
                # The edge: a defect is told as one, and must not silence a source for good.
                _failures.add(1, {"source": self.source.name})
                log.exception("queue.defect", source=self.source.name, again_in=format_duration(pause))
                answered = False
            if answered:
                pause = SHORTEST_PAUSE
                continue
            await self._rest(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _rest(self, pause: timedelta) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pause.total_seconds()):
                await self.stopping.wait()

    async def _taken(self, messages: Sequence[Received]) -> bool:
        """Take messages in the order that they were sent in. Gives whether all of them found an answer."""
        done: list[Received] = []
        late = False
        try:
            for message in sorted(messages, key=lambda one: one.sent):
                # What comes after one that has to wait waits too: an end must not overtake its beginning.
                result = "later" if late else await self._result(message)
                _messages.add(1, {"source": self.source.name, "result": result})
                late = late or result == "later"
                if result == "taken":
                    done.append(message)
                else:
                    await self.queue.hide(message, _longer(message.times))
        finally:
            if done:
                await self.queue.delete(done)
        return not late

    async def _result(self, message: Received) -> Result:
        try:
            text = envelope(message.id, self.queue.arn, message.sent, message.body) if self.wrapped else None
            raw = message.body.encode() if text is None else json.dumps(text).encode()
            contents = self.ways.bodies.read(self.source, raw, {}, self.ways.clock())
            receipt = await self.ways.intake.take(self.source.name, contents)
        except TransientError as error:
            log.warning("message.later", source=self.source.name, message=message.id, reason=str(error))
            return "later"
        except InvalidInput as error:
            return self._refused(message, bounded_problems(error.problems) or [str(error)])
        except PermanentError as error:
            return self._refused(message, [str(error)])
        except Exception:
            # The edge: a defect in one message must not keep the others from being taken. It stays in the queue.
            log.exception("message.defect", source=self.source.name, message=cut_text(message.id, 100))
            return "refused"
        if contents.parsed.rejected and not contents.parsed.alerts:
            return self._refused(message, receipt.errors)
        return "taken"

    def _refused(self, message: Received, problems: list[str]) -> Result:
        log.error(
            "message.refused",
            source=self.source.name,
            message=cut_text(message.id, 100),
            received=message.times,
            problems=problems,
            then=f"it comes again in {format_duration(_longer(message.times))}, or goes to the dead-letter queue",
        )
        return "refused"


class Pollers:
    """All of them, and their end."""

    def __init__(self, settings: Settings, ways: Ways) -> None:
        """Build what asks the queues.

        Raises:
            Misconfigured: an account, or the format of a queue's messages, is none.
        """
        self._aws = AwsApi(settings.aws)
        # As long as all messages of one call may take, one after the other.
        longest = AT_ONCE * settings.gateway.dispatch_timeout + timedelta(minutes=1)
        self._all = [
            Poller(
                source=build_source(name, one),
                queue=_queue(self._aws, one.queue),
                ways=ways,
                wrapped=one.queue.format == PLAIN,
                hidden=longest,
            )
            for name, one in settings.gateway.sources.items()
            if one.queue is not None
        ]
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to ask."""
        self._tasks = [asyncio.create_task(one.run()) for one in self._all]

    async def stop(self) -> None:
        """Have all of them end what they do; what is not done in time comes again."""
        for one in self._all:
            one.stopping.set()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=LAST.total_seconds())
            for task in late:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._aws.close()


def _queue(aws: AwsApi, settings: QueueSettings) -> Queue:
    account = aws.account(settings.account)
    given = account.region(settings.region or "")
    # The region of a queue's address is the queue's own, whatever the account's is.
    return Queue(account, settings.url or settings.name or "", given if settings.name else settings.region or "")


def _longer(times: int) -> timedelta:
    doubled: int = 2 ** min(max(times, 1) - 1, _MAX_DOUBLINGS)
    return min(SHORTEST_HIDDEN * doubled, LONGEST_HIDDEN)
