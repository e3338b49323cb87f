"""An alert, whatever tool it came from."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import StringConstraints

from halon.contracts.base import Contract, digest

MAX_LABELS = 64
MAX_LABEL_VALUE = 2048
MAX_ANNOTATION_VALUE = 8192


class AlertStatus(StrEnum):
    """Whether the condition holds now."""

    FIRING = "firing"
    RESOLVED = "resolved"


class Alert(Contract):
    """One alert as its source sees it. `fingerprint` names the condition, `starts_at` the time it began to hold."""

    source: str
    """Name of the source in the settings, such as `alertmanager`."""
    name: Annotated[str, StringConstraints(min_length=1, max_length=512)]
    fingerprint: Annotated[str, StringConstraints(min_length=1, max_length=512)]
    """The source's own identity of the condition; the same for every repeat."""
    status: AlertStatus
    severity: str = ""
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    starts_at: datetime
    """When the condition began, by the source's clock; with the fingerprint it names the episode. Has a time zone."""
    ends_at: datetime | None = None
    cycle: Annotated[str, StringConstraints(max_length=512)] = ""
    """The source's own name of this one time that the condition held, when it does not repeat the start: then this
    names the episode, and `starts_at` does not."""
    undated: bool = False
    """Whether `starts_at` is not the source's word on the beginning, but when the source last spoke of the condition.
    An end that is undated and belongs to no episode that is known ends every one of its condition."""
    url: str = ""
    """Where a person looks at it in the source."""

    @property
    def condition(self) -> str:
        """Identity of the condition, however often it comes: 16 hex digits from source and fingerprint."""
        return digest([self.source, self.fingerprint])[:16]

    @property
    def episode(self) -> str:
        """Identity of this one time that the condition held: 16 hex digits from source, fingerprint and start."""
        return digest([self.source, self.fingerprint, self.cycle or self.starts_at.isoformat()])[:16]
