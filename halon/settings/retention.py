"""Settings of what is kept for how long."""

from typing import Annotated

from pydantic import Field

from halon.settings.audit import Term
from halon.settings.section import Section


class RetentionSettings(Section):
    """How long things are kept. What has no term is kept for ever; what is on hold is kept in any case."""

    incidents: Term | None = None
    """Incidents with their records, after they were closed."""
    records: Term | None = None
    """Records that belong to no incident, such as a day's alerts that no playbook took, after the last of them."""
    evidence: Term | None = None
    """Evidence, after it was last collected."""
    automatic: bool = False
    """Whether workers prune, once an hour; otherwise `halon audit prune` does."""
    batch: Annotated[int, Field(ge=1, le=1000)] = 100
    """Incidents, and pieces of evidence, that are pruned at most at a time."""
