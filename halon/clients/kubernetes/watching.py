"""Following objects as they change: list them once, then watch from there, and go on where it broke off."""

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing

from halon.clients.kubernetes.connection import Call, Connection, Gone, Resource
from halon.contracts.base import Json, JsonObject, is_list, is_object
from halon.errors import PermanentError, TransientError

MAX_LISTED = 10_000
"""Objects that a list gives; what is beyond is not looked at until it changes."""
_PAGE = 500
LONGEST = 60
"""Seconds that the server keeps one watch open. It then begins anew, so that one that hangs is noticed."""


class Watch:
    """The objects of one resource, in one namespace or in all. Not for several tasks at once."""

    def __init__(
        self, connection: Connection, resource: Resource, namespace: str, fields: str = "", longest: int = LONGEST
    ) -> None:
        self._connection = connection
        self._resource = resource
        self._namespace = namespace
        self._fields = [("fieldSelector", fields)] if fields else []
        self._longest = longest
        self._version = ""

    async def listed(self) -> list[JsonObject]:
        """Give the objects as they are now; `changes` then goes on from here.

        Raises:
            NotFound, PermissionDenied, TransientError, Misconfigured, PermanentError: as the server says.
        """
        found: list[JsonObject] = []
        version = following = ""
        while True:
            query = [("limit", str(_PAGE)), *self._fields, *([("continue", following)] if following else [])]
            page = await self._connection.json(Call("list", self._resource, self._namespace, query=query))
            metadata, items = _part(page, "metadata"), page.get("items") if is_object(page) else None
            found += [one for one in (items if is_list(items) else ()) if is_object(one)]
            version = version or str(metadata.get("resourceVersion") or "")
            following = str(metadata.get("continue") or "")
            if not following or len(found) >= MAX_LISTED:
                break
        if not version:
            raise PermanentError(f"cluster {self._connection.name} lists {self._resource.qualified} without a version")
        self._version = version
        return found

    async def changes(self) -> AsyncGenerator[JsonObject]:
        """Give objects that were made or changed, until the server ends the watch; call it again to go on.

        It goes on behind the last one that was taken: one is given again when whoever took it failed.

        Raises:
            Gone: it broke off too long ago: list anew.
            NotFound, PermissionDenied, TransientError, Misconfigured, PermanentError: as the server says.
        """
        query = [
            ("watch", "true"),
            ("allowWatchBookmarks", "true"),
            ("timeoutSeconds", str(self._longest)),
            *self._fields,
        ]
        call = Call("watch", self._resource, self._namespace, query=[*query, ("resourceVersion", self._version)])
        async with aclosing(self._connection.lines(call)) as lines:
            async for line in lines:
                kind, changed = self._read(line)
                if kind in {"ADDED", "MODIFIED"}:
                    yield changed
                self._version = str(_part(changed, "metadata").get("resourceVersion") or self._version)

    def _read(self, line: bytes) -> tuple[str, JsonObject]:
        name = self._connection.name
        try:
            told: Json = json.loads(line)
        except ValueError as error:
            raise TransientError(f"cluster {name} ends a watch in the middle of a change") from error
        kind, changed = (str(told.get("type")), told.get("object")) if is_object(told) else ("", None)
        if not is_object(changed):
            raise PermanentError(f"cluster {name} sends what is no change in a watch")
        if kind == "ERROR":
            said = str(changed.get("message") or changed.get("reason") or "no reason given")[:600]
            if changed.get("code") == 410:  # noqa: PLR2004  # HTTP's own number
                raise Gone(f"cluster {name} no longer knows the place from which to go on: {said}")
            raise TransientError(f"cluster {name} ended a watch: {said}")
        return kind, changed


def _part(value: Json, name: str) -> JsonObject:
    found = value.get(name) if is_object(value) else None
    return found if is_object(found) else {}
