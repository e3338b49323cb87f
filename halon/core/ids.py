"""The ids that follow from an alert. The same alert gives the same ids everywhere.

```
group        crashloop-rollback-3f9a1c07de              workflow id of the incident, from `halon.core.grouping`
incident     crashloop-rollback-3f9a1c07de-5b0c99e1     one time that the group fired: its first alert's episode
remediation  crashloop-rollback-3f9a1c07de-5b0c99e1-run workflow id of the run
```
"""

from halon.contracts.alert import Alert

_EPISODE_DIGITS = 8
_RUN = "-run"


def incident_id(group: str, first: Alert) -> str:
    """Name one time that the group fired, after the episode of the alert that opened it."""
    return f"{group}-{first.episode[:_EPISODE_DIGITS]}"


def run_id(incident: str) -> str:
    """Give the workflow id of the incident's remediation."""
    return f"{incident}{_RUN}"


def group_of(incident: str) -> str:
    """Give the group, and so the workflow id of the incident, from the id of the incident or of its run."""
    return incident_of(incident).rpartition("-")[0]


def incident_of(run: str) -> str:
    """Give the incident from the workflow id of its remediation; an incident's own id stays what it is."""
    return run.removesuffix(_RUN)
