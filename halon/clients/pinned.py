"""HTTP to destinations that a playbook names: allowed ones only, at addresses that were checked.

The name is resolved once, its addresses are checked, and the connection goes to an address that was checked: a name
that resolves differently the second time changes nothing. Redirects are not followed, proxies and cookies not used.
"""

import asyncio
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from halon.clients.http_destinations import Destinations, parsed_address
from halon.errors import InvalidInput, PermissionDenied

MAX_BODY = 1024 * 1024
"""Bytes of a body that are read; what comes after them is not looked at."""
MAX_REASON = 300
_HEADERS = {"User-Agent": "halon", "Accept-Encoding": "identity"}
"""Nothing is unpacked: a small packed body can be a very large one."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One request."""

    method: str
    url: str
    timeout: timedelta
    """For the whole of it, until the end of the answer."""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: bytes | None = None


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What came back."""

    status: int
    latency: timedelta
    """From the connection's beginning to the end of the body, or of the part that is read."""
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """Nothing came back, and why. That is an answer too: the thing that is checked is not there."""

    reason: str


class PinnedHttp:
    """Makes requests for one action, whose name errors begin with."""

    def __init__(self, action: str, destinations: Destinations) -> None:
        self._action = action
        self._destinations = destinations

    async def send(self, outgoing: Outgoing) -> HttpAnswer | NoAnswer:
        """Make one request.

        Raises:
            InvalidInput: the URL is none of http or https, or holds a user or a password.
            PermissionDenied: the settings do not allow its host or its address.
        """
        where = self.parsed(outgoing.url)
        try:
            async with asyncio.timeout(outgoing.timeout.total_seconds()):
                return await self._request(outgoing, where, await self._addresses(where))
        except TimeoutError:
            return NoAnswer(f"no answer within {outgoing.timeout.total_seconds():g} s")
        except (aiohttp.ClientError, OSError) as error:
            return NoAnswer(next(iter(str(error).splitlines()), "")[:MAX_REASON] or type(error).__name__)

    def parsed(self, url: str) -> URL:
        """Read an address.

        Raises:
            InvalidInput: it is none of http or https, or holds a user or a password.
        """
        try:
            parsed = URL(url)
        except ValueError:
            raise InvalidInput(f"{self._action}: this is not a URL") from None  # the error repeats a password
        if parsed.scheme not in {"http", "https"} or not parsed.host:
            raise InvalidInput(f"{self._action}: the URL must begin with http:// or https:// and name a host")
        if parsed.user is not None or parsed.password is not None:
            raise InvalidInput(
                f"{self._action}: a user or password does not belong into the URL, where everybody reads it"
            )
        return parsed

    async def _request(self, outgoing: Outgoing, url: URL, addresses: list[ResolveResult]) -> HttpAnswer:
        connector = aiohttp.TCPConnector(resolver=_Pinned(addresses), use_dns_cache=False, force_close=True)
        began = time.perf_counter()
        async with (
            aiohttp.ClientSession(
                connector=connector, cookie_jar=aiohttp.DummyCookieJar(), headers=_HEADERS, auto_decompress=False
            ) as session,
            session.request(
                outgoing.method, url, headers=outgoing.headers, data=outgoing.body, allow_redirects=False
            ) as response,
        ):
            body = await _beginning(response)
            latency = timedelta(seconds=time.perf_counter() - began)
            return HttpAnswer(response.status, latency, body, response.headers)

    async def _addresses(self, url: URL) -> list[ResolveResult]:
        host, port = url.raw_host or "", url.port or 0  # as the connection will use them
        refused = self._destinations.refuse_host(host)
        if refused:
            raise PermissionDenied(f"{self._action}: {refused}")
        if parsed_address(host) is not None:
            return []
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        reasons: list[str] = []
        allowed: list[ResolveResult] = []
        for family, _, protocol, _, place in found:
            address = parsed_address(str(place[0]))
            reason = (
                "it has no address that is known" if address is None else self._destinations.refuse_address(address)
            )
            if reason:
                reasons.append(reason)
            else:
                allowed.append(_resolved(host, str(place[0]), port, int(family), protocol))
        if not allowed:
            raise PermissionDenied(f"{self._action}: {host} resolves to nothing that is allowed: {reasons[0]}")
        return allowed


class _Pinned(AbstractResolver):
    """Gives the addresses that were checked, and asks nobody."""

    def __init__(self, addresses: list[ResolveResult]) -> None:
        self._addresses = addresses

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        _ = host, port, family
        return self._addresses

    async def close(self) -> None:
        return


def _resolved(host: str, address: str, port: int, family: int, protocol: int) -> ResolveResult:
    flags = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
    return ResolveResult(hostname=host, host=address, port=port, family=family, proto=protocol, flags=flags)


async def _beginning(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for part in response.content.iter_chunked(65536):
        body += part
        if len(body) >= MAX_BODY:
            break
    return bytes(body[:MAX_BODY])
