"""Whether a sender is who it should be. Every comparison takes the same time whatever is wrong."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol, TypeAlias

from pydantic import SecretStr

from halon.errors import Misconfigured
from halon.settings import Auth, Hmac, SecretRef

Secret: TypeAlias = Callable[[], SecretStr]
"""Gives a secret as it is known now, without waiting."""
Keep: TypeAlias = Callable[[SecretRef, str], Secret]
"""Reads a secret by its reference and its place in halon.yaml, and keeps it."""


class Headers(Protocol):
    """A request's headers; a name may stand several times."""

    def getlist(self, key: str, /) -> Sequence[str]:
        """Give all values of a header, whose name is compared without case."""
        ...


class Authenticator(Protocol):
    """One way to prove who one is. `admits` is asked before the body is read, `accepts` with the body.

    Only what has to fetch something to find out waits in `accepts`.
    """

    challenge: str
    """What `WWW-Authenticate` says."""

    def admits(self, headers: Headers) -> bool:
        """Whether the headers alone leave a chance, so that the body is worth reading."""
        ...

    async def accepts(self, headers: Headers, body: bytes, now: datetime) -> bool:
        """Whether the request is from who it should be.

        Raises:
            PermissionDenied: it is not, and the sender may know why.
            InvalidInput: it is nothing that could be proved.
            TransientError: that cannot be found out now.
        """
        ...


def same(given: bytes, expected: bytes) -> bool:
    """Compare in the same time whatever is wrong, also the length."""
    return hmac.compare_digest(hashlib.sha256(given).digest(), hashlib.sha256(expected).digest())


class Bearer:
    """A token that the sender knows."""

    challenge = "Bearer"

    def __init__(self, token: Secret) -> None:
        self._token = token

    def admits(self, headers: Headers) -> bool:
        """Whether the token is the right one."""
        values = headers.getlist("authorization")
        scheme, _, token = (values[0] if len(values) == 1 else "").partition(" ")
        given = token.strip().encode("latin-1")
        return same(given, self._token().get_secret_value().encode()) and scheme.lower() == "bearer"

    async def accepts(self, headers: Headers, body: bytes, now: datetime) -> bool:
        """Whether the token is the right one."""
        del body, now
        return self.admits(headers)


class Basic:
    """A user and a password that the sender knows."""

    challenge = 'Basic realm="halon"'

    def __init__(self, username: str, password: Secret) -> None:
        self._username = username
        self._password = password

    def admits(self, headers: Headers) -> bool:
        """Whether both are the right ones."""
        values = headers.getlist("authorization")
        scheme, _, given = (values[0] if len(values) == 1 else "").partition(" ")
        try:
            plain = base64.b64decode(given.strip(), validate=True)
        except (ValueError, binascii.Error):
            plain = b""
        expected = f"{self._username}:{self._password().get_secret_value()}".encode()
        return same(plain, expected) and scheme.lower() == "basic"

    async def accepts(self, headers: Headers, body: bytes, now: datetime) -> bool:
        """Whether both are the right ones."""
        del body, now
        return self.admits(headers)


class KeyHeader:
    """A secret that the sender gives in a header of its own."""

    challenge = "Key"

    def __init__(self, name: str, value: Secret) -> None:
        self._name = name
        self._value = value

    def admits(self, headers: Headers) -> bool:
        """Whether the header holds the secret."""
        values = headers.getlist(self._name)
        given = values[0].strip().encode("latin-1") if len(values) == 1 else b""
        return same(given, self._value().get_secret_value().encode())

    async def accepts(self, headers: Headers, body: bytes, now: datetime) -> bool:
        """Whether the header holds the secret."""
        del body, now
        return self.admits(headers)


