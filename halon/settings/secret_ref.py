"""How halon.yaml names a secret."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import StringConstraints, model_validator

from halon.settings.section import Section


class SecretRef(Section):
    """Where a secret is found: an environment variable or a file. The secret itself is never in halon.yaml."""

    env: Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")] | None = None
    file: Path | None = None

    @model_validator(mode="before")
    @classmethod
    def _not_the_secret(cls, value: Any) -> Any:
        if isinstance(value, str):
            raise ValueError("a secret is named, not written here: use {env: NAME} or {file: PATH}")  # noqa: TRY004  # pydantic reports ValueError
        return value

    @model_validator(mode="after")
    def _exactly_one(self) -> "SecretRef":
        if (self.env is None) == (self.file is None):
            raise ValueError("name exactly one of `env` and `file`")
        return self
