"""A double of Unleash's admin API: a flag in an environment, with a strategy."""

from typing import Any

from vendor import TOKEN, Answered, Secret, Vendor

from halon.clients.json_api import Access
from halon.clients.unleash import Unleash
from halon.settings.services import UnleashSettings

FLAG = "/api/admin/projects/default/features/new-cart/environments/production"


class ToggleDouble(Vendor):
    """The flag `new-cart`, on in `production`."""

    def __init__(self) -> None:
        super().__init__()
        self.there: dict[str, Any] = {
            "name": "production",
            "environment": "production",
            "enabled": True,
            "strategies": [{"id": "s1", "name": "flexibleRollout", "parameters": {"rollout": "50"}, "constraints": []}],
            "variants": [],
        }

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> Answered:
        if self.headers.get("Authorization") != TOKEN:
            return Answered({"name": "AuthenticationRequired", "message": "You must log in"}, 401)
        if not path.startswith(FLAG):
            return Answered({"name": "NotFoundError", "message": "Could not find feature"}, 404)
        if method == "POST":
            self.there["enabled"] = path == f"{FLAG}/on"
            return Answered(None)
        return Answered(self.there)

    async def interfere(self) -> None:
        self.there["strategies"][0]["parameters"]["rollout"] = "100"


def unleash(url: str) -> Unleash:
    settings = UnleashSettings.model_validate(
        {"url": url, "token": {"env": "UNLEASH_TOKEN"}, "allow": ["default/production"]}
    )
    return Unleash(Access("Unleash", url, "unleash", Secret(), prefix=""), settings)
