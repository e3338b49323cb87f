"""Watches: changes as they happen, from a revision on, as the selectors and the client's format want them."""

import asyncio
import json
from collections.abc import Callable
from typing import TypeAlias

from aiohttp import web

from halon.demo.cluster.calls import Call
from halon.demo.cluster.objects import Json, namespace_of
from halon.demo.cluster.selectors import Matcher
from halon.demo.cluster.status import bad_request, expired
from halon.demo.cluster.store import Change, Subscription
from halon.demo.cluster.world import World

Format: TypeAlias = Callable[[Json], Json]
"""Writes an object as the client asked for it: as itself, or as a table."""

_LONGEST = 1800
_BOOKMARK_EVERY = 10.0


async def watch(
    request: web.Request, call: Call, world: World, matches: Matcher, written: Format
) -> web.StreamResponse:
    """Answer a watch until its time is up, the client leaves or the server stops.

    Raises:
        ApiError: the resourceVersion is malformed (400) or too old (410).
    """
    seconds = min(call.number("timeoutSeconds") or _LONGEST, _LONGEST)
    stream = _Stream(call, world, matches, written)
    subscription = world.store.subscribe()
    try:
        first = stream.first()
        response = web.StreamResponse(
            headers={"Content-Type": "application/json", "Cache-Control": "no-cache, private"}
        )
        await response.prepare(request)
        try:
            await stream.send(response, first, subscription, seconds)
            await response.write_eof()
        except ConnectionError:
            return response
        return response
    finally:
        world.store.unsubscribe(subscription)


class _Stream:
    """One watch."""

    def __init__(self, call: Call, world: World, matches: Matcher, written: Format) -> None:
        self._call = call
        self._world = world
        self._matches = matches
        self._written = written

    def first(self) -> list[bytes]:
        """Return what is known already: the changes since a revision, or all objects when none is given."""
        text, store, target = self._call.query.get("resourceVersion", ""), self._world.store, self._call.target
        if text not in {"", "0"} and not self._call.flag("sendInitialEvents"):
            if not text.isascii() or not text.isdigit():
                raise bad_request(f"Invalid value: {text!r}: resourceVersion must be a number")
            if not store.remembers(int(text)):
                return [_event("ERROR", expired(text).body)]
            return [line for change in store.since(int(text)) if (line := self._line(change))]
        lines = [
            _event("ADDED", self._written(obj))
            for obj in store.items(target.resource, target.namespace)
            if self._matches(obj)
        ]
        if self._call.flag("sendInitialEvents"):
            lines.append(self._bookmark(ended=True))
        return lines

    async def send(
        self, response: web.StreamResponse, first: list[bytes], subscription: Subscription, seconds: float
    ) -> None:
        """Send events until the time is up or the subscription ends."""
        if first:
            await response.write(b"".join(first))
        clock = asyncio.get_running_loop().time
        ends = clock() + seconds
        while (left := ends - clock()) > 0:
            try:
                async with asyncio.timeout(min(left, _BOOKMARK_EVERY)):
                    change = await subscription.next()
            except TimeoutError:
                if self._call.flag("allowWatchBookmarks"):
                    await response.write(self._bookmark())
                continue
            if change is None:
                return
            line = self._line(change)
            if line:
                await response.write(line)

    def _line(self, change: Change) -> bytes:
        """Write a change as this watch sees it: an object that leaves the selection is deleted for it."""
        target = self._call.target
        if change.resource is not target.resource or target.namespace not in {"", namespace_of(change.after)}:
            return b""
        was = change.before is not None and self._matches(change.before)
        now = change.type != "DELETED" and self._matches(change.after)
        if not was and not now:
            return b""
        kind = "MODIFIED" if was and now else "ADDED" if now else "DELETED"
        return _event(kind, self._written(change.after))

    def _bookmark(self, *, ended: bool = False) -> bytes:
        resource = self._call.target.resource
        metadata: Json = {"resourceVersion": str(self._world.store.revision)}
        if ended:
            metadata["annotations"] = {"k8s.io/initial-events-end": "true"}
        return _event("BOOKMARK", {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": metadata})


def _event(kind: str, obj: Json) -> bytes:
    return json.dumps({"type": kind, "object": obj}, separators=(",", ":")).encode() + b"\n"
