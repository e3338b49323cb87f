"""The target's own record of writes: what clients changed, in order, so that a harness can count and compare.

Controllers, seeded objects and reviews of permissions are not in it, and neither is what was refused.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from halon.demo.cluster.objects import Json


@dataclass(frozen=True, slots=True)
class Entry:
    """One accepted request that may change something.

    `changed` is false for a dry run and for a write that found the object as it wanted it; `resource_version` is the
    object's afterwards. `before` and `after` are the whole object with all its values, None where there was none, as
    they were at the moment of the write, so that an effect can be told from the request that asked for it.
    """

    sequence: int
    time: str
    user: str
    verb: str
    group: str
    resource: str
    subresource: str
    namespace: str
    name: str
    dry_run: bool
    changed: bool
    media_type: str
    body: Any
    resource_version: str
    before: Json | None = None
    after: Json | None = None

    def as_json(self) -> Json:
        """Write the entry for HTTP."""
        return asdict(self)


class Journal:
    """Entries in the order in which the requests were accepted."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(tuple(self._entries))

    def __getitem__(self, index: int) -> Entry:
        return self._entries[index]

    def append(self, entry: Entry) -> None:
        """Record a request."""
        self._entries.append(entry)

    def changes(self) -> list[Entry]:
        """List the entries that changed something."""
        return [entry for entry in self._entries if entry.changed]

    def clear(self) -> None:
        """Begin anew; sequence numbers begin anew too."""
        self._entries.clear()
