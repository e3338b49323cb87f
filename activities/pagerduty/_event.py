"""What the actions on PagerDuty share: names, and what they answer."""

from typing import Annotated, TypeAlias

from pydantic import StringConstraints

from halon.kit.action import Output, Permission

ServiceName: TypeAlias = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?$", max_length=63)
]
PERMISSIONS = (Permission("http", ("POST",), "/v2/enqueue", "the integration key of the service's Events API v2"),)


class Sent(Output):
    """What PagerDuty took."""

    dedup_key: str
    """The key of the incident: `reference`."""
