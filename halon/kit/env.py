"""What an action may reach: its clients, by type. Nothing is global, so a test hands in doubles."""

from typing import TypeVar

from halon.errors import Misconfigured

T = TypeVar("T")


class Env:
    """Clients by their type. `env.get(KubernetesApi)` is the only way for an action to reach the outside."""

    def __init__(self, *clients: object) -> None:
        self._clients = clients

    def get(self, kind: type[T]) -> T:
        """Give the client of this type (or of a subclass).

        Raises:
            Misconfigured: this worker has none.
        """
        for client in self._clients:
            if isinstance(client, kind):
                return client
        raise Misconfigured(f"this worker has no {kind.__name__}: configure it in halon.yaml")