class Signature:
    """A keyed hash over the raw body, with a timestamp where the sender has one."""

    challenge = "Signature"

    def __init__(self, secret: Secret, settings: Hmac) -> None:
        self._secret = secret
        self._settings = settings
        self._algorithm: Literal["sha256", "sha512"] = settings.algorithm

    def admits(self, headers: Headers) -> bool:
        """Whether there is a signature at all, and a timestamp where one is asked for."""
        return self._given(headers) is not None and self._timestamp(headers) is not None

    async def accepts(self, headers: Headers, body: bytes, now: datetime) -> bool:
        """Whether the signature is right and, where there is a timestamp, not too far from `now`."""
        given, timestamp = self._given(headers), self._timestamp(headers)
        if given is None or timestamp is None:
            return False
        before = self._settings.timestamp_format.replace("{timestamp}", timestamp).encode() if timestamp else b""
        secret = self._secret().get_secret_value().encode()
        expected = hmac.digest(secret, before + body, self._algorithm)
        genuine = hmac.compare_digest(given, expected)
        return genuine and (not timestamp or self._recent(timestamp, now))

    def _given(self, headers: Headers) -> bytes | None:
        values = headers.getlist(self._settings.header)
        if len(values) != 1 or not values[0].startswith(self._settings.prefix):
            return None
        text = values[0][len(self._settings.prefix) :].strip()
        try:
            return bytes.fromhex(text) if self._settings.encoding == "hex" else base64.b64decode(text, validate=True)
        except (ValueError, binascii.Error):
            return None

    def _timestamp(self, headers: Headers) -> str | None:
        """Give the timestamp, empty when none is asked for and None when it is missing or no number."""
        name = self._settings.timestamp_header
        if name is None:
            return ""
        values = headers.getlist(name)
        text = values[0] if len(values) == 1 else ""
        return text if text.isascii() and text.isdigit() and len(text) <= len("9999999999") else None

    def _recent(self, timestamp: str, now: datetime) -> bool:
        return abs(now.timestamp() - int(timestamp)) <= self._settings.tolerance.total_seconds()


class Open:
    """No proof at all: switched off by name in the settings."""

    challenge = ""

    def admits(self, headers: Headers) -> bool:
        """Everyone may come in."""
        del headers
        return True

    async def accepts(self, headers: Headers, body: bytes, now: datetime) -> bool:
        """Everyone may come in."""
        del headers, body, now
        return True


Scheme: TypeAlias = Callable[[Secret], Authenticator]
"""A sender's own way to sign, made with the secret that it shares with this source."""
Topics: TypeAlias = Callable[[Sequence[str]], Authenticator]
"""A proof that needs no secret but the names of the topics that may send."""
Way: TypeAlias = Literal["bearer", "basic", "header", "signature", "hmac", "topics", "iam", "cluster"]
"""One of the fields of `auth`."""


@dataclass(frozen=True, slots=True)
class Sender:
    """What the program that sends to a type of source can do."""

    product: str
    ways: tuple[Way, ...]
    """How it can prove itself; `none` is always possible."""
    scheme: Scheme | None = None
    """With `signature` among the ways."""
    topics: Topics | None = None
    """With `topics` among the ways."""
    media_types: frozenset[str] = frozenset()
    """What else than JSON it may call the JSON that it sends."""
    asks: bool = False
    """Whether it asks, before it sends, if anything is wanted here at all."""


def authenticator(name: str, auth: Auth, sender: Sender, keep: Keep) -> Authenticator:
    """Build what source `name` is checked with. `keep` reads its secret now, and anew from time to time.

    Raises:
        Misconfigured: the secret is not there, or the sender cannot prove itself so.
        TransientError: it cannot be read now.
    """
    (way,) = auth.ways
    setting = f"gateway.sources.{name}.auth.{way}"
    if way not in (*sender.ways, "none"):
        raise Misconfigured(f"`{setting}`: {sender.product} cannot do that; it can {', '.join(sender.ways)}")
    if auth.bearer is not None:
        return Bearer(keep(auth.bearer, setting))
    if auth.basic is not None:
        return Basic(auth.basic.username, keep(auth.basic.password, f"{setting}.password"))
    if auth.header is not None:
        return KeyHeader(auth.header.name, keep(auth.header.value, f"{setting}.value"))
    if auth.hmac is not None:
        return Signature(keep(auth.hmac.secret, f"{setting}.secret"), auth.hmac)
    return _own_way(auth, sender, keep, setting)


def _own_way(auth: Auth, sender: Sender, keep: Keep, setting: str) -> Authenticator:
    if auth.signature is not None and sender.scheme is not None:
        return sender.scheme(keep(auth.signature, setting))
    if auth.topics and sender.topics is not None:
        return sender.topics(auth.topics)
    return Open()
