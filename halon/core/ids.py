"""The ids that follow from an alert. The same alert gives the same ids everywhere.

```
group        crashloop-rollback-3f9a1c07de                workflow id of the incident, from `halon.core.grouping`
incident     crashloop-rollback-3f9a1c07de-5b0c99e1       one time that the group fired: its first alert's episode
remediation  crashloop-rollback-3f9a1c07de-5b0c99e1-run   workflow id of its run
             crashloop-rollback-3f9a1c07de-5b0c99e1-run-2 … of the second one, after the incident was reopened
```
"""

import re

from halon.contracts.alert import Alert

MAX_RUNS = 100
"""Runs of one incident. What fires again after so many is a new incident."""
_EPISODE_DIGITS = 8
_RUN = re.compile(r"(?:(?<=-[0-9a-f]{8})|(?<=-manual))-run(?:-[1-9][0-9]{0,2})?$")


def incident_id(group: str, first: Alert) -> str:
    """Name one time that the group fired, after the episode of the alert that opened it."""
    return f"{group}-{first.episode[:_EPISODE_DIGITS]}"


def run_id(incident: str, ordinal: int = 1) -> str:
    """Give the workflow id of the incident's remediation, the first one or a later one."""
    return f"{incident}-run" if ordinal <= 1 else f"{incident}-run-{ordinal}"


def coordination_id(incident: str) -> str:
    """Give the workflow id of the workflow that tells people of an incident."""
    return f"{incident}-coordination"


def group_of(incident: str) -> str:
    """Give the group, and so the workflow id of the incident, from the id of the incident or of its run."""
    return incident_of(incident).rpartition("-")[0]


def incident_of(run: str) -> str:
    """Give the incident from the workflow id of one of its remediations; an incident's own id stays what it is."""
    return _RUN.sub("", run)
