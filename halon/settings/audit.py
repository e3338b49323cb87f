"""Settings of the audit chain's proof: who signs its heads, and where copies are that nobody can change."""

import re
from datetime import timedelta
from typing import Annotated, Literal, TypeAlias

from pydantic import BeforeValidator, Field, StringConstraints

from halon.contracts.base import Duration
from halon.contracts.people import PublicKey
from halon.settings.credentials import SecretRef
from halon.settings.section import Section

_YEARS = re.compile(r"(\d{1,3})y")
_DAYS = re.compile(r"(\d{1,5})d")
_DAYS_A_YEAR = 365


def _long(value: object) -> object:
    text = value if isinstance(value, str) else ""
    if match := _YEARS.fullmatch(text):
        return timedelta(days=int(match[1]) * _DAYS_A_YEAR)
    if match := _DAYS.fullmatch(text):
        return timedelta(days=int(match[1]))
    if isinstance(value, timedelta):
        return value
    raise ValueError("expected days or years, such as 400d or 7y")


Term: TypeAlias = Annotated[
    timedelta, BeforeValidator(_long), Field(ge=timedelta(days=1), le=timedelta(days=100 * _DAYS_A_YEAR))
]
"""How long something is kept: whole days or years of 365 days."""


class AnchorSettings(Section):
    """A bucket of object storage with retention lock, in which copies of signed heads are kept."""

    bucket: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")]
    """It must have been made with object lock."""
    prefix: Annotated[str, StringConstraints(pattern=r"^([A-Za-z0-9._-]+/)*$", max_length=500)] = "halon/"
    region: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,40}$")] | None = None
    endpoint: Annotated[str, StringConstraints(pattern=r"^https?://[^\s/@?#]+/?$", max_length=300)] | None = None
    """Without it Amazon's; any server with the API of S3 will do."""
    access_key: SecretRef | None = None
    """Without both keys, what the machine itself may do."""
    secret_key: SecretRef | None = None
    mode: Literal["governance", "compliance"] = "compliance"
    """In compliance mode nobody can delete a copy before its time, the account's owner included."""
    retention: Term = timedelta(days=365)
    every: Annotated[Duration, Field(ge=timedelta(seconds=10))] = timedelta(hours=1)
    """At most one copy in this time, and none when nothing was written."""


class AuditSettings(Section):
    """How the audit chain is proven to others."""

    signing_key: SecretRef | None = None
    """The Ed25519 key (PEM) that heads are signed with. Without it nothing is signed."""
    public_keys: Annotated[tuple[PublicKey, ...], Field(max_length=100)] = ()
    """Public keys whose signatures count when the chain is verified: today's, and all earlier ones."""
    sign_every: Annotated[Duration, Field(ge=timedelta(seconds=1))] = timedelta(minutes=1)
    """How soon a worker signs what was written. It does so at once when an incident closes."""
    anchor: AnchorSettings | None = None
