"""What workflows have written down: the audit chain, the list of incidents, and who handles which episode."""

from typing import Annotated

from pydantic import Field

from halon.contracts.audit import AuditRecord
from halon.contracts.base import Contract
from halon.contracts.incident import IncidentRow
from halon.contracts.past import ConditionState, GroupPast, Sighting

MAX_RECORDS = 100
"""Records an activity carries."""
MAX_RESOLVED = 1000
"""Ends of conditions that it carries."""

APPEND = "halon.audit.append"
CLAIM = "halon.incident.claim"
SAVE = "halon.incident.save"

Records = Annotated[tuple[AuditRecord, ...], Field(max_length=MAX_RECORDS)]


class AppendRequest(Contract):
    """Append to the audit chain."""

    records: Records


class ClaimRequest(Contract):
    """Claim the episodes of an incident's alerts, so that each is handled once.

    Claimed again by the same run for another incident, they become that incident's.
    """

    incident: str
    run: str
    """Who claims: first execution run id of the incident's workflow, and how often it was continued as new."""
    episodes: tuple[str, ...]
    conditions: tuple[str, ...] = ()
    """Conditions of these episodes, whose states are asked for."""
    resolved: Annotated[tuple[Sighting, ...], Field(max_length=MAX_RESOLVED)] = ()
    """Ends of conditions that came with them, to be known before the past is told."""
    opening: bool = False
    """Whether the incident is about to open, and so asks for the group's past."""


class ClaimAnswer(Contract):
    """Which episodes are this incident's, which one handled the others, and what is remembered."""

    mine: tuple[str, ...]
    taken: dict[str, str] = {}
    conditions: tuple[ConditionState, ...] = ()
    past: GroupPast = GroupPast()


class SaveRequest(Contract):
    """Write the incident's row and its records in this order: records first."""

    row: IncidentRow
    records: Records = ()
    conditions: tuple[ConditionState, ...] = ()
    """Conditions of this incident that changed."""
    resolved: Annotated[tuple[Sighting, ...], Field(max_length=MAX_RESOLVED)] = ()
    """Ends of conditions that earlier incidents of the group had taken up."""
    run: str = ""
    """Who claimed the episodes in `release`."""
    release: tuple[str, ...] = ()
    """Episodes to give back: nothing was done about them, so that a later repeat may open an incident again."""
