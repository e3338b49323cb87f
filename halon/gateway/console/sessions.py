"""Who a browser is: a signed cookie that says so, for a bounded time.

The cookie holds the whole session, so that any gateway with the same key takes it and nothing is kept between requests.
Its key is derived from the one that decisions are sealed with: gateways that share that one share sessions.
"""

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable
from datetime import datetime, timedelta

import jwt
from cachetools import TTLCache
from pydantic import ValidationError

from halon.clients.oidc_code import Away
from halon.contracts.base import Contract
from halon.contracts.people import Principal

IDLE = timedelta(hours=1)
"""How long a session lasts without a request."""
LONGEST = timedelta(hours=12)
"""How long it lasts at all: a night's shift."""
VISIT = timedelta(hours=1)
"""How long somebody who has not signed in may take for it."""
REFRESHED_AFTER = timedelta(minutes=1)
MAX_NOTE = 300
MAX_ENDED = 10_000
MAX_COOKIE = 3800
"""Characters; browsers keep no cookie of more than 4,096 bytes."""
MAX_GROUPS_TEXT = 1200
"""Characters of a person's groups; base64 makes four of three."""
SESSION_KEY = "halon console sessions"
"""What the key is derived for."""
_TYPE = "halon-session+jwt"
_ALGORITHM = "HS256"


class Session(Contract):
    """What the cookie says."""

    id: str
    principal: Principal | None = None
    """None before somebody has signed in: such a session only protects the forms for that."""
    since: datetime
    """When they signed in."""
    seen: datetime
    mark: str = ""
    """Digest of what the proof rests on, such as the person's tokens: a session ends when that changes."""
    note: str = ""
    """What the next page says: the answer to the form that led to it."""
    away: Away | None = None
    """While somebody is at the identity provider."""

    @property
    def until(self) -> datetime:
        """When it ends unless there is another request."""
        if self.principal is None:
            return self.seen + VISIT
        return min(self.seen + IDLE, self.since + LONGEST)


class Sessions:
    """Begins, reads and ends sessions."""

    def __init__(
        self, key: Callable[[], bytes], mark: Callable[[Principal], str | None], clock: Callable[[], datetime]
    ) -> None:
        self._key = key
        """Gives the key; raises Misconfigured when there is none."""
        self._mark = mark
        """Gives the mark that somebody's session must have now; None when they may have none any more."""
        self._clock = clock
        self._ended: TTLCache[str, bool] = TTLCache(MAX_ENDED, LONGEST.total_seconds(), time.monotonic)

    def begin(self, principal: Principal | None = None) -> Session:
        """Begin one, under an id that nobody has had before: a session that was planted is worth nothing."""
        now = self._clock()
        mark = (self._mark(principal) or "") if principal else ""
        kept = _fitting(principal) if principal else None
        return Session(id=secrets.token_urlsafe(24), principal=kept, since=now, seen=now, mark=mark)

    def end(self, session: Session) -> None:
        """End one: a copy of its cookie is refused by this gateway from now on, and by all once its time is over."""
        self._ended[session.id] = True

    def write(self, session: Session) -> str:
        """Give the cookie's value."""
        said = session.model_dump(mode="json", exclude_defaults=True)
        return jwt.encode(said, self._key(), algorithm=_ALGORITHM, headers={"typ": _TYPE})

    def read(self, cookie: str | None) -> Session | None:
        """Give the session that a cookie holds; None for none, a forged one, and one that is over."""
        if not cookie or len(cookie) > MAX_COOKIE:
            return None
        try:
            if jwt.get_unverified_header(cookie).get("typ") != _TYPE:
                return None
            session = Session.model_validate(jwt.decode(cookie, self._key(), algorithms=[_ALGORITHM]))
        except (jwt.InvalidTokenError, ValidationError):
            return None
        if session.id in self._ended or session.until <= self._clock():
            return None
        if session.principal is not None and self._mark(session.principal) != session.mark:
            return None
        return session

    def touched(self, session: Session) -> Session:
        """Give the session as of now; the same one when it was of a moment ago."""
        now = self._clock()
        return session if now - session.seen < REFRESHED_AFTER else session.model_copy(update={"seen": now})

    def form_token(self, session: Session) -> str:
        """Give what every form of this session carries and no other site can know."""
        return hmac.new(self._key(), b"form\0" + session.id.encode(), hashlib.sha256).hexdigest()

    def is_form_token(self, session: Session, given: str) -> bool:
        """Whether a form carries it."""
        return hmac.compare_digest(self.form_token(session).encode(), given.encode())


def _fitting(principal: Principal) -> Principal:
    """Keep as many groups as a cookie has room for: without the others somebody may do less, never more."""
    room, kept = MAX_GROUPS_TEXT, list[str]()
    for group in principal.groups:
        room -= len(group) + len('"",')
        if room < 0:
            break
        kept.append(group)
    return principal.model_copy(update={"groups": tuple(kept)})
