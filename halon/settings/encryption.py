"""Encryption of what Temporal keeps. Meaning: docs/security.md."""

from typing import Annotated, TypeAlias

from pydantic import Field, StringConstraints, model_validator

from halon.settings.credentials import SecretRef
from halon.settings.section import Section

MAX_KEYS = 50
KeyId: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]
"""It stands in clear beside every payload."""


class EncryptionSettings(Section):
    """The keys of payloads. Each is a secret that holds 32 bytes in base64, as `halon keys new` writes them."""

    current: KeyId
    """The key that encrypts; all of them decrypt."""
    keys: Annotated[dict[KeyId, SecretRef], Field(min_length=1, max_length=MAX_KEYS)]

    @model_validator(mode="after")
    def _current_exists(self) -> "EncryptionSettings":
        if self.current not in self.keys:
            raise ValueError(f"`current` names key {self.current}, which is not under `keys`")
        return self
