"""The status page, through the API that Atlassian's Statuspage has and others have taken over.

Its calls have no key against repetition, so an incident carries our own mark in its metadata, written together with
what it marks: before anything is written, the mark that is there is looked at.
"""

import asyncio
import json
from collections.abc import Callable
from typing import Any, Literal, TypeAlias

from pydantic import SecretStr

from halon.clients.credentials import Credentials
from halon.clients.web import Ask, Web
from halon.contracts.base import is_list, is_object
from halon.contracts.communication import Impact
from halon.contracts.coordination import Published, PublishRequest
from halon.errors import Misconfigured, NotFound, PermanentError, TransientError
from halon.redaction import redact_text
from halon.settings.communication import StatusPageSettings

SETTING = "communication.status_page.token"
MAX_BODY = 4000
Method: TypeAlias = Literal["GET", "POST", "PATCH"]
_CALM_DOWN = 420
"""What Statuspage answers when it is asked too often."""
_WAYS = {
    Impact.NONE: "operational",
    Impact.MINOR: "degraded_performance",
    Impact.MAJOR: "partial_outage",
    Impact.CRITICAL: "major_outage",
}


def status_page_of(settings: StatusPageSettings, credentials: Credentials) -> "StatusPage":
    """Give the page that the settings name; without one, publishing is `misconfigured`."""
    return StatusPage(settings, credentials.named(settings.token, SETTING) if settings.token else None)


class StatusPage:
    """One page."""

    def __init__(self, settings: StatusPageSettings, token: Callable[[], SecretStr] | None) -> None:
        self._settings = settings
        self._token = token

    async def publish(self, request: PublishRequest, *, create: bool = True) -> Published:
        """Say it, once however often it is asked. Without `create` only about an incident that the page has.

        Raises:
            Misconfigured: halon.yaml names no page.
            NotFound: the page has no such incident, and none shall be created.
            TransientError: the page does not answer, or not now.
            PermanentError: the page does not take it.
        """
        if self._settings.page is None or self._token is None:
            raise Misconfigured("`communication.status_page` in halon.yaml names no `page` and `token`")
        web = Web()
        try:
            found = await self._find(web, request)
            if found is None and not create:
                raise NotFound(f"the status page shows no incident for '{request.incident}'")
            if found is None:
                answer = await self._ask(web, "POST", "incidents", self._words(request, new=True))
            elif _mark(found).get("mark") == request.mark:
                answer = found
            else:
                answer = await self._ask(web, "PATCH", f"incidents/{_id(found)}", self._words(request, new=False))
        finally:
            await web.close()
        return Published(page_incident=_id(answer), url=str(answer.get("shortlink") or ""))

    async def _find(self, web: Web, request: PublishRequest) -> dict[str, Any] | None:
        """The incident as the page has it: by its id, else by our mark."""
        if request.page_incident:
            try:
                return await self._ask(web, "GET", f"incidents/{request.page_incident}", None)
            except NotFound:
                return None  # somebody removed it there: it is made anew
        ours = await self._ours(web, "incidents/unresolved", request.incident)
        if not ours and request.status == "resolved":
            # It may be resolved already, by an attempt whose answer got lost.
            ours = await self._ours(web, "incidents", request.incident)
        return ours[0] if ours else None

    async def _ours(self, web: Web, path: str, incident: str) -> list[dict[str, Any]]:
        """Those with our mark, of which the page lists the newest hundred, the newest first."""
        answer = await self._call(web, "GET", path, None)
        if not is_list(answer):
            raise PermanentError("the status page answers with something else than incidents")
        return [one for one in answer if is_object(one) and _mark(one).get("incident") == incident]

    def _words(self, request: PublishRequest, *, new: bool) -> dict[str, Any]:
        over = request.status == "resolved"
        way = "operational" if over else _WAYS[request.impact]
        incident: dict[str, Any] = {
            "status": request.status,
            "body": redact_text(request.body, MAX_BODY),
            "metadata": {"halon": {"incident": request.incident, "mark": request.mark}},
            "components": dict.fromkeys(request.components, way),
            "component_ids": list(request.components),
        }
        if new:
            incident |= {"name": redact_text(request.name, 200), "impact_override": request.impact.value}
        return {"incident": incident}

    async def _ask(self, web: Web, method: Method, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
        answer = await self._call(web, method, path, body)
        if not is_object(answer) or not answer.get("id"):
            raise PermanentError("the status page answers with something else than an incident")
        return answer

    async def _call(self, web: Web, method: Method, path: str, body: dict[str, Any] | None) -> Any:
        token = (await asyncio.to_thread(self._token)).get_secret_value() if self._token else ""
        ask = Ask(
            url=f"{self._settings.url.rstrip('/')}/pages/{self._settings.page}/{path}",
            method=method,
            headers={"Authorization": f"OAuth {token}"},
            body=body,
        )
        answer = await web.ask("the status page", ask)
        if answer.status == _CALM_DOWN:
            raise TransientError(f"the status page answers HTTP {answer.status}", retry_after=answer.retry_after)
        if not answer.ok:
            raise answer.refused("the status page", SETTING)
        try:
            found: Any = json.loads(answer.body)
        except (ValueError, RecursionError):
            raise PermanentError("the status page answers with something that is not JSON") from None
        return found


def _mark(incident: dict[str, Any]) -> dict[str, Any]:
    metadata = incident.get("metadata")
    ours = metadata.get("halon") if is_object(metadata) else None
    return ours if is_object(ours) else {}


def _id(incident: dict[str, Any]) -> str:
    return str(incident["id"])[:64]
