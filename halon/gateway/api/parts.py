"""What the API is made of, once for the life of a gateway."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from temporalio.client import Client

from halon.clients.calendars import Freezes
from halon.clients.ledger import LedgerClient
from halon.clients.seals import Sealer
from halon.gateway.identity import Identity
from halon.operations.denials import Guard
from halon.operations.runs import Repertoire
from halon.settings import Settings
from halon.store.store import Store


@dataclass(frozen=True, slots=True)
class Parts:
    """The gateway's connections, and what it knows."""

    settings: Settings
    identity: Identity
    guard: Guard
    store: Store
    client: Client
    ledger: LedgerClient
    repertoire: Repertoire
    sealer: Callable[[], Sealer]
    """Gives what decisions are sealed with; raises Misconfigured when there is nothing."""
    freezes: Callable[[], Freezes]
    """Gives the calendars; raises Misconfigured when one is wrong."""
    clock: Callable[[], datetime]

    @property
    def connect(self) -> Callable[[], Awaitable[Client]]:
        """The one client, where operations would connect."""

        async def lasting() -> Client:
            return self.client

        return lasting
