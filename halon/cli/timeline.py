"""An incident's story, as the audit chain tells it."""

from collections.abc import Sequence

from rich.console import RenderableType

from halon.cli.output import styled, table
from halon.contracts.audit import AuditKind, StoredRecord

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
