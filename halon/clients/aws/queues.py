"""A queue of Amazon SQS: messages are received, and deleted only by whoever has done what they ask for."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from halon.clients.aws.api import Account
from halon.errors import PermanentError

AT_ONCE = 10
"""Messages of one call; SQS takes no more."""
WAIT = timedelta(seconds=10)
"""How long SQS waits for a message. It takes 20 s at most; a process that stops waits for it as well."""
LONGEST_HIDDEN = timedelta(hours=12)
"""SQS's own bound."""


@dataclass(frozen=True, slots=True)
class Received:
    """A message as it was received this time."""

    id: str
    receipt: str
    body: str
    sent: datetime
    times: int
    """How often it was received, as far as SQS knows."""


class Queue:
    """One queue. Every method raises what `Account.call` raises."""

    def __init__(self, account: Account, place: str, region: str = "") -> None:
        """`place` is the queue's URL, or its name in the account."""
        self._account = account
        self._place = place
        self._url = place if place.startswith(("https://", "http://")) else ""
        self._region = account.region(region or region_of(self._url))

    @property
    def arn(self) -> str:
        """The queue's ARN, as far as its address says it."""
        number, _, name = self._url.partition("://")[2].partition("/")[2].partition("/")
        return f"arn:aws:sqs:{self._region}:{number}:{name}" if name else ""

    async def receive(self, hidden: timedelta) -> list[Received]:
        """Wait for messages, and hide them from others for a time."""
        if not self._url:
            found = await self._call("get_queue_url", QueueName=self._place)
            self._url = str(found.get("QueueUrl", ""))
            self._region = self._region or region_of(self._url)
        answer = await self._call(
            "receive_message",
            QueueUrl=self._url,
            MaxNumberOfMessages=AT_ONCE,
            WaitTimeSeconds=round(WAIT.total_seconds()),
            VisibilityTimeout=_seconds(hidden),
            MessageSystemAttributeNames=["ApproximateReceiveCount", "SentTimestamp"],
        )
        return [_received(one) for one in answer.get("Messages", [])]

    async def delete(self, messages: Sequence[Received]) -> None:
        """Delete what was done.

        Raises:
            PermanentError: SQS did not delete all of them; they come again.
        """
        entries = [{"Id": str(index), "ReceiptHandle": one.receipt} for index, one in enumerate(messages)]
        answer = await self._call("delete_message_batch", QueueUrl=self._url, Entries=entries)
        failed: list[dict[str, Any]] = answer.get("Failed") or []
        if failed:
            raise PermanentError(f"{len(failed)} messages were not deleted: {failed[0].get('Code', 'no reason')}")

    async def hide(self, message: Received, for_: timedelta) -> None:
        """Have a message come again after a time."""
        hidden = _seconds(min(for_, LONGEST_HIDDEN))
        await self._call(
            "change_message_visibility",
            QueueUrl=self._url,
            ReceiptHandle=message.receipt,
            VisibilityTimeout=hidden,
        )

    async def _call(self, operation: str, **params: Any) -> dict[str, Any]:
        return await self._account.call("sqs", operation, region=self._region, **params)


def region_of(url: str) -> str:
    """Give the region of a queue's address at AWS; empty for any other."""
    host = url.partition("://")[2].partition("/")[0].split(".")
    return host[1] if len(host) > 2 and host[0] == "sqs" and host[2] == "amazonaws" else ""  # noqa: PLR2004  # `sqs.REGION.amazonaws`


def _received(given: dict[str, Any]) -> Received:
    about: dict[str, Any] = given.get("Attributes") or {}
    millis, times = str(about.get("SentTimestamp", "")), str(about.get("ApproximateReceiveCount", ""))
    return Received(
        id=str(given.get("MessageId", "")),
        receipt=str(given.get("ReceiptHandle", "")),
        body=str(given.get("Body", "")),
        sent=datetime.fromtimestamp(int(millis) / 1000, UTC) if millis.isdigit() else datetime.now(UTC),
        times=int(times) if times.isdigit() else 1,
    )


def _seconds(time: timedelta) -> int:
    return max(0, round(time.total_seconds()))
