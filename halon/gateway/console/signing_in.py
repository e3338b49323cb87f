"""Signing in and out."""

from collections.abc import Callable
from datetime import datetime
from http import HTTPStatus
from pathlib import Path

from starlette.responses import Response

from halon.gateway.console.links import Links
from halon.gateway.console.visits import Visit, Visits
from halon.gateway.identity import Identity
from halon.gateway.problems import Refusal
from halon.settings import Settings

_HOME = "/console/"
MAX_TO = 600
_OVER = "Your session was over, and what you sent was not taken. Sign in, and send it again."
_USED = "This link has been used, or is too old: `halon up` prints another one each time it starts."


class SigningIn:
    """Answers with the way in and the way out."""

    def __init__(
        self, settings: Settings, identity: Identity, links: Links, visits: Visits, clock: Callable[[], datetime]
    ) -> None:
        self._identity = identity
        self._links = links
        self._visits = visits
        self._clock = clock
        self._hint = _hint(settings)
        self._provided = settings.auth.oidc is not None and settings.auth.oidc.client_id is not None

    async def show(self, visit: Visit) -> Response:
        """The form, or the button that uses a link up."""
        query = visit.request.query_params
        return self.form(visit, query.get("to", _HOME), _OVER if query.get("over") else "", link=query.get("link", ""))

    async def sign_in(self, visit: Visit) -> Response:
        """Take a token, or a link."""
        to = visit.fields.get("to", _HOME)
        link = visit.fields.get("link", "")
        if link:
            principal = self._links.take(link, self._clock())
            if principal is None:
                return self.form(visit, to, _USED, HTTPStatus.UNAUTHORIZED)
        else:
            try:
                principal = await self._identity.of_token(visit.fields.get("token", "").strip())
            except Refusal as refusal:
                if refusal.status is not HTTPStatus.UNAUTHORIZED:
                    raise
                return self.form(visit, to, sentence(refusal.detail), HTTPStatus.UNAUTHORIZED)
        self._visits.begin(visit, principal)
        return self._visits.to(visit, own_path(to))

    async def sign_out(self, visit: Visit) -> Response:
        """End the session."""
        self._visits.begin(visit, None)
        return self._visits.to(visit, "/console/sign-in")

    def form(self, visit: Visit, to: str, refusal: str, status: int = 200, link: str = "") -> Response:
        """Give the page of the way in."""
        return self._visits.pages.page(
            "sign_in.html",
            self._visits.frame(visit),
            status,
            to=own_path(to),
            refusal=refusal,
            link=link,
            oidc=self._provided and visit.place.public,
            token_hint=self._hint,
        )


def own_path(path: str) -> str:
    """Where to go on after signing in: a page of the console, whatever the address of the form says."""
    tidy = path.isprintable() and "\\" not in path and ".." not in path
    return path if tidy and path.startswith(_HOME) and len(path) <= MAX_TO else _HOME


def _hint(settings: Settings) -> str:
    if not settings.people and settings.auth.oidc is None:
        return f"The operator's, of the file `{Path('keys') / 'operator-token'}` in `data_dir`."
    return "Yours, as `halon token new` printed it."


def sentence(text: str) -> str:
    """Give an error's words as a sentence of a page."""
    return f"{text[:1].upper()}{text[1:]}."
