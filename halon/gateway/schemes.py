"""The signature schemes of senders that have one of their own: a shared secret, and HMAC-SHA256 in hexadecimal."""

import hmac
from collections.abc import Iterator
from datetime import datetime, timedelta

from halon.gateway.auth import Headers, Scheme, Secret

_MAX_SIGNATURES = 10
_TOLERANCE = timedelta(minutes=5)


class BodySignature:
    """Signatures over the raw body in one header: one, or several with a comma between, of which one must be right."""

    challenge = "Signature"

    def __init__(self, secret: Secret, header: str, prefix: str = "") -> None:
        self._secret = secret
        self._header = header
        self._prefix = prefix

    def admits(self, headers: Headers) -> bool:
        """Whether there is a signature at all."""
        return any(self._given(headers))

    async def accepts(self, headers: Headers, body: bytes, now: datetime) -> bool:
        """Whether one of the signatures is right."""
        del now
        return self.signed(headers, body)

    def signed(self, headers: Headers, content: bytes) -> bool:
        """Whether one of the signatures is one over `content`."""
        expected = hmac.digest(self._secret().get_secret_value().encode(), content, "sha256")
        # Each is looked at, so that the time does not tell which one was right.
        return sum(hmac.compare_digest(given, expected) for given in self._given(headers)) > 0

    def _given(self, headers: Headers) -> Iterator[bytes]:
        values = headers.getlist(self._header)
        for text in values[0].split(",")[:_MAX_SIGNATURES] if len(values) == 1 else ():
            part = text.strip()
            if part.startswith(self._prefix):
                try:
                    yield bytes.fromhex(part[len(self._prefix) :])
                except ValueError:
                    continue


class TimedSignature:
    """A signature over the body, or over a timestamp, a colon and the body where the sender was told to send one.

    A signature over both is none over the body alone, so that taking the timestamp away does not help who overheard it.
    """

    challenge = "Signature"

    def __init__(self, secret: Secret, header: str, stamps: tuple[str, ...]) -> None:
        self._signature = BodySignature(secret, header)
        self._stamps = stamps

    def admits(self, headers: Headers) -> bool:
        """Whether there is a signature at all."""
        return self._signature.admits(headers)

    async def accepts(self, headers: Headers, body: bytes, now: datetime) -> bool:
        """Whether the signature is right and, where there is a timestamp, not too far from `now`."""
        stamps = [value for name in self._stamps for value in headers.getlist(name)]
        if not stamps:
            return self._signature.signed(headers, body)
        text = stamps[0]
        if len(stamps) > 1 or not (text.isascii() and text.isdigit() and len(text) <= len("9999999999")):
            return False
        recent = abs(now.timestamp() - int(text)) <= _TOLERANCE.total_seconds()
        return self._signature.signed(headers, text.encode() + b":" + body) and recent


def body_signature(header: str, prefix: str = "") -> Scheme:
    """Give a scheme that signs the body."""
    return lambda secret: BodySignature(secret, header, prefix)


def timed_signature(header: str, *stamps: str) -> Scheme:
    """Give a scheme that signs the body, with the time when one of the headers `stamps` has it."""
    return lambda secret: TimedSignature(secret, header, stamps)
