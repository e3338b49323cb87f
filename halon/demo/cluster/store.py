"""The cluster's memory: objects, the revision that every write raises, and the changes that watches read.

Everything here is synchronous, so within one event loop every request is atomic without a lock.
"""

import asyncio
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from halon.demo.cluster.objects import Json, ensure, name_of, namespace_of
from halon.demo.cluster.resources import Resource

_FIRST_REVISION = 1000
"""So that a client's '1' is an old version, as it is on any cluster that has lived for a while."""
_HISTORY = 20_000
"""How many changes a watch may look back on before it must list again."""
_BACKLOG = 20_000
"""How many changes a slow watch may leave unread before it is cut off."""


@dataclass(frozen=True, slots=True)
class Change:
    """One write: what was before (nothing for ADDED) and what is now (the last state for DELETED)."""

    type: Literal["ADDED", "MODIFIED", "DELETED"]
    resource: Resource
    before: Json | None
    after: Json
    revision: int


class Subscription:
    """A queue of changes for one watch. It ends when the store closes, or when the reader lags too far behind."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[Change | None] = asyncio.Queue()

    def offer(self, change: Change | None) -> None:
        """Add a change, or None for the end."""
        if self._queue.qsize() < _BACKLOG:
            self._queue.put_nowait(change)
        elif self._queue.qsize() == _BACKLOG:
            self._queue.put_nowait(None)

    async def next(self) -> Change | None:
        """Wait for the next change; None means that there will be no more."""
        return await self._queue.get()


class Store:
    """Objects by resource, namespace and name. Returned objects are shared: clone one before changing it."""

    def __init__(self) -> None:
        self.revision = _FIRST_REVISION
        self.changed = asyncio.Event()
        """Set by every write; the controllers clear it when they begin a round."""
        self._objects: dict[Resource, dict[tuple[str, str], Json]] = {}
        self._history: deque[Change] = deque(maxlen=_HISTORY)
        self._forgotten = _FIRST_REVISION
        self._subscriptions: set[Subscription] = set()

    def get(self, resource: Resource, namespace: str, name: str) -> Json | None:
        """Find one object."""
        return self._objects.get(resource, {}).get((namespace, name))

    def items(self, resource: Resource, namespace: str = "") -> list[Json]:
        """List a resource's objects in order of namespace and name; without a namespace, those of all."""
        table = self._objects.get(resource, {})
        return [table[key] for key in sorted(table) if not namespace or key[0] == namespace]

    def resources(self) -> list[Resource]:
        """List the resources that have objects."""
        return [resource for resource, table in self._objects.items() if table]

    def put(self, resource: Resource, obj: Json) -> Json:
        """Write an object, which belongs to the store from now on, under a new resourceVersion."""
        key = (namespace_of(obj), name_of(obj))
        table = self._objects.setdefault(resource, {})
        before = table.get(key)
        self.revision += 1
        ensure(obj, "metadata")["resourceVersion"] = str(self.revision)
        table[key] = obj
        self._publish(Change("MODIFIED" if before else "ADDED", resource, before, obj, self.revision))
        return obj

    def remove(self, resource: Resource, namespace: str, name: str) -> None:
        """Remove an object for good; it need not exist."""
        before = self._objects.get(resource, {}).pop((namespace, name), None)
        if before is None:
            return
        self.revision += 1
        last = {**before, "metadata": {**before["metadata"], "resourceVersion": str(self.revision)}}
        self._publish(Change("DELETED", resource, before, last, self.revision))

    def _publish(self, change: Change) -> None:
        if len(self._history) == _HISTORY:
            self._forgotten = self._history[0].revision
        self._history.append(change)
        for subscription in self._subscriptions:
            subscription.offer(change)
        self.changed.set()

    def remembers(self, revision: int) -> bool:
        """Whether every change after a revision can still be told."""
        return revision >= self._forgotten

    def since(self, revision: int) -> Iterator[Change]:
        """Tell the changes after a revision."""
        return iter([change for change in self._history if change.revision > revision])

    def subscribe(self) -> Subscription:
        """Begin to receive changes."""
        subscription = Subscription()
        self._subscriptions.add(subscription)
        return subscription

    def close(self) -> None:
        """End every subscription."""
        for subscription in self._subscriptions:
            subscription.offer(None)

    def unsubscribe(self, subscription: Subscription) -> None:
        """Stop receiving changes."""
        self._subscriptions.discard(subscription)
