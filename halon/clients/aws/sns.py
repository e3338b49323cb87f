"""Amazon SNS's own web addresses: the certificates that it signs with, and the confirmation of a subscription.

Both are asked for because a message names them, so nothing is asked at an address that is not that of SNS in the region
of a topic that halon.yaml names.
"""

import asyncio
import re
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import parse_qs, urlsplit

from cachetools import TTLCache
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.x509.oid import NameOID

from halon.clients.web import Ask, Web, WebAnswer
from halon.errors import InvalidInput, PermanentError, PermissionDenied, TransientError

MAX_CERTIFICATE = 16 * 1024
"""Bytes."""
MAX_CERTIFICATES = 20
KEPT = timedelta(days=1)
"""How long a certificate serves until it is fetched again."""
REFUSED_FOR = timedelta(minutes=1)
"""How long an address that has no certificate of SNS is not asked again."""
MAX_FETCHES = 10
"""Certificates a minute: a stranger may name as many as there are names."""
CONFIRMED_FOR = timedelta(days=3)
"""As long as SNS takes a token."""
MAX_CONFIRMED = 1000
_MINUTE = 60.0
_TIMEOUT = timedelta(seconds=5)
_MIN_KEY = 2048
_FILE = r"/SimpleNotificationService-[A-Za-z0-9]{1,64}\.pem"
_MAX_URL = 1024


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic by the parts of its ARN."""

    arn: str
    partition: str
    region: str

    @classmethod
    def of(cls, arn: str) -> "Topic":
        """Take apart an ARN that halon.yaml has, so that it is one."""
        parts = arn.split(":")
        return cls(arn, parts[1], parts[3])

    @property
    def suffix(self) -> str:
        """What the names of AWS's hosts end with there."""
        return "amazonaws.com.cn" if self.partition == "aws-cn" else "amazonaws.com"

    @property
    def host(self) -> str:
        """Where SNS is in the topic's region."""
        return f"sns.{self.region}.{self.suffix}"

    @property
    def names(self) -> frozenset[str]:
        """Names that SNS's certificate may have: as AWS's own libraries know them, they differ by region."""
        own = {self.host, f"sns-signing.{self.region}.{self.suffix}"}
        if self.partition == "aws-us-gov":
            return frozenset(own | {"sns-us-gov-west-1.amazonaws.com"})
        return frozenset(
            own | {f"sns-{self.region}.{self.suffix}" if self.partition == "aws-cn" else f"sns.{self.suffix}"}
        )


@dataclass(frozen=True, slots=True)
class _Certificate:
    key: RSAPublicKey
    since: datetime
    until: datetime


