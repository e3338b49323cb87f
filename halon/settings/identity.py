"""Who runs this process, as the operating system tells it. The name is claimed, not proven."""

import getpass
import os
from collections.abc import Mapping
from pathlib import Path

KEY_VARIABLE = "HALON_KEY"


def os_user() -> str:
    """Give the login name; empty when the system has none for this user, as in some containers."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""


def own_key(environ: Mapping[str, str] | None = None) -> Path | None:
    """Give the file of the key that this user signs decisions with, when HALON_KEY names one."""
    named = (os.environ if environ is None else environ).get(KEY_VARIABLE, "").strip()  # the only reader
    return Path(named).expanduser() if named else None
