"""A double of Opsgenie's alert API: an open alert of an alias takes those that are created with it."""

from typing import Any

from vendor import TOKEN, Answered, Secret, Vendor

from halon.clients.json_api import Access
from halon.clients.opsgenie import Opsgenie


class OpsgenieDouble(Vendor):
    """Requests are taken with 202 and worked on at once, which the real one does a moment later."""

    denied = Answered({"message": "You are not authorized to perform this action"}, 403)
    throttled = Answered({"message": "You are making too many requests!"}, 429, {"Retry-After": "7"})

    def __init__(self) -> None:
        super().__init__()
        self.alerts: list[dict[str, Any]] = []

    def opened(self, alias: str, **more: Any) -> dict[str, Any]:
        made = {"alias": alias, "status": "open", "acknowledged": False, "count": 1, "notes": [], **more}
        self.alerts.insert(0, made)
        return made

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> Answered:
        if self.headers.get("Authorization") != f"GenieKey {TOKEN}":
            return Answered({"message": "Could not authenticate", "took": 0.0, "requestId": "r"}, 401)
        match path.strip("/").split("/"):
            case ["v2", "alerts"] if method == "POST":
                assert len(body["message"]) <= 130
                there = self._open(body["alias"])
                if there is None:
                    self.opened(**body)
                else:
                    there["count"] += 1
                return self._taken(repeated=there is not None)
            case ["v2", "alerts", alias, ("close" | "acknowledge") as verb]:
                assert query == {"identifierType": "alias"}
                there = self._open(alias)
                if there is None:
                    return Answered({"message": "Alert does not exist", "took": 0.0, "requestId": "r"}, 404)
                repeated = verb == "acknowledge" and there["acknowledged"]
                there["notes"].append(body.get("note", ""))
                there |= {"status": "closed"} if verb == "close" else {"acknowledged": True}
                return self._taken(repeated=repeated)
        return Answered({"message": "Not found"}, 404)

    def _open(self, alias: str) -> dict[str, Any] | None:
        return next((one for one in self.alerts if one["alias"] == alias and one["status"] == "open"), None)

    def _taken(self, *, repeated: bool) -> Answered:
        said = {"result": "Request will be processed", "took": 0.1, "requestId": "r-1"}
        return Answered(said, 202, {"X-Repeated": "1"} if repeated else {})


def opsgenie(url: str) -> Opsgenie:
    return Opsgenie(Access("Opsgenie", url, "opsgenie", Secret(), prefix="GenieKey "))
