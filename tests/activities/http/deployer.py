"""A deployer of one's own with an API that keeps to idempotency keys, as `http.request` may meet one."""

from typing import Any

from vendor import Answered, Secret, Vendor

from halon.clients.http_request import Destination, HttpRequester
from halon.settings.services import HttpDestination


class Deployer(Vendor):
    """Pipelines that can be paused and resumed."""

    def __init__(self) -> None:
        super().__init__()
        self.state = "running"
        self.keys: list[str] = []

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> Answered:
        if method == "GET":
            return Answered({"pipeline": {"state": self.state}}) if path == "/api/cart" else Answered(None, 404)
        key = self.headers.get("Idempotency-Key", "")
        if key in self.keys:
            return Answered({}, headers={"X-Repeated": "yes"})
        self.keys.append(key)
        self.state = {"/api/cart/pause": "paused", "/api/cart/resume": "running"}[path]
        return Answered({})

    async def interfere(self) -> None:
        self.state = "broken"


def requester(url: str, **more: Any) -> HttpRequester:
    """What reaches the deployer, with its credential."""
    settings = {"url": f"{url}/api/", "credential": {"secret": {"env": "DEPLOYER_TOKEN"}}, **more}
    return HttpRequester({"deployer": Destination(HttpDestination.model_validate(settings), Secret())}, [])
