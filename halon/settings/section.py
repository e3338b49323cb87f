"""What all settings share."""

import re
from typing import Annotated, TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints


class Section(BaseModel):
    """Base of all settings: frozen, and closed to what nobody declared."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"no time zone {value}: use one such as Europe/Berlin") from error
    return value


HttpUrl: TypeAlias = Annotated[str, StringConstraints(pattern=r"^https?://[^\s/@]+(/[^\s@]*)?$", max_length=2048)]
"""An address without user and password: those are secrets and have their own fields."""
_SAFE_URL = r"^(https://[^\s/@?#]+|http://(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?)(/[^\s]*)?$"
SafeUrl: TypeAlias = Annotated[str, StringConstraints(pattern=_SAFE_URL, max_length=2048)]
"""An address that secrets are sent to: https, or this machine by one of its names."""
TimeZone: TypeAlias = Annotated[str, StringConstraints(max_length=60), AfterValidator(_zone)]
HeaderName: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{1,64}$")]
Name: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?$")]
"""Names of sources, clusters, channels and destinations: lower case, digits, dashes."""


def _no_other_yes(value: bool | str) -> bool | str:  # noqa: FBT001  # one value as it stands in halon.yaml
    if isinstance(value, str) and value in _NEARLY_BOOLEAN:
        raise ValueError(f"`{value}` would be the name of a shared worker: write `true` for one of its own")
    return value


_NEARLY_BOOLEAN = frozenset({"yes", "no", "on", "off", "true", "false", "y", "n", "all", "central"})
OwnWorker: TypeAlias = Annotated[bool | Name, AfterValidator(_no_other_yes)]
"""Whether a cluster or an account has a worker of its own, or the name of one that several of them share."""


def is_safe_url(text: str) -> bool:
    """Whether secrets may be sent to an address that does not stand in halon.yaml itself."""
    return re.fullmatch(_SAFE_URL, text) is not None
