"""A double of LaunchDarkly's REST API: a flag with its rules, semantic patches, the audit log."""

from typing import Any

from vendor import TOKEN, Answered, Secret, Vendor

from halon.clients.json_api import Access
from halon.clients.launchdarkly import LaunchDarkly
from halon.settings.services import LaunchDarklySettings

FLAG = "/api/v2/flags/shop/new-cart"
SPEC = "proj/shop:env/production:flag/new-cart"


class FlagDouble(Vendor):
    """The flag `new-cart` of the project `shop`, on in `production`."""

    def __init__(self) -> None:
        super().__init__()
        self.there: dict[str, Any] = {
            "on": True,
            "archived": False,
            "offVariation": 1,
            "fallthrough": {"variation": 0},
            "rules": [{"_id": "r1", "clauses": [], "variation": 0}],
            "targets": [],
            "contextTargets": [],
            "prerequisites": [],
            "version": 7,
        }
        self.archived = False
        self.log: list[dict[str, Any]] = []

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> Answered:
        if self.headers.get("Authorization") != TOKEN:
            return Answered({"code": "unauthorized", "message": "Invalid access token"}, 401)
        assert self.headers["LD-API-Version"] == "20240415"
        if path == "/api/v2/auditlog":
            found = self.log if query["spec"] == SPEC else []
            return Answered({"items": found[: int(query["limit"])], "totalCount": len(found)})
        if path != FLAG:
            return Answered({"code": "not_found", "message": "Unknown feature flag key"}, 404)
        if method == "PATCH":
            assert self.headers["Content-Type"] == "application/json; domain-model=launchdarkly.semanticpatch"
            assert body["environmentKey"] == "production"
            for one in body["instructions"]:
                self.there["on"] = {"turnFlagOn": True, "turnFlagOff": False}[one["kind"]]
            self.log.insert(0, {"_id": "e", "kind": "flag", "titleVerb": "updated", "comment": body.get("comment", "")})
        found_in = {"production": self.there} if query.get("env", "production") == "production" else {}
        variations = [{"_id": "a", "value": True, "name": "New"}, {"_id": "b", "value": False, "name": "Old"}]
        flag = {"key": "new-cart", "archived": self.archived, "variations": variations, "environments": found_in}
        return Answered(flag)

    async def interfere(self) -> None:
        self.there["rules"] = []
        self.log.insert(0, {"_id": "x", "kind": "flag", "comment": "somebody"})


def launchdarkly(url: str) -> LaunchDarkly:
    settings = LaunchDarklySettings.model_validate(
        {"url": url, "token": {"env": "LD_TOKEN"}, "allow": ["shop/production"]}
    )
    access = Access("LaunchDarkly", url, "launchdarkly", Secret(), prefix="", headers={"LD-API-Version": "20240415"})
    return LaunchDarkly(access, settings)
