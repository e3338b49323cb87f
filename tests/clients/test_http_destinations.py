from ipaddress import IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halon.clients.http_destinations import NEVER, Destinations

EVERYTHING = Destinations(["*", "0.0.0.0/0", "::/0"])


@pytest.mark.parametrize(
    ("allow", "host", "allowed"),
    [
        ([], "shop.example.com", False),
        (["shop.example.com"], "shop.example.com", True),
        (["shop.example.com"], "SHOP.example.com.", True),
        (["shop.example.com"], "shop.example.com.evil.net", False),
        (["*.example.com"], "shop.example.com", True),
        (["*.example.com"], "example.com", False),
        (["*"], "8.8.8.8", False),
        (["8.8.8.8"], "8.8.8.8", True),
        (["10.0.0.0/8"], "10.1.2.3", True),
        (["10.0.0.0/8"], "11.1.2.3", False),
        (["*"], "2130706433", False),
        (["*"], "127.1", False),
        (["*"], "0x7f.0.0.1", False),
        (["*"], "1password.com", True),
    ],
)
def test_a_host_is_allowed_by_name_glob_or_network(allow: list[str], host: str, allowed: bool) -> None:  # noqa: FBT001  # a table
    assert (Destinations(allow).refuse_host(host) == "") is allowed


@pytest.mark.parametrize("text", ["127.0.0.1", "10.0.0.1", "192.168.1.1", "172.16.0.9", "::1", "fd12::1", "100.64.0.1"])
def test_an_address_that_is_not_public_needs_its_network(text: str) -> None:
    assert "http.allow" in Destinations(["*"]).refuse_address(ip_address(text))
    assert Destinations([text]).refuse_address(ip_address(text)) == ""


@pytest.mark.parametrize(
    "text",
    [
        "169.254.169.254",
        "169.254.170.2",
        "fd00:ec2::254",
        "fd20:ce::254",
        "100.100.100.200",
        "168.63.129.16",
        "fe80::1",
        "0.0.0.0",  # noqa: S104  # an address to refuse
        "::",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::1",
    ],
)
def test_metadata_services_are_never_reached_in_whatever_form(text: str) -> None:
    assert "never" in EVERYTHING.refuse_address(ip_address(text))
    assert EVERYTHING.refuse_host(text) != ""


def test_a_private_address_does_not_pass_as_a_translated_one() -> None:
    assert Destinations(["*"]).refuse_address(ip_address("64:ff9b::a00:1")) != ""
    assert Destinations(["*"]).refuse_address(ip_address("::ffff:127.0.0.1")) != ""


@given(st.ip_addresses(v=4))
def test_an_address_and_its_mapped_form_are_judged_alike(address: object) -> None:
    mapped = IPv6Address(f"::ffff:{address}")
    public = Destinations(["*"])
    allowed = public.refuse_address(ip_address(str(address))) == ""
    if not allowed:
        assert public.refuse_address(mapped) != ""


def test_what_is_never_reached_is_refused_at_both_ends() -> None:
    for network in NEVER:
        assert EVERYTHING.refuse_address(network[0]) != ""
        assert EVERYTHING.refuse_address(network[-1]) != ""
