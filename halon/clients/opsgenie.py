"""Opsgenie's alert API, version 2: https://docs.opsgenie.com/docs/alert-api.

An alert's alias is the key against repetition: while an alert with it is open, to create it again only counts it.
Opsgenie takes requests and works on them afterwards, so its answer says that it was taken and no more.
"""

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

from halon.clients.json_api import Access, Call, JsonApi, segment
from halon.errors import NotFound, PermanentError

OnAlert: TypeAlias = Literal["acknowledge", "close"]
_NEEDS = "an API integration that may create and update alerts"


class Opsgenie:
    """One account."""

    def __init__(self, access: Access) -> None:
        self._api = JsonApi(access)

    async def create(self, alias: str, alert: Mapping[str, Any]) -> None:
        """Open an alert, unless one with this alias is open.

        Raises:
            PermissionDenied: Opsgenie does not accept the key, or not for this.
            InvalidInput: it does not take the alert.
            TransientError: it does not answer, or not now.
            PermanentError: it answers something else.
        """
        await self._taken(Call("POST", "/v2/alerts", _NEEDS, body={"alias": alias, **alert}))

    async def act(self, alias: str, verb: OnAlert, note: str) -> bool:
        """Acknowledge or close the open alert with this alias; gives whether there was something to take it.

        Raises what `create` does.
        """
        body = {"source": "Halon", **({"note": note} if note else {})}
        path = f"/v2/alerts/{segment(alias)}/{verb}"
        try:
            await self._taken(Call("POST", path, _NEEDS, (("identifierType", "alias"),), body))
        except NotFound:
            return False
        return True

    async def close(self) -> None:
        """Close the connections."""
        await self._api.close()

    async def _taken(self, call: Call) -> None:
        if not (await self._api.object(call)).get("requestId"):
            raise PermanentError("Opsgenie answers with something else than that it took the request")
