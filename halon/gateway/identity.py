"""Who asks.

A person whose token `halon.yaml` has the hash of, one whom the identity provider vouches for, or, as long as nobody is
named anywhere, whoever runs this installation.
"""

import hmac
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import Request
from opentelemetry import metrics

from halon.clients.oidc import Provider
from halon.clients.oncall import directory_of
from halon.clients.tokens import PREFIX, Tokens, operator_token
from halon.contracts.base import digest, is_list
from halon.contracts.people import MAX_GROUPS, Method, Principal
from halon.core.directory import Directory
from halon.errors import InvalidInput, Misconfigured, TransientError
from halon.gateway.problems import Refusal, retry_after
from halon.settings import Settings, os_user
from halon.settings.auth import OidcSettings

MAX_NAME = 320
_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="halon"'}
log = structlog.get_logger(__name__)
_meter = metrics.get_meter("halon.gateway")
_attempts = _meter.create_counter(
    "halon.gateway.authentications", description="Requests of people, by method and whether they proved who they are"
)


class Identity:
    """Finds out who asks."""

    def __init__(self, settings: Settings, operator: str | None) -> None:
        """Make it ready. `operator` is the token of whoever runs this installation, where there is one."""
        self._directory = directory_of(settings)
        self._tokens = Tokens(settings.people)
        self._oidc = settings.auth.oidc
        self.provider = None if self._oidc is None else Provider(self._oidc)
        self._operator = operator

    async def of(self, request: Request) -> Principal:
        """Give who asks.

        Raises:
            Refusal: 401, nobody is proven; 503, it cannot be found out now.
        """
        given = request.headers.getlist("authorization")
        scheme, _, token = (given[0] if len(given) == 1 else "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            _attempts.add(1, {"method": "none", "result": HTTPStatus.UNAUTHORIZED.phrase.lower()})
            raise _unauthorized("say who you are: `Authorization: Bearer TOKEN`, once")
        return await self.of_token(token.strip())

    async def of_token(self, token: str) -> Principal:
        """Give whose token it is.

        Raises:
            Refusal: 401, it is nobody's; 503, it cannot be found out now.
        """
        own = token.startswith(PREFIX)
        method = Method.OIDC if not own else Method.OPERATOR if self._operator else Method.TOKEN
        try:
            found = self._own(token) if own else await self._vouched(token)
        except Refusal as refusal:
            _attempts.add(1, {"method": method.value, "result": refusal.status.phrase.lower()})
            raise
        _attempts.add(1, {"method": method.value, "result": "ok"})
        return found

    def vouched(self, claims: Mapping[str, Any]) -> Principal:
        """Give whom proven claims mean.

        Raises:
            InvalidInput: they name nobody.
        """
        if self._oidc is None:
            raise InvalidInput("halon.yaml names no identity provider")
        return principal_of(claims, self._oidc, self._directory)

    def rests_on(self, principal: Principal) -> str | None:
        """Give a digest of what somebody's proof rests on now; None when it would prove nothing any more."""
        if principal.method is Method.OPERATOR and self._operator is not None:
            return digest(["operator", self._operator])
        if principal.method is Method.OIDC and self._oidc is not None:
            return digest(["oidc", self._oidc.issuer])
        person = self._directory.people.get(principal.person)
        if principal.method is Method.TOKEN and person is not None and person.tokens:
            return digest(["token", *person.tokens])
        return None

    def knows(self, principal: Principal) -> bool:
        """Whether they are a person of `halon.yaml`."""
        return principal.person in self._directory.people

    def _own(self, token: str) -> Principal:
        owner = self._tokens.owner(token)
        if owner is not None:
            return Principal(person=owner, method=Method.TOKEN)
        if self._operator is not None and hmac.compare_digest(token.encode(), self._operator.encode()):
            return the_operator()
        raise _unauthorized("this token is nobody's: `halon token new` makes one, and halon.yaml names its hash")

    async def _vouched(self, token: str) -> Principal:
        if self._oidc is None or self.provider is None:
            raise _unauthorized("this token is none of Halon's, and halon.yaml names no identity provider")
        try:
            return principal_of(await self.provider.claims(token), self._oidc, self._directory)
        except InvalidInput as error:
            raise _unauthorized(str(error), invalid=True) from error
        except TransientError as error:
            headers = retry_after(error.retry_after) if error.retry_after else {}
            raise Refusal(HTTPStatus.SERVICE_UNAVAILABLE, str(error), headers=headers) from error


def principal_of(claims: Mapping[str, Any], settings: OidcSettings, directory: Directory) -> Principal:
    """Give whom the claims of a token that is proven mean.

    Raises:
        InvalidInput: they name nobody.
    """
    name = _named(claims, settings.claims.person)
    if not 0 < len(name) <= MAX_NAME or not name.isprintable():
        raise InvalidInput("the token names nobody")
    said = claims.get(settings.claims.groups)
    listed = [said] if isinstance(said, str) else said if is_list(said) else []
    names = [one for one in listed if isinstance(one, str)]
    means = settings.groups or {group: group for group in directory.groups}
    groups = {means[one] for one in names if one in means} & directory.groups.keys()
    person = directory.who(name) or name
    return Principal(person=person, method=Method.OIDC, groups=tuple(sorted(groups))[:MAX_GROUPS])


def the_operator() -> Principal:
    """Give whoever runs this installation."""
    return Principal(person=os_user() or "operator", method=Method.OPERATOR)


def operator_of(settings: Settings) -> str | None:
    """Give the token of whoever runs this installation, made when there is none; None once somebody is named.

    A gateway that cannot keep one takes alerts all the same.
    """
    if settings.people or settings.auth.oidc is not None:
        return None
    try:
        return operator_token(settings.data_dir)
    except Misconfigured as error:
        log.warning("operator.no_token", reason=str(error))
        return None


def _named(claims: Mapping[str, Any], claim: str) -> str:
    """The person's name: an address that anybody may have written into their profile is none."""
    said = claims.get(claim)
    proven = claim != "email" or claims.get("email_verified") is True
    subject = claims.get("sub")
    found = said if isinstance(said, str) and said and proven else subject
    return found.strip() if isinstance(found, str) else ""


def _unauthorized(detail: str, *, invalid: bool = False) -> Refusal:
    challenge = _CHALLENGE["WWW-Authenticate"] + (', error="invalid_token"' if invalid else "")
    return Refusal(HTTPStatus.UNAUTHORIZED, detail, headers={"WWW-Authenticate": challenge})
