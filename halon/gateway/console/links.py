"""Links that sign somebody in once: printed where only they can read, such as the terminal of `halon up`.

Opening one signs nobody in: it shows a button, so that what previews links uses none up.
"""

import secrets
import time
from collections.abc import Callable
from datetime import datetime, timedelta

import jwt
from cachetools import TTLCache
from pydantic import ValidationError

from halon.contracts.base import Contract
from halon.contracts.people import Principal

LINK_LASTS = timedelta(minutes=15)
MAX_LINK = 2048
"""Characters."""
MAX_USED = 10_000
LINK_KEY = "halon console links"
"""What the key is derived for."""
_TYPE = "halon-sign-in+jwt"
_ALGORITHM = "HS256"


class _Said(Contract):
    id: str
    principal: Principal
    until: datetime


class Links:
    """Makes such links, and takes each of them once."""

    def __init__(self, key: Callable[[], bytes]) -> None:
        self._key = key
        self._used: TTLCache[str, bool] = TTLCache(MAX_USED, LINK_LASTS.total_seconds(), time.monotonic)

    def make(self, principal: Principal, now: datetime) -> str:
        """Give what stands behind `link=`."""
        said = _Said(id=secrets.token_urlsafe(18), principal=principal, until=now + LINK_LASTS)
        headers = {"typ": _TYPE}
        return jwt.encode(said.model_dump(mode="json"), self._key(), algorithm=_ALGORITHM, headers=headers)

    def take(self, link: str, now: datetime) -> Principal | None:
        """Give whom it signs in; None when it is forged, too old, or was taken before."""
        if len(link) > MAX_LINK:
            return None
        try:
            if jwt.get_unverified_header(link).get("typ") != _TYPE:
                return None
            said = _Said.model_validate(jwt.decode(link, self._key(), algorithms=[_ALGORITHM]))
        except (jwt.InvalidTokenError, ValidationError):
            return None
        if said.until <= now or said.id in self._used:
            return None
        self._used[said.id] = True
        return said.principal
