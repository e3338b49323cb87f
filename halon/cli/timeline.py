"""An incident's story, read from the audit chain."""

from collections.abc import Sequence

from rich.console import RenderableType

from halon.cli.output import styled, table
from halon.contracts.audit import AuditKind, StoredRecord
from halon.store.audit import MAX_PAGE
from halon.store.store import Store

MAX_RECORDS = 20_000
"""Records that are shown of one incident."""

_STYLES = {
    "approval": "yellow",
    "approved": "green",
    "denied": "yellow",
    "applied": "bold",
    "confirmed": "green",
    "verified": "green",
    "step.failed": "red",
    "undo.failed": "bold red",
    "decision.refused": "yellow",
    "run.refused": "yellow",
    "incident": "bold",
}


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


def timeline(records: Sequence[StoredRecord]) -> RenderableType:
    """Show records, one a line."""
    rows = [
        (
            styled(f"{one.at:%m-%d %H:%M:%S}", "dim"),
            styled(one.kind.value, style_of(one.kind)),
            one.step,
            f"{one.message} (by {one.actor})" if one.actor != "halon" else one.message,
        )
        for one in records
    ]
    return table(("time (UTC)", "what", "step", "message"), rows)


def style_of(kind: AuditKind) -> str:
    """Give the colour of a kind of record."""
    return _STYLES.get(kind.value) or _STYLES.get(kind.value.partition(".")[0], "")
