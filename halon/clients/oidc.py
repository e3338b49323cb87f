"""An OpenID Connect provider: its keys, and whether a token is its own.

Keys are fetched when the first token comes, and kept. A key that a token names and nobody knows is looked for once
more, because providers change their keys; how often is bounded, because anybody can name a key.
"""

import asyncio
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx
import jwt
import structlog
from jwt.exceptions import PyJWTError

from halon.contracts.base import is_list, is_object
from halon.errors import InvalidInput, TransientError
from halon.settings.auth import LOOPBACK, OidcSettings

MAX_TOKEN = 16 * 1024
MAX_DOCUMENT = 256 * 1024
"""Bytes of what the provider answers."""
MAX_KEYS = 100
FRESH = timedelta(minutes=10)
"""How long keys are used without asking again."""
KEPT = timedelta(hours=1)
"""How long they are used while the provider does not answer."""
AGAIN = timedelta(seconds=15)
"""The shortest time between two fetches."""
_TIMEOUT = httpx.Timeout(5.0)
_DISCOVERY = "/.well-known/openid-configuration"
_TYPES = frozenset({"", "jwt", "at+jwt", "application/at+jwt"})
"""What a token may call itself, without regard to case: an identity or an access token."""
_REQUIRED = ["exp", "iat", "iss", "aud", "sub"]
_KINDS = {"RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"}
"""Type of key for each family of algorithms. A shared secret is not among them."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Fetched:
    keys: tuple[Mapping[str, Any], ...]
    metadata: Mapping[str, Any]
    at: float


class Provider:
    """One provider, and the keys that it has now."""

    def __init__(self, settings: OidcSettings, tick: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._tick = tick
        self._fetching = asyncio.Lock()
        self._known: _Fetched | None = None
        self._tried_at: float | None = None
        self._problem = ""

    async def endpoint(self, name: str) -> str:
        """Give an address that the provider's metadata name.

        Raises:
            TransientError: the provider cannot be asked, or has none that may be used.
        """
        known = await self._keys(lambda known: known.at > self._tick() - FRESH.total_seconds())
        url = known.metadata.get(name)
        if not isinstance(url, str) or not self._may_fetch(url):
            raise TransientError(f"the provider names no `{name}` with TLS")
        return url

    async def claims(self, token: str, audience: Sequence[str] = ()) -> Mapping[str, Any]:
        """Give what a token says, once it is proven to be the provider's, for us, and in force.

        `audience` is whom it must be for when that is not whom the API's tokens are for.

        Raises:
            InvalidInput: it is not, and why.
            TransientError: the provider's keys cannot be had.
        """
        if len(token) > MAX_TOKEN:
            raise InvalidInput(f"the token is longer than {MAX_TOKEN} characters")
        try:
            header = jwt.get_unverified_header(token)
        except PyJWTError:
            raise InvalidInput("the token is no JSON Web Token") from None
        algorithm = header.get("alg")
        if algorithm not in self._settings.algorithms:
            raise InvalidInput("the token is signed in a way that `auth.oidc.algorithms` does not have")
        if str(header.get("typ") or "").lower() not in _TYPES:
            raise InvalidInput("the token is one for something else")
        key = await self._key(header.get("kid"), algorithm)
        try:
            return jwt.decode(
                token,
                key,
                algorithms=[algorithm],
                audience=list(audience or self._settings.audience),
                issuer=self._settings.issuer,
                leeway=self._settings.leeway,
                options={"require": _REQUIRED, "enforce_minimum_key_length": True},
            )
        except jwt.ExpiredSignatureError:
            raise InvalidInput("the token has expired") from None
        except jwt.InvalidAudienceError:
            raise InvalidInput("the token is for somebody else: `auth.oidc.audience` does not have its `aud`") from None
        except PyJWTError:
            raise InvalidInput("the token is forged, damaged, not in force yet, or lacks a claim") from None

    async def _key(self, kid: object, algorithm: str) -> jwt.PyJWK:
        fetched = await self._keys(lambda known: known.at > self._tick() - FRESH.total_seconds())
        found = _chosen(fetched, kid, algorithm)
        if found is None:
            again = await self._keys(lambda known: known is not fetched and known.at > fetched.at)
            found = _chosen(again, kid, algorithm)
        if found is None:
            raise InvalidInput("the token is signed with a key that the provider does not have")
        return found

    async def _keys(self, good_enough: Callable[[_Fetched], bool]) -> _Fetched:
        """Give the keys: those that are known when they are good enough, or when it is too early to ask again.

        Raises:
            TransientError: there are none that may be used.
        """
        async with self._fetching:
            now = self._tick()
            early = self._tried_at is not None and now < self._tried_at + AGAIN.total_seconds()
            if not (self._known and good_enough(self._known)) and not early:
                self._tried_at = now
                try:
                    self._known = _Fetched(*await self._fetch(), now)
                except TransientError as error:
                    self._problem = str(error)
                    log.warning("oidc.keys_unavailable", issuer=self._settings.issuer, reason=str(error))
            if self._known is None or self._known.at < now - KEPT.total_seconds():
                raise TransientError(f"the identity provider cannot be asked: {self._problem}", retry_after=AGAIN)
            return self._known

    async def _fetch(self) -> tuple[tuple[Mapping[str, Any], ...], Mapping[str, Any]]:
        issuer = self._settings.issuer
        async with httpx.AsyncClient(timeout=_TIMEOUT, follow_redirects=False) as http:
            metadata = await self._document(http, issuer.rstrip("/") + _DISCOVERY)
            if metadata.get("issuer") != issuer:
                problem = f"what answers at {issuer} calls itself otherwise: `auth.oidc.issuer` must be exact"
                raise TransientError(problem)
            place = metadata.get("jwks_uri")
            if not isinstance(place, str) or not self._may_fetch(place):
                raise TransientError("the provider names no address with TLS for its keys")
            keys = (await self._document(http, place)).get("keys")
        found = tuple(one for one in keys if is_object(one))[:MAX_KEYS] if is_list(keys) else ()
        return found, metadata

    def _may_fetch(self, url: str) -> bool:
        parts = urlsplit(url)
        return parts.scheme == "https" or (
            parts.scheme == "http" and (self._settings.plain_http or parts.hostname in LOOPBACK)
        )

    async def _document(self, http: httpx.AsyncClient, url: str) -> dict[str, Any]:
        body = bytearray()
        try:
            async with asyncio.timeout(_TIMEOUT.read), http.stream("GET", url) as answer:
                if not answer.is_success:
                    raise TransientError(f"{url} answers {answer.status_code}")
                async for chunk in answer.aiter_bytes():
                    body += chunk
                    if len(body) > MAX_DOCUMENT:
                        raise TransientError(f"{url} answers more than {MAX_DOCUMENT} bytes")
            said = json.loads(body)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
            raise TransientError(f"{url} does not answer: {str(error) or type(error).__name__}") from error
        except ValueError as error:
            raise TransientError(f"{url} answers no JSON") from error
        if not is_object(said):
            raise TransientError(f"{url} answers no JSON object")
        return said


def _chosen(fetched: _Fetched, kid: object, algorithm: str) -> jwt.PyJWK | None:
    """Give the key that a token is signed with: the one that it names, or the only one there is."""
    usable = [one for one in fetched.keys if _fits(one, algorithm)]
    meant = [one for one in usable if one.get("kid") == kid] if kid is not None else usable
    if len(meant) != 1:
        return None
    try:
        return jwt.PyJWK.from_dict(dict(meant[0]), algorithm=algorithm)
    except PyJWTError:
        return None


def _fits(key: Mapping[str, Any], algorithm: str) -> bool:
    kind, said = _KINDS[algorithm[:2]], key.get("alg")
    return key.get("kty") == kind and key.get("use", "sig") == "sig" and said in {None, algorithm}
