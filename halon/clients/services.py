"""The clients of others' systems, made of the settings: those that halon.yaml names, and no others."""

from typing import Protocol

from halon.clients.credentials import Credentials
from halon.clients.http_request import Destination, HttpRequester
from halon.settings.services import HttpSettings


class Client(Protocol):
    """Something with connections."""

    async def close(self) -> None:
        """Close them."""
        ...


def requester_of(settings: HttpSettings, credentials: Credentials) -> HttpRequester:
    """Give what sends requests to the destinations of `http.requests`."""
    destinations = {
        name: Destination(
            one,
            credentials.named(one.credential.secret, f"http.requests.{name}.credential.secret")
            if one.credential
            else None,
        )
        for name, one in settings.requests.items()
    }
    return HttpRequester(destinations, settings.allow)