class Sns:
    """What SNS is asked; for one process."""

    def __init__(self, tick: Callable[[], float] = time.monotonic) -> None:
        self._tick = tick
        self._asking = asyncio.Lock()
        self._fetches: deque[float] = deque(maxlen=MAX_FETCHES)
        self._known: TTLCache[str, _Certificate] = TTLCache(MAX_CERTIFICATES, KEPT.total_seconds(), timer=tick)
        self._refused: TTLCache[str, str] = TTLCache(MAX_CONFIRMED, REFUSED_FOR.total_seconds(), timer=tick)
        self._confirmed: TTLCache[str, bool] = TTLCache(MAX_CONFIRMED, CONFIRMED_FOR.total_seconds(), timer=tick)

    async def key(self, url: str, topic: Topic, now: datetime) -> RSAPublicKey:
        """Give the key of the certificate at an address that a message of the topic names.

        Raises:
            PermissionDenied: it is no address, or no certificate, of SNS in the topic's region that is valid now.
            TransientError: it cannot be fetched now.
        """
        if len(url) > _MAX_URL or not re.fullmatch(re.escape(f"https://{topic.host}") + _FILE, url, re.ASCII):
            raise PermissionDenied(f"the certificate's address is not one of {topic.host}, where the topic is")
        found = self._known.get(url)
        if found is None:
            async with self._asking:
                found = self._known.get(url) or await self._fetched(url, topic)
        if not found.since <= now <= found.until:
            raise PermissionDenied("the certificate of Amazon SNS is not valid now: look at this machine's clock")
        return found.key

    async def confirm(self, url: str, topic: Topic, token: str) -> bool:
        """Visit the address that confirms a subscription, once for each token. Gives whether it was visited now.

        Raises:
            PermissionDenied: it is no address of SNS, or not of this topic and token.
            InvalidInput: SNS refuses it.
            TransientError: there is no answer now; SNS will ask again.
        """
        _check_confirmation(url, topic, token)
        async with self._asking:
            if url in self._confirmed:
                return False
            async with self._web() as web:
                answer = await web.ask("Amazon SNS", Ask(url, secret=False))
            if not answer.ok:
                said = f"SubscribeURL: Amazon SNS answers HTTP {answer.status}"
                if answer.status >= 500:  # noqa: PLR2004  # the server's own errors begin there
                    raise TransientError(said)
                self._confirmed[url] = False
                raise InvalidInput(f"{said}: subscribe anew", [said])
            self._confirmed[url] = True
            return True

    async def _fetched(self, url: str, topic: Topic) -> _Certificate:
        refused = self._refused.get(url)
        if refused is not None:
            raise PermissionDenied(refused)
        now = self._tick()
        if len(self._fetches) == MAX_FETCHES and self._fetches[0] > now - _MINUTE:
            later = timedelta(seconds=_MINUTE)
            raise TransientError("too many certificates of Amazon SNS were asked for in a minute", retry_after=later)
        self._fetches.append(now)
        try:
            async with self._web() as web:
                answer = await web.ask("Amazon SNS", Ask(url, secret=False), limit=MAX_CERTIFICATE)
            found = _read(_whole(answer), topic.names)
        except PermanentError as error:
            self._refused[url] = str(error)
            raise PermissionDenied(str(error)) from error
        self._known[url] = found
        return found

    @asynccontextmanager
    async def _web(self) -> AsyncGenerator[Web]:
        web = Web(_TIMEOUT)
        try:
            yield web
        finally:
            await web.close()


def _check_confirmation(url: str, topic: Topic, token: str) -> None:
    parts = urlsplit(url) if len(url) <= _MAX_URL and url.isascii() else urlsplit("")
    said = parse_qs(parts.query, keep_blank_values=True, max_num_fields=10)
    expected = {"Action": ["ConfirmSubscription"], "TopicArn": [topic.arn], "Token": [token]}
    if (parts.scheme, parts.netloc, parts.path) != ("https", topic.host, "/") or said != expected:
        raise PermissionDenied(f"SubscribeURL is not one of {topic.host} that confirms this topic with this token")


def _whole(answer: WebAnswer) -> bytes:
    if answer.ok:
        return answer.body
    if answer.status >= 500:  # noqa: PLR2004  # the server's own errors begin there
        raise TransientError(f"Amazon SNS answers HTTP {answer.status} when asked for its certificate")
    raise PermanentError(f"Amazon SNS has no certificate at this address: HTTP {answer.status}")


def _read(pem: bytes, names: Collection[str]) -> _Certificate:
    """Read a certificate and look whose it is.

    Raises:
        PermanentError: it is none, or not one of SNS.
    """
    try:
        given = x509.load_pem_x509_certificate(pem)
        key = given.public_key()
        found = _names(given)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise PermanentError("what is at the certificate's address is no certificate") from error
    if not found & set(names):
        raise PermanentError(f"the certificate is for {', '.join(sorted(found)[:5])}, and not for Amazon SNS there")
    if not isinstance(key, RSAPublicKey) or key.key_size < _MIN_KEY:
        raise PermanentError(f"the certificate has no RSA key of at least {_MIN_KEY} bits")
    return _Certificate(key, given.not_valid_before_utc, given.not_valid_after_utc)


def _names(given: x509.Certificate) -> set[str]:
    """Give the hosts that a certificate is for: its alternative names, and only without any its common name."""
    try:
        listed = given.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return {str(one.value) for one in given.subject.get_attributes_for_oid(NameOID.COMMON_NAME)}
    return set(listed.get_values_for_type(x509.DNSName))
