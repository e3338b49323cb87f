"""Where people reach the console, and whether a request was made there: before anybody is believed to be anybody."""

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.requests import Request

from halon.settings import GatewaySettings

_COOKIE = "halon-session"
_HTTP_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Place:
    """One address at which a request reached the console."""

    origin: str
    """Scheme, host and port, as browsers write it in `Origin`."""
    base: str
    """What stands before every path: a proxy takes it away. Empty, or such as `/halon`."""
    secure: bool
    """Whether people come over https; then cookies go nowhere else."""
    public: bool = False
    """Whether it is `gateway.public_url`, to which an identity provider sends people back."""

    @property
    def cookie(self) -> str:
        """The session cookie's name. `__Host-` keeps other hosts of the domain from planting one."""
        return f"__Host-{_COOKIE}" if self.secure else _COOKIE


class Site:
    """The addresses at which the console answers: `gateway.public_url`, and loopback."""

    def __init__(self, settings: GatewaySettings) -> None:
        url = urlsplit(settings.public_url or "")
        self._public = _host(url.netloc, url.scheme) if url.scheme == "https" or _is_loopback(url.hostname) else None
        origin = f"{url.scheme}://{url.netloc.lower()}"
        self._place = Place(origin, url.path.rstrip("/"), url.scheme == "https", public=True)
        self.url = settings.public_url
        """As `halon.yaml` has it."""

    def place(self, request: Request) -> Place | None:
        """Where a request came in; None for an address at which no session would be safe.

        Whoever names a host as they like could have a person's browser talk to the gateway under a name of theirs, and
        over plain http anybody on the way could take the cookie.
        """
        host = request.headers.get("host", "").lower()
        if self._public is not None and _host(host, urlsplit(self.url or "").scheme) == self._public:
            return self._place
        if _is_loopback(urlsplit(f"//{host}").hostname):
            return Place(f"http://{host}", "", secure=False)
        return None

    @staticmethod
    def is_own(request: Request, place: Place) -> bool:
        """Whether a browser says that one of our own pages sent this. One that says nothing is not believed."""
        site = request.headers.get("sec-fetch-site")
        origin = request.headers.get("origin")
        if site is None and origin is None:
            return False
        return site in {None, "same-origin"} and origin in {None, place.origin}


def _host(netloc: str, scheme: str) -> str:
    """Host and port in one writing: the port that the scheme means anyway is left out."""
    return netloc.lower().removesuffix(f":{_HTTP_PORTS.get(scheme, 0)}")


def _is_loopback(host: str | None) -> bool:
    if not host:
        return False
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
