"""What the actions that tell people share."""

from typing import Annotated, TypeAlias

from pydantic import StringConstraints

from halon.kit.action import Output, Permission

Channel: TypeAlias = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=64)]
"""A channel's name under `notify.channels` in halon.yaml."""
Text: TypeAlias = Annotated[str, StringConstraints(max_length=65_536)]
"""Longer than what is sent: a message that is too long is cut, because it must not fail for that."""

PERMISSIONS = (Permission("http", ("POST",), "`notify.channels`", "to tell the addresses of the channel"),)


class Told(Output):
    """How many were told."""

    addresses: int
    """Addresses of the channel, all of which accepted the message."""
