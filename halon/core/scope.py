"""What expressions see: the alert and the playbook's metadata as plain values under their public names."""

from datetime import datetime
from typing import TypeAlias

from halon.contracts.alert import Alert
from halon.contracts.playbook import Metadata

Scope: TypeAlias = dict[str, object]
"""Names and values of an expression: JSON values, `datetime` with a time zone and `timedelta`."""


def alert_scope(alert: Alert, now: datetime) -> Scope:
    """Give the value of `alert`. `alert.age` is how long the condition has held, at `now`; never negative."""
    return {
        "name": alert.name,
        "source": alert.source,
        "fingerprint": alert.fingerprint,
        "status": alert.status.value,
        "severity": alert.severity,
        "labels": dict(alert.labels),
        "annotations": dict(alert.annotations),
        "starts_at": alert.starts_at,
        "age": max(now - alert.starts_at, now - now),
        "url": alert.url,
    }


def metadata_scope(metadata: Metadata) -> Scope:
    """Give the value of `metadata`: who the playbook is and whose."""
    return {
        "name": metadata.name,
        "title": metadata.title,
        "owner": metadata.owner,
        "description": metadata.description,
        "runbook": metadata.runbook,
        "labels": dict(metadata.labels),
    }


def trigger_scope(metadata: Metadata, alert: Alert, now: datetime) -> Scope:
    """Give the names that a trigger's `if` and `group_by` may use: `alert`, `metadata` and `now`."""
    return {"alert": alert_scope(alert, now), "metadata": metadata_scope(metadata), "now": now}
