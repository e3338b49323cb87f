"""What an action may reach: its clients, by type, and the time. Nothing is global, so a test hands in doubles."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

from halon.errors import Misconfigured

T = TypeVar("T")


def _wall_clock() -> datetime:
    return datetime.now(UTC)  # the outside world's clock, which only read actions ask


class Env:
    """Clients by their type. `env.get(KubernetesApi)` is the only way for an action to reach the outside."""

    def __init__(self, *clients: object, now: Callable[[], datetime] = _wall_clock) -> None:
        self._clients = clients
        self.now = now
        """The time for read actions, such as for an age. A change gets its time from the plan's request."""

    def get(self, kind: type[T]) -> T:
        """Give the client of this type (or of a subclass).

        Raises:
            Misconfigured: this worker has none.
        """
        found = self.find(kind)
        if found is not None:
            return found
        raise Misconfigured(f"this worker has no {kind.__name__}: configure it in halon.yaml")

    def find(self, kind: type[T]) -> T | None:
        """Give the client of this type (or of a subclass), None when there is none."""
        return next((client for client in self._clients if isinstance(client, kind)), None)
