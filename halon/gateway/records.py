"""Audit records of alerts that came to no incident. What reaches one, the incident's workflow records.

They form a chain a day. The same news about the same alert is one record a day, however often it is sent.
"""

from collections.abc import Iterator
from datetime import datetime

from halon.contracts.alert import Alert
from halon.contracts.audit import AuditKind, AuditRecord
from halon.contracts.base import JsonObject, digest
from halon.core.grouping import Unmatched
from halon.gateway.parsing import Parsed, bounded_problems
from halon.redaction import cut_text

NO_INCIDENT = "it is resolved, and no incident is open that waits for it"
_MAX_NAME = 100
_MAX_REASON = 300


def reason_of(one: Unmatched) -> str:
    """Say why no playbook takes an alert."""
    if not one.reasons:
        return "no trigger names it"
    return cut_text("; ".join(one.reasons), _MAX_REASON)


def unmatched_record(source: str, one: Unmatched, now: datetime) -> AuditRecord:
    """Tell that no playbook takes an alert, and why."""
    alert = one.alert
    message = f"No playbook takes alert {cut_text(alert.name, _MAX_NAME)} ({alert.status.value}): {reason_of(one)}"
    writer = f"gateway/{source}/{alert.episode}/{alert.status.value}"
    return _record(now, writer, AuditKind.ALERT_UNMATCHED, message, _facts(source, alert))


def suppressed_record(source: str, alert: Alert, now: datetime) -> AuditRecord:
    """Tell that an alert's end was of no use to anybody."""
    message = f"Nothing is done about alert {cut_text(alert.name, _MAX_NAME)}: {NO_INCIDENT}"
    writer = f"gateway/{source}/{alert.episode}/suppressed"
    return _record(now, writer, AuditKind.ALERT_SUPPRESSED, message, _facts(source, alert))


def flaw_records(source: str, parsed: Parsed, now: datetime) -> Iterator[AuditRecord]:
    """Tell of alerts that were not fit to act on, and of those that the sender left out."""
    for line in bounded_problems(parsed.rejected):
        message = f"An alert from {source} was rejected: {line}"
        writer = f"gateway/{source}/rejected/{digest(line)[:16]}"
        yield _record(now, writer, AuditKind.ALERT_REJECTED, message, {"source": source})
    if parsed.truncated:
        message = f"{source} left {parsed.truncated} alerts out of a request, which nobody here has seen"
        writer = f"gateway/{source}/truncated/{parsed.truncated}"
        facts: JsonObject = {"source": source, "alerts": parsed.truncated}
        yield _record(now, writer, AuditKind.ALERT_SUPPRESSED, message, facts)


def _record(now: datetime, writer: str, kind: AuditKind, message: str, data: JsonObject) -> AuditRecord:
    incident = f"unmatched-{now:%Y-%m-%d}"
    return AuditRecord(incident=incident, writer=writer, sequence=1, at=now, kind=kind, message=message, data=data)


def _facts(source: str, alert: Alert) -> JsonObject:
    return {
        "source": source,
        "name": alert.name,
        "fingerprint": alert.fingerprint,
        "status": alert.status.value,
        "severity": alert.severity,
        "labels": dict(alert.labels),
        "starts_at": alert.starts_at.isoformat(),
    }
