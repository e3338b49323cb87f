"""What the actions on Opsgenie share."""

from halon.kit.action import Output, Permission
from halon.kit.once import mark_of

PERMISSIONS = (Permission("http", ("POST",), "/v2/alerts", "an API integration that may create and update alerts"),)
MAX_NOTE = 8000


_UNSAFE = frozenset("/?#%\\")
"""What servers may not leave alone within a path, however it is quoted."""


def alias_of(reference: str) -> str:
    """Give the alias of a reference: itself, or its mark when it could not stand in a path."""
    return mark_of(reference) if _UNSAFE & set(reference) or set(reference) == {"."} else reference


class Taken(Output):
    """What Opsgenie took. It works on it afterwards, mostly within a second."""

    alias: str
    """The alert's alias: `reference`, or a mark made of one that has a slash."""
    found: bool
    """False when it knows no such alert, so that nothing was done."""
