"""PagerDuty: events about incidents by the Events API v2, the rest by the REST API. https://developer.pagerduty.com.

An event's `dedup_key` is the key against repetition: a second trigger with it joins the incident that is open.
Notes have none, so they carry a mark, which is looked for before one is written.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal, TypeAlias

from halon.clients.credentials import Token
from halon.clients.json_api import Access, Call, JsonApi, segment
from halon.contracts.base import is_list, is_object
from halon.errors import Misconfigured, NotFound, PermanentError
from halon.settings.services import PagerDutySettings

EventAction: TypeAlias = Literal["trigger", "acknowledge", "resolve"]
_ACCEPT = {"Accept": "application/vnd.pagerduty+json;version=2"}
_FAR = ("triggered", "acknowledged", "resolved")
"""How far an incident has come."""
_READ = "to read incidents (scope `incidents.read`)"
_WRITE = "to write to incidents (scope `incidents.write`)"


class PagerDuty:
    """One account."""

    def __init__(self, access: Access, settings: PagerDutySettings, keys: Mapping[str, Token]) -> None:
        """`keys` are the routing keys of the services."""
        self._api = JsonApi(replace(access, headers=_ACCEPT))
        # The routing key goes in the body, so that the Events API has no token of its own.
        events = Access("PagerDuty", settings.events_url, "pagerduty.services", ca=settings.ca)
        self._events = JsonApi(events)
        self._settings, self._keys = settings, dict(keys)

    async def send(self, service: str, action: EventAction, dedup_key: str, more: Mapping[str, Any]) -> None:
        """Send an event about an incident of a service.

        Raises:
            Misconfigured: halon.yaml names no such service.
            InvalidInput: PagerDuty does not take the event, or knows no such routing key.
            TransientError: PagerDuty does not answer, or not now.
            PermanentError: it answers something else.
        """
        key = self._keys.get(service)
        if key is None:
            known = ", ".join(sorted(self._keys)) or "none"
            raise Misconfigured(
                f"halon.yaml has no service '{service}' under pagerduty.services (it names: {known}); add "
                f"`pagerduty: {{services: {{{service}: {{routing_key: {{env: VARIABLE_WITH_ITS_INTEGRATION_KEY}}}}}}}}`"
            )
        secret = (await asyncio.to_thread(key)).get_secret_value().strip()
        body = {"routing_key": secret, "event_action": action, "dedup_key": dedup_key, **more}
        said = await self._events.object(
            Call("POST", "/v2/enqueue", "an integration key of the Events API v2", body=body, hidden=secret)
        )
        if said.get("status") != "success":
            raise PermanentError("PagerDuty answers with something else than that it took the event")

    async def incident_of(self, dedup_key: str) -> str:
        """Find the id of the newest incident with an alert of this key.

        Raises:
            NotFound: there is none.
            HalonError: what `note` raises.
        """
        query = (("incident_key", dedup_key), ("sort_by", "created_at:desc"), ("limit", "1"))
        said = await self._rest().object(Call("GET", "/incidents", _READ, query))
        found = said.get("incidents")
        first = found[0] if is_list(found) and found else None
        if not is_object(first) or not isinstance(first.get("id"), str):
            raise NotFound(f"PagerDuty has no incident with the key '{dedup_key}' of the last month")
        return str(first["id"])

    async def move(self, incident: str, verb: Literal["acknowledge", "resolve"]) -> None:
        """Acknowledge or resolve an incident by its id, unless it has come so far. Raises what `note` does."""
        path, api = f"/incidents/{segment(incident)}", self._rest()
        there = (await api.object(Call("GET", path, _READ))).get("incident")
        status = there.get("status") if is_object(there) else None
        if status not in _FAR:
            raise PermanentError("PagerDuty answers with something else than an incident")
        wanted = f"{verb}d"
        if _FAR.index(status) >= _FAR.index(wanted):
            return
        body = {"incident": {"type": "incident_reference", "status": wanted}}
        await api.object(Call("PUT", path, _WRITE, headers=self._sender(), body=body))

    async def note(self, incident: str, text: str, mark: str) -> bool:
        """Write a note on an incident, unless one that shows the mark is there; gives whether it was written now.

        Raises:
            Misconfigured: halon.yaml has no token for the REST API.
            PermissionDenied: PagerDuty does not accept the token.
            NotFound: there is no such incident.
            TransientError: PagerDuty does not answer, or not now.
            PermanentError: it answers something else.
        """
        path, api = f"/incidents/{segment(incident)}/notes", self._rest()
        said = (await api.object(Call("GET", path, _READ))).get("notes")
        if not is_list(said):
            raise PermanentError("PagerDuty answers with something else than notes")
        if any(is_object(one) and mark in str(one.get("content")) for one in said):
            return False
        body = {"note": {"content": f"{text}\n\n{mark}"}}
        await api.object(Call("POST", path, _WRITE, headers=self._sender(), body=body))
        return True

    async def close(self) -> None:
        """Close the connections."""
        await self._events.close()
        await self._api.close()

    def _sender(self) -> dict[str, str]:
        return {"From": str(self._settings.user)}

    def _rest(self) -> JsonApi:
        if self._settings.token is None:
            raise Misconfigured("`pagerduty` in halon.yaml has no `token` and `user`, which the REST API needs")
        return self._api
