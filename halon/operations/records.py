"""An incident's records, read from the audit chain."""

from halon.contracts.audit import StoredRecord
from halon.store.audit import MAX_PAGE
from halon.store.store import Store

MAX_RECORDS = 20_000
"""Records that are shown of one incident."""


async def all_records(store: Store, incident: str, after: int = 0) -> list[StoredRecord]:
    """Give an incident's records behind position `after`.

    Raises:
        TransientError: the store does not answer.
    """
    found: list[StoredRecord] = []
    while len(found) < MAX_RECORDS:
        page = await store.audit.records(incident, found[-1].position if found else after)
        found += page
        if len(page) < MAX_PAGE:
            break
    return found
