"""Settings of the store: which database, and how it is reached."""

from pathlib import Path
from typing import Annotated
from urllib.parse import parse_qs, urlsplit

from pydantic import StringConstraints, field_validator, model_validator

from halon.settings.credentials import SecretRef
from halon.settings.section import Section


class StoreTls(Section):
    """TLS towards PostgreSQL. Without `ca` the system's authorities are trusted; the host's name is always checked."""

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    @model_validator(mode="after")
    def _pair(self) -> "StoreTls":
        if (self.certificate is None) != (self.key is None):
            raise ValueError("`certificate` and `key` belong together")
        return self


class StoreSettings(Section):
    """The database of audit records and incidents. Without `url`: SQLite in a file below `data_dir`."""

    url: Annotated[str, StringConstraints(pattern=r"^(sqlite\+aiosqlite|postgresql\+asyncpg)://")] | None = None
    password: SecretRef | None = None
    tls: StoreTls | bool | None = None
    """Without it: TLS whenever PostgreSQL is on another host."""

    @field_validator("url")
    @classmethod
    def _nothing_else_in_it(cls, value: str | None) -> str | None:
        authority = (value or "").partition("://")[2].partition("/")[0]
        options = parse_qs(urlsplit(value or "").query, keep_blank_values=True)
        if ":" in authority.rpartition("@")[0] or {"password", "passfile"} & set(options):
            raise ValueError("the password does not belong into the URL: name it in `password`")
        if {"ssl", "sslmode", "direct_tls"} & set(options):
            raise ValueError("TLS does not belong into the URL: say it in `tls`")
        return value
