"""Documents of flags that flagd fetches over HTTP: https://flagd.dev/concepts/syncs/, 'HTTP sync'.

flagd only reads them. They are changed where they lie, by a PUT of the whole document that its server takes only while
it is the one that was read: its strong ETag guards that, so a server without one is refused.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from halon.clients.json_api import Call, JsonApi
from halon.contracts.base import JsonObject, is_object
from halon.errors import Misconfigured, NotFound, PermanentError


@dataclass(frozen=True, slots=True)
class Document:
    """A document, and the tag of what was read."""

    content: JsonObject
    etag: str

    def flag(self, key: str, name: str) -> JsonObject:
        """Give a flag's definition. Raises NotFound when there is none."""
        flags = self.content.get("flags")
        found = flags.get(key) if is_object(flags) else None
        if not is_object(found):
            raise NotFound(f"the document {name} has no flag {key}")
        return found


class FlagDocuments:
    """The documents of halon.yaml, by their names."""

    def __init__(self, apis: Mapping[str, JsonApi]) -> None:
        self._apis = dict(apis)

    async def read(self, name: str) -> Document:
        """Read a document.

        Raises:
            Misconfigured: halon.yaml names none so.
            PermissionDenied: the server does not accept the credential.
            NotFound: there is none at its address.
            TransientError: the server does not answer, or not now.
            PermanentError: it answers something else, or without a strong ETag.
        """
        answer = await self._api(name).answer(Call("GET", "", "to read the document"))
        try:
            content: Any = json.loads(answer.body)
        except (ValueError, RecursionError):
            content = None
        if not is_object(content):
            raise PermanentError(f"what lies at `flagd.documents.{name}.url` of halon.yaml is no JSON object")
        etag = answer.headers.get("etag", "")
        if not etag.startswith('"'):
            raise PermanentError(
                f"the server of the document {name} gives no strong ETag, by which another's change could be told"
            )
        return Document(content, etag)

    async def write(self, name: str, content: JsonObject, etag: str) -> None:
        """Write a document, if it is still the one with this tag.

        Raises what `read` does, and Conflict when it is another one.
        """
        headers = {"If-Match": etag}
        await self._api(name).answer(Call("PUT", "", "to write the document", body=content, headers=headers))

    async def close(self) -> None:
        """Close the connections."""
        for api in self._apis.values():
            await api.close()

    def _api(self, name: str) -> JsonApi:
        found = self._apis.get(name)
        if found is None:
            known = ", ".join(sorted(self._apis)) or "none"
            raise Misconfigured(f"halon.yaml has no document '{name}' under flagd.documents (it names: {known})")
        return found
