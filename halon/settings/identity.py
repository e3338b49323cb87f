"""Who runs this process, as the operating system tells it. The name is claimed, not proven."""

import getpass


def os_user() -> str:
    """Give the login name; empty when the system has none for this user, as in some containers."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""
