"""One HTTP request to see whether something answers, to what `http.allow` allows."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Literal

from halon.clients.http_destinations import Destinations
from halon.clients.pinned import HttpAnswer, NoAnswer, Outgoing, PinnedHttp


class HttpChecker:
    """Makes requests to what the settings allow."""

    def __init__(self, allow: Sequence[str]) -> None:
        self._http = PinnedHttp("http.check", Destinations(allow))

    async def check(self, method: Literal["GET", "HEAD"], url: str, timeout: timedelta) -> HttpAnswer | NoAnswer:  # noqa: ASYNC109  # the answer says that it was too late
        """Make one request.

        Raises:
            InvalidInput: the URL is none of http or https, or holds a user or a password.
            PermissionDenied: the settings do not allow its host or its address.
        """
        return await self._http.send(Outgoing(method, url, timeout))
