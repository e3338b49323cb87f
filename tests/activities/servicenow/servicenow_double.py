"""A double of ServiceNow's Table API: incidents and groups, and queries of which it ignores what it does not know."""

from base64 import b64encode
from typing import Any

from vendor import TOKEN, Answered, Secret, Vendor

from halon.clients.json_api import Access
from halon.clients.servicenow import ServiceNow
from halon.settings.services import ServiceNowSettings

USER = "halon"
LOGIN = f"Basic {b64encode(f'{USER}:{TOKEN}'.encode()).decode()}"
JOURNAL = ("work_notes", "comments")


class ServiceNowDouble(Vendor):
    """One incident that has nothing to do with Halon, INC0010001, and the group Shop Operations."""

    denied = Answered({"error": {"message": "Operation Failed", "detail": "ACL Exception"}, "status": "failure"}, 403)
    throttled = Answered({"error": {"message": "Rate limit exceeded"}}, 429, {"Retry-After": "7"})

    def __init__(self) -> None:
        super().__init__()
        self.incidents: list[dict[str, Any]] = []
        self.groups = [{"sys_id": "a" * 32, "name": "Shop Operations"}]
        self.fields = {"number", "correlation_id", "name"}
        """What queries may name: another one is left out of the query."""
        self.read_only: set[str] = set()
        """Fields that are left as they are, without a word."""
        self.made({"short_description": "Somebody's own"})

    def made(self, fields: dict[str, Any]) -> dict[str, Any]:
        number = len(self.incidents) + 1
        new = {"sys_id": f"{number:032x}", "number": f"INC001000{number}", "state": "1", "correlation_id": ""}
        self.incidents.append({**new, "notes": [], **fields})
        return self.incidents[-1]

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> Answered:
        if self.headers.get("Authorization") != LOGIN:
            return Answered({"error": {"message": "User Not Authenticated", "detail": "Required"}}, 401)
        match path.removeprefix("/api/now/table/").split("/"):
            case ["sys_user_group"]:
                return Answered({"result": self._found(self.groups, query)})
            case ["incident"] if method == "GET":
                return Answered({"result": [self._shown(one) for one in self._found(self.incidents, query)]})
            case ["incident"]:
                assert len(body["short_description"]) <= 160
                return Answered({"result": self._shown(self.made(body))}, 201)
            case ["incident", number] if any(one["sys_id"] == number for one in self.incidents):
                there = next(one for one in self.incidents if one["sys_id"] == number)
                return self._one(there, method, query, body)
        return Answered({"error": {"message": "No Record found", "detail": "Record doesn't exist"}}, 404)

    def _found(self, rows: list[dict[str, Any]], query: dict[str, str]) -> list[dict[str, Any]]:
        field, _, value = query["sysparm_query"].partition("^")[0].partition("=")
        found = [one for one in rows if field not in self.fields or one[field] == value]
        return found[: int(query["sysparm_limit"])]

    def _one(self, there: dict[str, Any], method: str, query: dict[str, str], body: Any) -> Answered:
        if method == "GET":
            shown = query.get("sysparm_display_value") == "true"
            text = "\n\n".join(there["notes"]) if shown else ""
            return Answered({"result": {"work_notes": text, "comments": ""}})
        there["notes"].extend(body[name] for name in JOURNAL if name in body)
        there |= {name: value for name, value in body.items() if name not in {*JOURNAL, *self.read_only}}
        return Answered({"result": self._shown(there)})

    def _shown(self, one: dict[str, Any]) -> dict[str, Any]:
        return {name: one[name] for name in ("sys_id", "number", "state", "correlation_id")}


def servicenow(url: str) -> ServiceNow:
    settings = ServiceNowSettings.model_validate({"url": url, "token": {"env": "TOKEN"}, "user": USER})
    return ServiceNow(Access("ServiceNow", url, "servicenow", Secret(), user=USER), settings)
