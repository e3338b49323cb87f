"""Signing in and out."""

from http import HTTPStatus
from typing import Protocol

from starlette.responses import Response

from halon.contracts.people import Principal
from halon.gateway.console.pages import Pages
from halon.gateway.console.sessions import Sessions
from halon.gateway.console.visits import Visit, Visits

_HOME = "/console/"
MAX_TO = 600


class Identity(Protocol):
    """Who somebody is, by what they bring."""

    token_hint: str
    """Where people find the token that they sign in with."""

    async def by_token(self, token: str) -> Principal | None:
        """Who has this token; None for nobody."""
        ...

    def mark(self, principal: Principal) -> str | None:
        """Digest of what their sign-in rests on now; None when they may not be signed in any more."""
        ...


class SigningIn:
    """Answers with the way in and the way out."""

    def __init__(self, identity: Identity, sessions: Sessions, visits: Visits, pages: Pages) -> None:
        self._identity = identity
        self._sessions = sessions
        self._visits = visits
        self._pages = pages

    async def show(self, visit: Visit) -> Response:
        """The form."""
        query = visit.request.query_params
        refusal = "Your session was over, and what you sent was not taken. Sign in, and send it again."
        return self._form(visit, query.get("to", _HOME), refusal if query.get("over") else "")

    async def sign_in(self, visit: Visit) -> Response:
        """Take a token."""
        to = visit.fields.get("to", _HOME)
        principal = await self._identity.by_token(visit.fields.get("token", "").strip())
        if principal is None:
            refusal = "Nobody here has this token. Look whether all of it was pasted."
            return self._form(visit, to, refusal, HTTPStatus.UNAUTHORIZED)
        self._sessions.end(visit.session)
        visit.session = self._sessions.begin(principal)
        return self._visits.to(visit, _own(to))

    async def sign_out(self, visit: Visit) -> Response:
        """End the session."""
        self._sessions.end(visit.session)
        visit.session = self._sessions.begin()
        return self._visits.to(visit, "/console/sign-in")

    def _form(self, visit: Visit, to: str, refusal: str, status: int = 200) -> Response:
        return self._pages.page(
            "sign_in.html",
            self._visits.frame(visit),
            status,
            to=_own(to),
            refusal=refusal,
            link="",
            oidc=False,
            token_hint=self._identity.token_hint,
        )


def _own(path: str) -> str:
    """Where to go on after signing in: a page of the console, whatever the address of the form says."""
    tidy = path.isprintable() and "\\" not in path and ".." not in path
    return path if tidy and path.startswith(_HOME) and len(path) <= MAX_TO else _HOME
