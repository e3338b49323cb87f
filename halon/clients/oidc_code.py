"""Signing in through an OpenID Connect provider: the authorization code flow, with PKCE, `state` and `nonce`.

The browser goes away to the provider with what only this attempt knows, and comes back with a code, which is worth
something to who has the verifier and the client's secret alone (RFC 6749, RFC 7636, RFC 9207).
"""

import asyncio
import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import quote_plus, urlencode

import httpx
from pydantic import SecretStr

from halon.clients.oidc import MAX_DOCUMENT, Provider
from halon.contracts.base import Contract, is_list, is_object
from halon.errors import InvalidInput, TransientError

_PATIENCE = timedelta(seconds=8)
MAX_CODE = 4096


class Away(Contract):
    """What the browser keeps while somebody is at the provider."""

    state: str
    nonce: str
    verifier: str
    to: str
    """Where they go on afterwards."""


class Client(Contract):
    """What the provider knows the console as."""

    id: str
    secret: SecretStr | None = None
    issuer: str
    callback: str
    """Where the browser comes back to, exactly as the provider has it."""
    scopes: tuple[str, ...]


class CodeFlow:
    """The way to the provider and back."""

    def __init__(self, provider: Provider, client: Client) -> None:
        self._provider = provider
        self._client = client

    async def away(self, to: str) -> tuple[str, Away]:
        """Give the address to send a browser to, and what it must bring back.

        Raises:
            TransientError: the provider cannot be asked.
        """
        kept = Away(
            state=secrets.token_urlsafe(24), nonce=secrets.token_urlsafe(24), verifier=secrets.token_urlsafe(48), to=to
        )
        challenge = base64.urlsafe_b64encode(hashlib.sha256(kept.verifier.encode()).digest()).rstrip(b"=").decode()
        asked = {
            "response_type": "code",
            "client_id": self._client.id,
            "redirect_uri": self._client.callback,
            "scope": " ".join(self._client.scopes),
            "state": kept.state,
            "nonce": kept.nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        url = await self._provider.endpoint("authorization_endpoint")
        return f"{url}{'&' if '?' in url else '?'}{urlencode(asked)}", kept

    async def back(self, said: Mapping[str, str], kept: Away) -> Mapping[str, Any]:
        """Give the claims of whoever came back, from what stands in the address and what the browser kept.

        Raises:
            InvalidInput: it is another attempt's, the provider refused, or its token is not for this attempt.
            TransientError: the provider cannot be asked.
        """
        if not hmac.compare_digest(said.get("state", "").encode(), kept.state.encode()):
            raise InvalidInput("this way back belongs to another attempt to sign in: sign in again")
        if said.get("iss", self._client.issuer) != self._client.issuer:
            raise InvalidInput("another provider sent you back: sign in again")
        if said.get("error"):
            raise InvalidInput("the identity provider did not sign you in: sign in again, or ask who keeps it")
        code = said.get("code", "")
        if not 0 < len(code) <= MAX_CODE:
            raise InvalidInput("the identity provider sent you back without a code: sign in again")
        token = await self._exchanged(code, kept.verifier)
        claims = await self._provider.claims(token, (self._client.id,))
        nonce = claims.get("nonce")
        if not isinstance(nonce, str) or not hmac.compare_digest(nonce.encode(), kept.nonce.encode()):
            raise InvalidInput("the identity provider's token is of another attempt to sign in: sign in again")
        if is_list(claims["aud"]) and len(claims["aud"]) > 1 and claims.get("azp") != self._client.id:
            raise InvalidInput("the identity provider's token was issued to somebody else")
        return claims

    async def _exchanged(self, code: str, verifier: str) -> str:
        url = await self._provider.endpoint("token_endpoint")
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._client.callback,
            "client_id": self._client.id,
            "code_verifier": verifier,
        }
        headers = {"Accept": "application/json"}
        if self._client.secret is not None:
            # RFC 6749, 2.3.1: both are encoded as in a form before they are joined.
            pair = f"{quote_plus(self._client.id)}:{quote_plus(self._client.secret.get_secret_value())}"
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        try:
            async with (
                asyncio.timeout(_PATIENCE.total_seconds()),
                httpx.AsyncClient(timeout=None, follow_redirects=False) as http,  # noqa: S113  # the line above bounds it
            ):
                answer = await _bounded(http, url, form, headers)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
            raise TransientError(f"the identity provider does not answer: {type(error).__name__}") from error
        said = _object(answer.content)
        if answer.is_server_error:
            raise TransientError(f"the identity provider answers {answer.status_code}")
        token = said.get("id_token")
        if not answer.is_success or not isinstance(token, str):
            raise InvalidInput("the identity provider did not take the code: sign in again")
        return token


async def _bounded(http: httpx.AsyncClient, url: str, form: dict[str, str], headers: dict[str, str]) -> httpx.Response:
    async with http.stream("POST", url, data=form, headers=headers) as answer:
        body = bytearray()
        async for chunk in answer.aiter_bytes():
            body += chunk
            if len(body) > MAX_DOCUMENT:
                raise TransientError("the identity provider answers more than a token can be")
    return httpx.Response(answer.status_code, content=bytes(body))


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        said = json.loads(body)
    except ValueError:
        return {}
    return said if is_object(said) else {}
