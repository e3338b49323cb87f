"""The identity provider that people prove themselves with, when there is one."""

from datetime import timedelta
from typing import Annotated, Literal, TypeAlias
from urllib.parse import urlsplit

from pydantic import Field, StringConstraints, model_validator

from halon.contracts.base import Duration
from halon.contracts.people import MAX_GROUPS, GroupName
from halon.settings.credentials import SecretRef
from halon.settings.section import Section

Algorithm: TypeAlias = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
"""Signatures with a private key. A shared secret is none: whoever can check it can forge it."""
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
Claim: TypeAlias = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class Claims(Section):
    """Where a token says who somebody is."""

    person: Claim = "email"
    """The claim that names the person. `email` only counts when the provider has verified it; otherwise `sub` does."""
    groups: Claim = "groups"
    """The claim that lists their groups."""


class OidcSettings(Section):
    """An OpenID Connect provider, whose tokens the API takes."""

    issuer: Annotated[str, StringConstraints(pattern=r"^https?://[^\s/@?#]+(/[^\s@?#]*)?$", max_length=2048)]
    """Exactly as the provider's tokens have it in `iss`."""
    audience: Annotated[tuple[Claim, ...], Field(min_length=1, max_length=10)]
    """Whom tokens must be for: one of these must be in `aud`."""
    algorithms: Annotated[tuple[Algorithm, ...], Field(min_length=1, max_length=10)] = ("RS256", "ES256")
    claims: Claims = Claims()
    groups: Annotated[dict[Claim, GroupName], Field(max_length=MAX_GROUPS)] = {}
    """The provider's names of groups, and those of halon.yaml; without it a name means itself."""
    leeway: Annotated[Duration, Field(le=timedelta(minutes=5))] = timedelta(seconds=30)
    """How far the clocks may be apart."""
    client_id: Claim | None = None
    """What the provider calls the console; with it, people sign in there through the provider."""
    client_secret: SecretRef | None = None
    """Not for a public client."""
    scopes: Annotated[tuple[Claim, ...], Field(min_length=1, max_length=20)] = ("openid", "email", "profile")
    """What the console asks the provider for."""
    plain_http: bool = False
    """Fetch keys without TLS from elsewhere than this machine. Whoever can change them on the way can be anybody."""

    @model_validator(mode="after")
    def _encrypted(self) -> "OidcSettings":
        parts = urlsplit(self.issuer)
        if parts.scheme != "https" and not self.plain_http and parts.hostname not in LOOPBACK:
            raise ValueError("`issuer` must begin with https://, or be on this machine")
        return self

    @model_validator(mode="after")
    def _whole_client(self) -> "OidcSettings":
        if self.client_secret is not None and self.client_id is None:
            raise ValueError("`client_secret` belongs to a `client_id`")
        if "openid" not in self.scopes:
            raise ValueError("`scopes` must have openid")
        return self


class AuthSettings(Section):
    """How people prove who they are, beside tokens of their own."""

    oidc: OidcSettings | None = None
