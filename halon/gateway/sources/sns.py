"""Amazon SNS over HTTPS: CloudWatch's alarms, AWS Budgets' notices, events of EventBridge, and any other message."""

from collections.abc import Mapping
from datetime import datetime

from halon.contracts.base import Json
from halon.errors import InvalidInput
from halon.gateway.auth import Sender
from halon.gateway.parsing import AlertSource, Parsed
from halon.gateway.sources._aws import arn
from halon.gateway.sources._costs import Message
from halon.gateway.sources._messages import read_message
from halon.gateway.sources._reading import at, missing, moment, needed, one, text
from halon.gateway.topics import CONFIRMATION, END, Topics
from halon.redaction import cut_text
from halon.settings import Source

SENDER = Sender("Amazon SNS", ("topics",), topics=Topics, media_types=frozenset({"text/plain"}))
"""It calls its JSON plain text."""
_MAX_SUBJECT = 400


class Sns:
    """The source `sns`."""

    timeless = True

    def __init__(self, name: str, *, confirms: bool) -> None:
        self.name = name
        self._confirms = confirms

    def parse(self, body: Json, headers: Mapping[str, str], now: datetime) -> Parsed:
        """Give the alerts of a notification, or the remark that the message is about the subscription.

        Raises:
            InvalidInput: the body is no message of SNS, or the message in it lacks what decides.
        """
        del headers, now
        kind = text(body, "Type")
        topic = text(body, "TopicArn")
        shown = cut_text(topic, 300)
        if kind == CONFIRMATION:
            return one(f"the subscription to {shown} is confirmed" if self._confirms else _UNCONFIRMED.format(shown))
        if kind == END:
            return one(f"the subscription to {shown} has ended: nothing more comes from it")
        if kind != "Notification":
            raise InvalidInput("the body is no message of Amazon SNS", ["Type: Notification was expected"])
        message = at(body, "Message")
        if not isinstance(message, str):
            raise missing("Message", "text was expected")
        return read_message(
            Message(
                source=self.name,
                body=message,
                id=needed(body, "", "MessageId"),
                at=moment(at(body, "Timestamp"), "Timestamp"),
                subject=text(body, "Subject").strip()[:_MAX_SUBJECT],
                topic=topic,
                place=arn(topic),
            )
        )


_UNCONFIRMED = "the subscription to {} is not confirmed: only a source that names its `topics` does so"


def envelope(message: str, queue: str, sent: datetime, body: str) -> Json:
    """Put a message into an envelope that came without one."""
    at = sent.isoformat()
    return {"Type": "Notification", "MessageId": message, "TopicArn": queue, "Message": body, "Timestamp": at}


def build(name: str, settings: Source) -> AlertSource:
    """Build the source from its settings."""
    return Sns(name, confirms=bool(settings.auth.topics))
