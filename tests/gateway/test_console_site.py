"""The console answers where a session is safe, and takes forms from its own pages alone."""

import pytest
from starlette.requests import Request

from halon.gateway.console.site import Place, Site
from halon.settings import GatewaySettings

HTTPS = "https://halon.example.com/ops"


def request(**headers: str) -> Request:
    sent = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "method": "POST", "path": "/", "headers": sent})


def place(public: str | None, host: str) -> Place | None:
    return Site(GatewaySettings(public_url=public)).place(request(host=host))


@pytest.mark.parametrize("host", ["halon.example.com", "HALON.example.com", "halon.example.com:443"])
def test_the_public_address_is_served_with_cookies_for_https_alone(host: str) -> None:
    assert place(HTTPS, host) == Place("https://halon.example.com", "/ops", secure=True, public=True)
    found = place(HTTPS, host)
    assert found is not None
    assert found.cookie == "__Host-halon-session"


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost:8080", "[::1]:8080", "127.0.0.1"])
def test_loopback_is_served(host: str) -> None:
    assert place(None, host) == place(HTTPS, host) == Place(f"http://{host}", "", secure=False)


@pytest.mark.parametrize("host", ["", "evil.example.com", "halon.example.com:8443", "127.0.0.1.evil.org", "10.0.0.7"])
def test_no_other_name_is_served(host: str) -> None:
    assert place(HTTPS, host) is None


def test_plain_http_beyond_this_machine_is_not_served() -> None:
    assert place("http://halon.example.com", "halon.example.com") is None
    assert place("http://localhost:9000", "localhost:9000") == Place(
        "http://localhost:9000", "", secure=False, public=True
    )


OWN = Place("https://halon.example.com", "", secure=True)


@pytest.mark.parametrize(
    ("headers", "own"),
    [
        ({"origin": "https://halon.example.com", "sec_fetch_site": "same-origin"}, True),
        ({"origin": "https://halon.example.com"}, True),
        ({"sec_fetch_site": "same-origin"}, True),
        ({"origin": "https://evil.example.com", "sec_fetch_site": "cross-site"}, False),
        ({"origin": "https://evil.example.com"}, False),
        ({"origin": "https://x.example.com", "sec_fetch_site": "same-site"}, False),
        ({"origin": "http://halon.example.com"}, False),
        ({"origin": "null"}, False),
        ({"sec_fetch_site": "none"}, False),
        ({}, False),
    ],
)
def test_a_form_must_come_from_a_page_of_ours(headers: dict[str, str], own: bool) -> None:  # noqa: FBT001  # a table's column
    assert Site.is_own(request(**headers), OWN) is own
