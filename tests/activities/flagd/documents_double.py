"""A server of a document of flags, as flagd fetches it, which heeds If-Match."""

import hashlib
import json
from typing import Any

from flagd_double import definition
from vendor import TOKEN, Answered, Secret, Vendor

from halon.clients.flagd import FlagDocuments
from halon.clients.json_api import Access, JsonApi

PATH = "/flags/shop.json"


class Documents(Vendor):
    """One document."""

    def __init__(self) -> None:
        super().__init__()
        self.content: Any = {
            "$schema": "https://flagd.dev/schema/v0/flags.json",
            "flags": {"new-cart": {**definition(), "metadata": {"team": "shop"}}, "other": definition()},
        }
        self.tagging = "strong"
        self.racing = False
        """Somebody else writes between each read and the write after it."""

    @property
    def etag(self) -> str:
        return f'"{hashlib.sha256(json.dumps(self.content).encode()).hexdigest()[:16]}"'

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> Answered:
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return Answered({"message": "who are you"}, 401)
        if path != PATH:
            return Answered({"message": "nothing here"}, 404)
        if method == "PUT":
            if self.racing:
                self.racing = False
                self.content["flags"]["other"]["state"] = "DISABLED"
            if self.headers["If-Match"] != self.etag:
                return Answered({"message": "it is another one"}, 412)
            self.content = body
            return Answered(None, 204)
        tags = {"strong": {"ETag": self.etag}, "weak": {"ETag": f"W/{self.etag}"}, "none": {}}
        return Answered(self.content, headers=tags[self.tagging])

    async def interfere(self) -> None:
        self.content["flags"]["new-cart"]["targeting"] = {"if": [True, "on"]}


def documents(url: str) -> FlagDocuments:
    access = Access("the document shop", f"{url}{PATH}", "flagd.documents.shop", Secret())
    return FlagDocuments({"shop": JsonApi(access)})
