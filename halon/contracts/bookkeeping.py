"""What workflows have written down: the audit chain, the list of incidents, and who handles which episode."""

from typing import Annotated

from pydantic import Field

from halon.contracts.audit import AuditRecord
from halon.contracts.base import Contract
from halon.contracts.incident import IncidentRow

MAX_RECORDS = 100
"""Records an activity carries."""

APPEND = "halon.audit.append"
CLAIM = "halon.incident.claim"
SAVE = "halon.incident.save"

Records = Annotated[tuple[AuditRecord, ...], Field(max_length=MAX_RECORDS)]


class AppendRequest(Contract):
    """Append to the audit chain."""

    records: Records


class ClaimRequest(Contract):
    """Claim the episodes of an incident's alerts, so that each is handled once."""

    incident: str
    run: str
    """First execution run id of the incident's workflow."""
    episodes: tuple[str, ...]


class ClaimAnswer(Contract):
    """Which episodes are this incident's, and which one handled the others."""

    mine: tuple[str, ...]
    taken: dict[str, str] = {}


class SaveRequest(Contract):
    """Write the incident's row and its records in this order: records first."""

    row: IncidentRow
    records: Records = ()
    release: bool = False
    """Give the episodes back: nothing was done about them, so that a later repeat may open an incident again."""
