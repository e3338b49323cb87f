"""Reading the secrets that halon.yaml names, late: where they are used, never into the settings themselves.

What a network is needed for is read by `halon.clients.credentials`, which hands itself in as `remote`.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeAlias

from pydantic import BaseModel, SecretStr

from halon.errors import Misconfigured, TransientError
from halon.settings.credentials import SecretRef, SecretSource

MAX_SECRET = 64 * 1024


class NoSecret(Exception):  # noqa: N818  # reads as the fact that it states
    """A source does not give a secret. The message follows 'which'; with `transient` it may give it later."""

    def __init__(self, reason: str, *, transient: bool = False) -> None:
        super().__init__(reason)
        self.transient = transient


Remote: TypeAlias = Callable[[SecretSource], str]
"""Reads a source that needs a network; raises NoSecret."""


def resolve(
    ref: SecretRef, setting: str, environ: Mapping[str, str] | None = None, remote: Remote | None = None
) -> SecretStr:
    """Give the secret that `ref` names, from the first source that has it. `setting` is where it stands in halon.yaml.

    Raises:
        Misconfigured: no source has it: a variable is not set, a file cannot be read, there is nothing in it …
        TransientError: no source has it now, and one may have it later.
    """
    failed: list[tuple[SecretSource, NoSecret]] = []
    for source in ref.sources:
        try:
            return SecretStr(read(source, environ, remote))
        except NoSecret as error:
            failed.append((source, error))
    tried = "; ".join(f"{source}, which {why}" for source, why in failed)
    many = len(failed) > 1
    message = f"`{setting}` names {f'{len(failed)} sources, and none gives the secret: ' if many else ''}{tried}"
    later = any(why.transient for _, why in failed)
    raise (TransientError(message) if later else Misconfigured(message)) from failed[-1][1]


def read(source: SecretSource, environ: Mapping[str, str] | None = None, remote: Remote | None = None) -> str:
    """Read one source.

    Raises:
        NoSecret: it gives none.
    """
    if source.env is not None:
        text = (os.environ if environ is None else environ).get(source.env)  # the only reader
        if text is None:
            raise NoSecret("is not set")
    elif source.file is not None:
        text = _file(source.file)
    elif remote is None:
        raise NoSecret("is not asked here: this setting takes `env` and `file` only")
    else:
        text = remote(source)
    if not text.strip():
        raise NoSecret("is empty")
    return text


def secrets_of(settings: BaseModel, place: str = "") -> Iterator[tuple[str, SecretRef]]:
    """Give every secret that the settings name, with where it stands in halon.yaml."""
    for name, value in settings:
        field = type(settings).model_fields[name]
        yield from _within(value, f"{place}.{field.alias or name}" if place else field.alias or name)


def _within(value: object, place: str) -> Iterator[tuple[str, SecretRef]]:
    if isinstance(value, SecretRef):
        yield place, value
    elif isinstance(value, BaseModel):
        yield from secrets_of(value, place)
    elif isinstance(value, dict):
        for key, one in value.items():  # pyright: ignore[reportUnknownVariableType]  # whatever the settings hold
            yield from _within(one, f"{place}.{key}")  # pyright: ignore[reportUnknownArgumentType]
    elif isinstance(value, tuple):
        for number, one in enumerate(value):  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
            yield from _within(one, f"{place}[{number}]")  # pyright: ignore[reportUnknownArgumentType]


def _file(path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_SECRET + 1)
    except OSError as error:
        raise NoSecret(f"cannot be read: {error.strerror}") from error
    if len(raw) > MAX_SECRET:
        raise NoSecret(f"is larger than a secret of {MAX_SECRET} bytes")
    try:
        return raw.decode().rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise NoSecret("is not UTF-8 text") from error
