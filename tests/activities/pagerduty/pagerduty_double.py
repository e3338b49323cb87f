"""A double of PagerDuty: the Events API v2 with one service's key, and the REST API's incidents and their notes."""

from typing import Any

from vendor import TOKEN, Answered, Secret, Vendor

from halon.clients.json_api import Access
from halon.clients.pagerduty import PagerDuty
from halon.settings.services import PagerDutySettings

SERVICE = "shop"
USER = "halon@example.com"


class PagerDutyDouble(Vendor):
    """An open incident takes triggers of its key; acknowledging and resolving leave alone what is not there."""

    denied = Answered({"error": {"message": "Access Denied", "code": 2010}}, 403)
    throttled = Answered({"error": {"message": "Rate Limit Exceeded", "code": 2020}}, 429, {"Retry-After": "7"})

    def __init__(self) -> None:
        super().__init__()
        self.incidents: list[dict[str, Any]] = []
        self.notes: dict[str, list[dict[str, Any]]] = {}

    def opened(self, key: str) -> dict[str, Any]:
        made = {"id": f"Q{len(self.incidents) + 1}", "incident_key": key, "status": "triggered"}
        self.incidents.insert(0, made)
        self.notes[str(made["id"])] = []
        return made

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> Answered:
        if path == "/v2/enqueue":
            return self._event(body)
        if self.headers.get("Authorization") != f"Token token={TOKEN}":
            return Answered({"error": {"message": "Unauthorized"}}, 401)
        assert self.headers["Accept"] == "application/vnd.pagerduty+json;version=2"
        match path.strip("/").split("/"):
            case ["incidents"]:
                found = [one for one in self.incidents if one["incident_key"] == query["incident_key"]]
                return Answered({"incidents": found[: int(query["limit"])], "more": False})
            case ["incidents", number] if number in self.notes:
                return self._moved(next(one for one in self.incidents if one["id"] == number), body)
            case ["incidents", number, "notes"] if number in self.notes:
                return self._noted(self.notes[number], body)
        return Answered({"error": {"message": "Not Found", "code": 2100}}, 404)

    def _moved(self, there: dict[str, Any], body: Any) -> Answered:
        if body is not None:
            assert self.headers.get("From") == USER
            assert body["incident"]["type"] == "incident_reference"
            there["status"] = body["incident"]["status"]
        return Answered({"incident": there})

    def _noted(self, notes: list[dict[str, Any]], body: Any) -> Answered:
        if body is None:
            return Answered({"notes": notes})
        if self.headers.get("From") != USER:
            return Answered({"error": {"message": "Invalid Input Provided", "errors": ["From"]}}, 400)
        notes.append({"id": f"N{len(notes)}", **body["note"]})
        return Answered({"note": notes[-1]}, 201)

    def _event(self, body: dict[str, Any]) -> Answered:
        assert "Authorization" not in self.headers
        if body["routing_key"] != TOKEN:
            errors = ["'routing_key' is invalid"]
            return Answered({"status": "invalid event", "message": "Event object is invalid", "errors": errors}, 400)
        key, verb = body["dedup_key"], body["event_action"]
        there = next(
            (one for one in self.incidents if one["incident_key"] == key and one["status"] != "resolved"), None
        )
        repeated = False
        if verb == "trigger":
            assert len(body["payload"]["summary"]) <= 1024
            repeated = there is not None
            if there is None:
                self.opened(key)["event"] = body
        else:
            wanted = {"acknowledge": "acknowledged", "resolve": "resolved"}[verb]
            repeated = there is None or there["status"] == wanted
            if there is not None:
                there["status"] = wanted
        said = {"status": "success", "message": "Event processed", "dedup_key": key}
        return Answered(said, 202, {"X-Repeated": "1"} if repeated else {})


def pagerduty(url: str, key: Secret | None = None, **more: Any) -> PagerDuty:
    given = {"url": url, "events_url": url, "token": {"env": "TOKEN"}, "user": USER}
    services = {SERVICE: {"routing_key": {"env": "KEY"}}}
    settings = PagerDutySettings.model_validate({**given, "services": services, **more})
    access = Access("PagerDuty", url, "pagerduty", Secret(), prefix="Token token=")
    return PagerDuty(access, settings, {SERVICE: key or Secret()})
