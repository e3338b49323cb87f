"""Messages of Amazon SNS prove themselves: signed by SNS, lately, and of a topic that halon.yaml names.

The topic is what makes them ours: anybody may have a topic, and SNS signs for all of them alike.
"""

import base64
import binascii
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, HashAlgorithm

from halon.clients.aws.sns import Sns, Topic
from halon.contracts.base import is_object
from halon.errors import InvalidInput, PermissionDenied
from halon.gateway.auth import Headers
from halon.gateway.parsing import parse_json
from halon.redaction import cut_text

MAX_AGE = timedelta(minutes=65)
"""SNS tries again for up to an hour after the time that it signs."""
AHEAD = timedelta(minutes=5)
"""How far the clocks may be apart."""
CONFIRMATION = "SubscriptionConfirmation"
END = "UnsubscribeConfirmation"
RAW = "x-amz-sns-rawdelivery"
_NOTIFICATION_FIELDS = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
_CONFIRMATION_FIELDS = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
SIGNED = {
    "Notification": _NOTIFICATION_FIELDS,
    CONFIRMATION: _CONFIRMATION_FIELDS,
    END: _CONFIRMATION_FIELDS,
}
"""What is signed of each type of message, in order."""
_OPTIONAL = frozenset({"Subject"})
_HASHES: dict[str, HashAlgorithm] = {"1": SHA1(), "2": SHA256()}  # noqa: S303  # the only one that SNS's version 1 has

log = structlog.get_logger(__name__)


class Topics:
    """The topics that may send to one source."""

    challenge = "Signature"

    def __init__(self, topics: Sequence[str], sns: Sns | None = None) -> None:
        self._topics = {arn: Topic.of(arn) for arn in topics}
        self._sns = sns or Sns()

    def admits(self, headers: Headers) -> bool:
        """Whatever headers say: what counts is signed, and whoever set up another topic is told so."""
        del headers
        return True

    async def accepts(self, headers: Headers, body: bytes, now: datetime) -> bool:
        """Whether the message is one of these topics. One that asks to confirm a subscription is answered.

        Raises:
            PermissionDenied: it is not, and why.
            InvalidInput: it carries no signature that could be looked at.
            TransientError: SNS does not answer.
        """
        if any(value.strip().lower() == "true" for value in headers.getlist(RAW)):
            said = "raw message delivery carries no signature: switch it off for this subscription"
            raise InvalidInput(said, [f"{RAW}: {said}"])
        message = parse_json(body)
        kind = message.get("Type") if is_object(message) else None
        if not is_object(message) or not isinstance(kind, str) or kind not in SIGNED:
            raise InvalidInput("the body is no message of Amazon SNS", ["Type: a message of Amazon SNS was expected"])
        topic = self._topics.get(_word(message, "TopicArn"))
        if topic is None:
            raise PermissionDenied(f"{cut_text(_word(message, 'TopicArn'), 300)} is not one of this source's `topics`")
        await self._check(message, kind, topic, now)
        if kind == CONFIRMATION:
            if await self._sns.confirm(_word(message, "SubscribeURL"), topic, _word(message, "Token")):
                log.info("sns.subscribed", topic=topic.arn)
        elif kind == END:
            log.warning("sns.unsubscribed", topic=topic.arn, then="nothing more comes from this subscription")
        return True

    async def _check(self, message: dict[str, Any], kind: str, topic: Topic, now: datetime) -> None:
        version = _word(message, "SignatureVersion")
        if version not in _HASHES:
            raise PermissionDenied(f"SignatureVersion {cut_text(version, 20)} is not one that is known: 1 or 2")
        sent = _moment(_word(message, "Timestamp"))
        if not now - MAX_AGE <= sent <= now + AHEAD:
            raise PermissionDenied("the message was sent too long ago, or is ahead of this machine's clock")
        try:
            signature = base64.b64decode(_word(message, "Signature"), validate=True)
        except (ValueError, binascii.Error) as error:
            raise PermissionDenied("Signature is not base64") from error
        content = "".join(
            f"{name}\n{_word(message, name)}\n"
            for name in SIGNED[kind]
            if name not in _OPTIONAL or message.get(name) is not None
        )
        key = await self._sns.key(_word(message, "SigningCertURL"), topic, now)
        try:
            key.verify(signature, content.encode(), PKCS1v15(), _HASHES[version])
        except (InvalidSignature, UnsupportedAlgorithm, ValueError) as error:
            raise PermissionDenied("the message is not signed by Amazon SNS, or was changed on its way") from error


def _word(message: dict[str, Any], name: str) -> str:
    """Give a field, which has to be text.

    Raises:
        InvalidInput: it is not.
    """
    value = message.get(name)
    if not isinstance(value, str):
        raise InvalidInput(f"{name}: text was expected, as Amazon SNS sends it", [f"{name}: text was expected"])
    return value


def _moment(text: str) -> datetime:
    try:
        sent = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidInput("Timestamp: no time", ["Timestamp: no time"]) from error
    if sent.tzinfo is None:
        raise InvalidInput("Timestamp: a time zone was expected", ["Timestamp: a time zone was expected"])
    return sent
