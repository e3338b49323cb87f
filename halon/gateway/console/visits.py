"""The edge of the console: every request passes here, and leaves as a page, whatever went wrong.

Before a handler sees it: whether the address is one of ours, who the browser is, and for a form whether our own page in
this very session sent it. What a handler raises becomes a page that says what to do.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from urllib.parse import quote

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response

from halon.contracts.people import Principal, Right
from halon.errors import Conflict, HalonError, InvalidInput, Misconfigured, NotFound, PermissionDenied, TransientError
from halon.gateway.console.forms import read_form
from halon.gateway.console.pages import Frame, Pages
from halon.gateway.console.sessions import MAX_NOTE, Session, Sessions
from halon.gateway.console.shown import line
from halon.gateway.console.site import Place, Site
from halon.gateway.problems import Refusal
from halon.settings import Settings

MAX_FORMS = 64
"""Forms that are read at the same time."""
REFRESH = "halon-refresh"
"""Header of a page that looks at itself again: nobody is there, so the session grows no younger."""
log = structlog.get_logger(__name__)

_STATUSES: tuple[tuple[type[HalonError], HTTPStatus], ...] = (
    (PermissionDenied, HTTPStatus.FORBIDDEN),
    (NotFound, HTTPStatus.NOT_FOUND),
    (Conflict, HTTPStatus.CONFLICT),
    (InvalidInput, HTTPStatus.UNPROCESSABLE_ENTITY),
    (TransientError, HTTPStatus.SERVICE_UNAVAILABLE),
)
_HEADINGS = {
    HTTPStatus.FORBIDDEN: "You may not do this",
    HTTPStatus.NOT_FOUND: "There is nothing here",
    HTTPStatus.CONFLICT: "It was not done",
    HTTPStatus.UNPROCESSABLE_ENTITY: "It was not understood",
    HTTPStatus.SERVICE_UNAVAILABLE: "Halon cannot answer now",
    HTTPStatus.INTERNAL_SERVER_ERROR: "Halon failed at this",
    HTTPStatus.MISDIRECTED_REQUEST: "The console is somewhere else",
}
_ADVICE = {
    HTTPStatus.FORBIDDEN: "Whoever keeps halon.yaml gives rights, under `roles`.",
    HTTPStatus.SERVICE_UNAVAILABLE: "Load this page again in a moment. What you sent may still be taken: look before "
    "you send it again. Runs go on without the console.",
}


@dataclass(slots=True)
class Visit:
    """One request, and who makes it."""

    request: Request
    place: Place
    session: Session
    fields: dict[str, str] = field(default_factory=dict[str, str])
    """Of the form, when it is one."""

    @property
    def principal(self) -> Principal:
        """Who makes it.

        Raises:
            Refusal: nobody is signed in.
        """
        if self.session.principal is None:
            raise Refusal(HTTPStatus.UNAUTHORIZED, "sign in first")
        return self.session.principal

    def say(self, note: str) -> None:
        """Have the next page say something."""
        self.session = self.session.model_copy(update={"note": line(note, MAX_NOTE)})


Handler = Callable[[Visit], Awaitable[Response]]
Endpoint = Callable[[Request], Awaitable[Response]]


class Visits:
    """Leads requests in and answers out."""

    def __init__(
        self, settings: Settings, site: Site, sessions: Sessions, pages: Pages, clock: Callable[[], datetime]
    ) -> None:
        self._settings = settings
        self._site = site
        self._sessions = sessions
        self.pages = pages
        self._clock = clock
        self._forms = asyncio.Semaphore(MAX_FORMS)

    def page(self, handler: Handler) -> Endpoint:
        """Make an endpoint of what answers people who have signed in."""

        async def answer(request: Request, place: Place, session: Session | None) -> Response:
            if session is None or session.principal is None:
                return self.to(Visit(request, place, self._sessions.begin()), _sign_in(request))
            visit = Visit(request, place, session)
            if request.method == "GET" and REFRESH not in request.headers:
                visit.session = self._sessions.touched(session)
            return await self._answered(visit, handler, session)

        return self._endpoint(answer)

    def news(self, handler: Handler) -> Endpoint:
        """Make an endpoint of a stream for those who have signed in. An open page alone keeps no session alive."""

        async def answer(request: Request, place: Place, session: Session | None) -> Response:
            if session is None or session.principal is None:
                return Response(status_code=HTTPStatus.NO_CONTENT)  # a browser does not come back after this one
            return await self._answered(Visit(request, place, session), handler, session)

        return self._endpoint(answer)

    def door(self, handler: Handler) -> Endpoint:
        """Make an endpoint of what answers those who have not."""

        async def answer(request: Request, place: Place, session: Session | None) -> Response:
            return await self._answered(Visit(request, place, session or self._sessions.begin()), handler, session)

        return self._endpoint(answer)

    def frame(self, visit: Visit, rights: frozenset[Right] = frozenset()) -> Frame:
        """Give what stands around a page. What a form led to is told once."""
        note = visit.session.note
        if note:
            visit.session = visit.session.model_copy(update={"note": ""})
        who = visit.session.principal
        return Frame(
            base=visit.place.base,
            form_token=self._sessions.form_token(visit.session),
            who=who.person if who else "",
            now=self._clock(),
            environment=self._settings.environment,
            note=note,
            may={right.value: right in rights for right in Right},
        )

    def begin(self, visit: Visit, principal: Principal | None) -> None:
        """Sign somebody in, or out: the session that was there ends, and another one begins."""
        self._sessions.end(visit.session)
        visit.session = self._sessions.begin(principal)

    def to(self, visit: Visit, path: str) -> Response:
        """Send a browser on to another page of ours."""
        return RedirectResponse(f"{visit.place.base}{path}", HTTPStatus.SEE_OTHER)

    def problem(
        self, status: HTTPStatus, detail: str, visit: Visit | None = None, problems: tuple[str, ...] = ()
    ) -> Response:
        """Give the page of an error."""
        frame = self.frame(visit) if visit else Frame("", "", "", self._clock(), self._settings.environment)
        heading = _HEADINGS.get(status, status.phrase)
        sentence = detail[:1].upper() + detail[1:]
        advice = _ADVICE.get(status, "")
        return self.pages.page(
            "problem.html", frame, status, heading=heading, detail=sentence, errors=problems, advice=advice
        )

    def signed_in(self, request: Request) -> Principal | None:
        """Who has signed in, in the browser that asks; None for nobody, and where no session is safe."""
        try:
            session = self._met(request)[1]
        except Refusal:
            return None
        return session.principal if session else None

    def _met(self, request: Request) -> tuple[Place, Session | None]:
        """Where the request came in, and the session that it brings.

        Raises:
            Refusal: 421, it came in where no session is safe.
            Misconfigured: there is no key for sessions.
        """
        place = self._site.place(request)
        if place is None:
            raise Refusal(HTTPStatus.MISDIRECTED_REQUEST, self._elsewhere())
        return place, self._sessions.read(request.cookies.get(place.cookie))

    def _endpoint(self, answer: Callable[[Request, Place, Session | None], Awaitable[Response]]) -> Endpoint:
        async def endpoint(request: Request) -> Response:
            try:
                place, session = self._met(request)
            except Refusal as refusal:
                return self.problem(refusal.status, refusal.detail)
            except HalonError as error:
                return self._failed(error, None)
            return await answer(request, place, session)

        return endpoint

    async def _answered(self, visit: Visit, handler: Handler, before: Session | None) -> Response:
        try:
            if visit.request.method == "POST":
                visit.fields = await self._form(visit)
            response = await handler(visit)
        except ClientDisconnect:
            return Response(status_code=HTTPStatus.BAD_REQUEST)  # nobody is there to read it
        except Refusal as refusal:
            response = self.problem(refusal.status, refusal.detail, visit)
            response.headers.update(refusal.headers)
        except Misconfigured as error:
            return self._failed(error, None)  # without its key a session can neither be read nor kept
        except HalonError as error:
            response = self._failed(error, visit)
        if visit.session != before:
            self._keep(response, visit)
        return response

    def _failed(self, error: HalonError, visit: Visit | None) -> Response:
        if isinstance(error, Misconfigured):
            log.error("console.misconfigured", reason=str(error))
            return self.problem(
                HTTPStatus.INTERNAL_SERVER_ERROR, "the gateway is not set up for this: its log says why"
            )
        status = next((one for kind, one in _STATUSES if isinstance(error, kind)), HTTPStatus.INTERNAL_SERVER_ERROR)
        problems = error.problems if isinstance(error, InvalidInput) else ()
        response = self.problem(status, str(error), visit, problems)
        if status is HTTPStatus.SERVICE_UNAVAILABLE:
            response.headers["Retry-After"] = "5"
        return response

    async def _form(self, visit: Visit) -> dict[str, str]:
        if not self._site.is_own(visit.request, visit.place):
            raise Refusal(HTTPStatus.FORBIDDEN, "another site sent this form: open the page here and send it from here")
        if self._forms.locked():
            raise Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "too many forms at the same time")
        async with self._forms:
            fields = await read_form(visit.request, self._settings.gateway.body_timeout)
        if not self._sessions.is_form_token(visit.session, fields.pop("form", "")):
            raise Refusal(HTTPStatus.FORBIDDEN, "this form is of another session: load its page again, then send it")
        return fields

    def _keep(self, response: Response, visit: Visit) -> None:
        left = visit.session.until - self._clock()
        response.set_cookie(
            visit.place.cookie,
            self._sessions.write(visit.session),
            max_age=max(0, round(left.total_seconds())),
            secure=visit.place.secure,
            httponly=True,
            samesite="lax",
        )

    def _elsewhere(self) -> str:
        detail = "set `gateway.public_url` in halon.yaml to the https address at which people reach the gateway"
        if self._site.url:
            detail = (
                f"open {self._site.url.rstrip('/')}/console/: only there, and on the machine itself, is a session safe"
            )
        return detail


def _sign_in(request: Request) -> str:
    """Where to sign in, and where to go on afterwards: for a form, the page that it stands on."""
    path = request.url.path
    if request.method == "POST":
        return f"/console/sign-in?over=1&to={quote(path.rpartition('/')[0], safe='/')}"
    query = f"?{request.url.query}" if request.url.query else ""
    return f"/console/sign-in?to={quote(path + query, safe='/')}"
