"""A double of Statuspage: one page, with its incidents and what was said of them."""

from typing import Any

from vendor import TOKEN, Answered, Secret, Vendor

from halon.clients.statuspage import StatusPage
from halon.settings.communication import StatusPageSettings

ROOT = "/v1/pages/abc/"


class StatusPageDouble(Vendor):
    """Every write of an incident is an update that everybody is told."""

    denied = Answered({"error": "Forbidden"}, 403)
    throttled = Answered({"error": "Enhance your calm"}, 420, {"Retry-After": "7"})

    def __init__(self) -> None:
        super().__init__()
        self.incidents: list[dict[str, Any]] = [{"id": "p0", "status": "investigating", "metadata": {}}]
        self.updates: list[tuple[str, str]] = []

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> Answered:
        if self.headers.get("Authorization") != f"OAuth {TOKEN}":
            return Answered({"error": "Could not authenticate"}, 401)
        match path.removeprefix(ROOT).split("/"):
            case ["incidents", "unresolved"]:
                return Answered([one for one in self.incidents if one["status"] != "resolved"])
            case ["incidents"] if method == "GET":
                return Answered(self.incidents[:100])
            case ["incidents"]:
                number = f"p{len(self.incidents)}"
                self.incidents.insert(0, {"id": number, "shortlink": f"https://stspg.io/{number}"})
                return self._said(self.incidents[0], body["incident"])
            case ["incidents", number] if any(one["id"] == number for one in self.incidents):
                there = next(one for one in self.incidents if one["id"] == number)
                return self._said(there, body["incident"])
        return Answered({"error": "Not found"}, 404)

    def _said(self, there: dict[str, Any], said: dict[str, Any]) -> Answered:
        there |= said
        self.updates.append((said["status"], said["body"]))
        return Answered(there)


class Page(StatusPage):
    """The client, which keeps no connections."""

    async def close(self) -> None: ...


def statuspage(url: str) -> Page:
    given = {"url": f"{url}/v1", "page": "abc", "token": {"env": "TOKEN"}}
    return Page(StatusPageSettings.model_validate(given), Secret())
