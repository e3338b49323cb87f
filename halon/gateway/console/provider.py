"""Signing in through the identity provider: away to it, and back."""

from http import HTTPStatus

from starlette.responses import RedirectResponse, Response

from halon.clients.credentials import Credentials
from halon.clients.oidc_code import Client, CodeFlow
from halon.errors import InvalidInput, Misconfigured
from halon.gateway.console.signing_in import SigningIn, own_path, sentence
from halon.gateway.console.visits import Visit, Visits
from halon.gateway.identity import Identity
from halon.settings import Settings

CALLBACK = "/oidc/callback"


class Provided:
    """Answers with the way through the provider."""

    def __init__(self, flow: CodeFlow, identity: Identity, signing_in: SigningIn, visits: Visits) -> None:
        self._flow = flow
        self._identity = identity
        self._signing_in = signing_in
        self._visits = visits

    async def leave(self, visit: Visit) -> Response:
        """Send the browser to the provider."""
        url, away = await self._flow.away(own_path(visit.request.query_params.get("to", "")))
        visit.session = visit.session.model_copy(update={"away": away})
        return RedirectResponse(url, HTTPStatus.SEE_OTHER)

    async def come_back(self, visit: Visit) -> Response:
        """Take the browser in again."""
        away = visit.session.away
        visit.session = visit.session.model_copy(update={"away": None})
        if away is None:
            detail = "This way back belongs to no attempt to sign in here: sign in again."
            return self._signing_in.form(visit, "", detail, HTTPStatus.UNAUTHORIZED)
        said = {name: value for name, value in visit.request.query_params.items() if name in _SAID}
        try:
            principal = self._identity.vouched(await self._flow.back(said, away))
        except InvalidInput as error:
            return self._signing_in.form(visit, away.to, sentence(str(error)), HTTPStatus.UNAUTHORIZED)
        self._visits.begin(visit, principal)
        return self._visits.to(visit, own_path(away.to))


_SAID = frozenset({"code", "state", "iss", "error"})


def code_flow(settings: Settings, identity: Identity) -> CodeFlow | None:
    """Give the way through the provider; None when halon.yaml names no client.

    Raises:
        Misconfigured: the secret is not there, or nobody knows the address to come back to.
    """
    oidc = settings.auth.oidc
    if oidc is None or oidc.client_id is None or identity.provider is None:
        return None
    if settings.gateway.public_url is None:
        raise Misconfigured("`auth.oidc.client_id` needs `gateway.public_url`: the provider sends people back there")
    credentials, named = Credentials(settings.credentials), oidc.client_secret
    secret = None if named is None else credentials.resolve(named, "auth.oidc.client_secret")
    client = Client(
        id=oidc.client_id,
        secret=secret,
        issuer=oidc.issuer,
        callback=f"{settings.gateway.public_url.rstrip('/')}{CALLBACK}",
        scopes=oidc.scopes,
    )
    return CodeFlow(identity.provider, client)
