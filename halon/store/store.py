"""The store: what is kept for longer than Temporal keeps histories. Temporal is the truth while a run is open."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from sqlalchemy import make_url

from halon.clients.credentials import Credentials
from halon.settings import Settings
from halon.store.audit import Audit
from halon.store.engine import Database, open_database
from halon.store.evidence import EvidenceDirectory
from halon.store.export import Export
from halon.store.groups import Groups
from halon.store.incidents import Incidents
from halon.store.retention import Retention
from halon.store.signatures import Signatures


class Store:
    """The audit chain, the incidents and what their groups leave behind, over one database."""

    def __init__(self, database: Database, evidence: EvidenceDirectory | None = None) -> None:
        self._database = database
        self.closing = asyncio.Event()
        """Set when an incident was closed here: its end is to be signed soon."""
        self.audit = Audit(database)
        self.incidents = Incidents(database)
        self.groups = Groups(database)
        self.signatures = Signatures(database)
        self.retention = Retention(database, evidence)
        self.export = Export(database, evidence)

    async def check(self) -> None:
        """Ask whether the database answers.

        Raises:
            TransientError: it does not.
        """
        await self._database.check()

    async def close(self) -> None:
        """Give back all connections."""
        await self._database.close()


@asynccontextmanager
async def open_store(settings: Settings) -> AsyncGenerator[Store]:
    """Open the store that the settings name, and close it at the end.

    Raises:
        Misconfigured: `store.url` is wrong, or a newer Halon wrote the store.
        TransientError: the store does not answer.
    """
    url = make_url(settings.store_url)
    if settings.store.password is not None:
        credentials = Credentials(settings.credentials)
        password = await asyncio.to_thread(credentials.resolve, settings.store.password, "store.password")
        url = url.set(password=password.get_secret_value())
    store = Store(await open_database(url, settings.store.tls), EvidenceDirectory(settings.evidence_dir))
    try:
        yield store
    finally:
        await store.close()
