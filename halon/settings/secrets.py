"""Reading the secrets that halon.yaml names, late: where they are used, never into the settings themselves."""

import os
from collections.abc import Mapping
from pathlib import Path

from pydantic import SecretStr

from halon.errors import Misconfigured
from halon.settings.secret_ref import SecretRef

_MAX_SECRET = 64 * 1024


def resolve(ref: SecretRef, setting: str, environ: Mapping[str, str] | None = None) -> SecretStr:
    """Give the secret that `ref` names. `setting` is where it stands in halon.yaml, for the error.

    Raises:
        Misconfigured: the variable is not set, the file cannot be read, or there is nothing in it.
    """
    if ref.env is not None:
        text = (os.environ if environ is None else environ).get(ref.env)  # the only reader
        if text is None:
            raise Misconfigured(f"`{setting}` names the environment variable {ref.env}, which is not set")
        where = f"the environment variable {ref.env}"
    else:
        path = Path(ref.file or "")
        where = f"the file {path}"
        try:
            with path.open("rb") as file:
                raw = file.read(_MAX_SECRET + 1)
        except OSError as error:
            raise Misconfigured(f"`{setting}` names {where}, which cannot be read: {error.strerror}") from error
        if len(raw) > _MAX_SECRET:
            raise Misconfigured(f"`{setting}` names {where}, which is larger than a secret of {_MAX_SECRET} bytes")
        try:
            text = raw.decode().rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise Misconfigured(f"`{setting}` names {where}, which is not UTF-8 text") from error
    if not text.strip():
        raise Misconfigured(f"`{setting}` names {where}, which is empty")
    return SecretStr(text)
