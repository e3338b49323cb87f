"""Where an outgoing request may go. Pure: names and addresses in, a sentence out when one may not.

The address of a check may come from an alert, so whoever can raise an alert could otherwise make Halon ask anything
that it can reach. A host must be allowed by name, and an address that is not public by its network; the services that
hand out a machine's own credentials are never reached.
"""

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

NEVER: tuple[Network, ...] = tuple(
    ip_network(text)
    for text in (
        "169.254.0.0/16",  # link-local, with the metadata services of AWS, Azure, Google Cloud and most others
        "fe80::/10",  # link-local
        "fd00:ec2::/32",  # AWS over IPv6
        "fd20:ce::/32",  # Google Cloud over IPv6
        "100.100.100.200/32",  # Alibaba Cloud
        "168.63.129.16/32",  # Azure's wire server, a public address
        "192.0.0.0/24",  # Oracle Cloud, and what the IETF reserves
        "0.0.0.0/8",  # this host by another name
        "::/128",
        "224.0.0.0/4",  # multicast
        "ff00::/8",
        "255.255.255.255/32",
    )
)
"""Reached by nobody, whatever the settings allow."""
_NAT64 = IPv6Network("64:ff9b::/96")
_NUMBER = re.compile(r"(?:0x[0-9a-f]*|[0-9]+)", re.IGNORECASE)


class Destinations:
    """What the settings allow: host names and globs, and networks such as `10.0.0.0/8` for what is not public."""

    def __init__(self, allow: Sequence[str]) -> None:
        self._networks = tuple(network for text in allow if (network := _network(text)) is not None)
        self._hosts = tuple(_host(text) for text in allow if _network(text) is None)

    def refuse_host(self, host: str) -> str:
        """Say why no request goes to this host, whatever its addresses are; empty when one may."""
        literal = _address(host)
        if literal is not None:
            return self.refuse_address(literal) or (
                "" if self._listed(literal) else f"the address {host} is not allowed: add it to `http.allow`"
            )
        if _NUMBER.fullmatch(_host(host).rpartition(".")[2]):
            return f"'{host[:100]}' is an address in an unusual form: write it in full"
        if any(fnmatchcase(_host(host), pattern) for pattern in self._hosts):
            return ""
        return f"the host {host[:253]} is not allowed: add it to `http.allow` in halon.yaml"

    def refuse_address(self, address: Address) -> str:
        """Say why no request goes to this address; empty when one may."""
        for one in (address, *_within(address)):
            if any(one in network for network in NEVER if network.version == one.version):
                return f"{address} belongs to a metadata service or is link-local, which is never reached"
            if not one.is_global and not self._listed(address):
                return f"{address} is not a public address: add it, or its network, to `http.allow` in halon.yaml"
        return ""

    def _listed(self, address: Address) -> bool:
        return any(address in network for network in self._networks if network.version == address.version)


def parsed_address(text: str) -> Address | None:
    """Read an address; None when the text is none."""
    return _address(text)


def _within(address: Address) -> tuple[IPv4Address, ...]:
    """Give the IPv4 addresses that an IPv6 address stands for: mapped, translated by NAT64, tunnelled."""
    if isinstance(address, IPv4Address):
        return ()
    translated = IPv4Address(int(address) & 0xFFFFFFFF) if address in _NAT64 else None
    tunnelled = address.teredo[1] if address.teredo else None
    return tuple(one for one in (address.ipv4_mapped, address.sixtofour, translated, tunnelled) if one is not None)


def _host(text: str) -> str:
    return text.strip().lower().rstrip(".")


def _address(text: str) -> Address | None:
    try:
        return ip_address(text.strip("[]"))
    except ValueError:
        return None


def _network(text: str) -> Network | None:
    try:
        return ip_network(text.strip(), strict=False)
    except ValueError:
        return None
