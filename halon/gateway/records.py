"""Audit records of alerts that came to no incident. What reaches one, the incident's workflow records.

They form a chain a day. The same news about the same alert is one record a day, however often it is sent; how often is
told by further records, from time to time.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from halon.contracts.alert import Alert, AlertStatus
from halon.contracts.audit import AuditKind, AuditRecord
from halon.contracts.base import Json, JsonObject, digest
from halon.core.grouping import Unmatched
from halon.gateway.parsing import Parsed, bounded_problems
from halon.gateway.repeats import Report
from halon.redaction import cut_text

NO_INCIDENT = "it is resolved, and no incident is open that waits for it"
COUNTS_A_RECORD = 400
"""Alerts whose repeats one record tells: what a record holds is bounded."""
_MAX_NAME = 100
_MAX_REASON = 300


@dataclass(frozen=True, slots=True)
class Note:
    """That something came to no incident. `record` makes the record of it, which costs more than the note."""

    writer: str
    """Names the record within its day."""
    account: str
    """What its repeats are counted under: the source."""
    about: str
    """The alert's episode, or what else it is about."""
    status: AlertStatus
    record: Callable[[datetime], AuditRecord]


def reason_of(one: Unmatched) -> str:
    """Say why no playbook takes an alert."""
    if not one.reasons:
        return "no trigger names it"
    return cut_text("; ".join(one.reasons), _MAX_REASON)


def unmatched_note(source: str, one: Unmatched, episode: str) -> Note:
    """Tell that no playbook takes an alert, and why."""
    status = one.alert.status
    writer = f"gateway/{source}/{episode}/{status.value}"
    return Note(writer, source, episode, status, partial(_unmatched, writer, source, one))


def suppressed_note(source: str, alert: Alert, episode: str) -> Note:
    """Tell that an alert's end was of no use to anybody."""
    writer = f"gateway/{source}/{episode}/suppressed"
    return Note(writer, source, episode, alert.status, partial(_suppressed, writer, source, alert))


def flaw_notes(source: str, parsed: Parsed) -> Iterator[Note]:
    """Tell of alerts that were not fit to act on, and of those that the sender left out."""
    for line in bounded_problems(parsed.rejected):
        about = f"rejected/{digest(line)[:16]}"
        writer = f"gateway/{source}/{about}"
        yield Note(writer, source, about, AlertStatus.FIRING, partial(_rejected, writer, source, line))
    if parsed.truncated:
        about = f"truncated/{parsed.truncated}"
        writer = f"gateway/{source}/{about}"
        make = partial(_truncated, writer, source, parsed.truncated)
        yield Note(writer, source, about, AlertStatus.FIRING, make)


def repeats_records(report: Report, what: str, gateway: str, sequence: int, now: datetime) -> list[AuditRecord]:
    """Tell how often alerts came again `what`. `gateway` and `sequence` tell these records from all others."""
    records: list[AuditRecord] = []
    for status, counts in ((AlertStatus.FIRING, report.firing), (AlertStatus.RESOLVED, report.resolved)):
        rows = list(counts.items())
        for start in range(0, len(rows), COUNTS_A_RECORD):
            part = dict[str, Json](rows[start : start + COUNTS_A_RECORD])
            times = sum(times for _, times in rows[start : start + COUNTS_A_RECORD])
            message = f"{len(part)} alerts ({status.value}) of {report.account} {what} came again, {times} times in all"
            data: JsonObject = {"account": report.account, "status": status.value, "times": times, "episodes": part}
            writer = f"gateway/{gateway}/{sequence}/{len(records)}"
            records.append(_record(writer, AuditKind.ALERT_REPEATED, message, data, now))
    return records


def _unmatched(writer: str, source: str, one: Unmatched, now: datetime) -> AuditRecord:
    alert = one.alert
    message = f"No playbook takes alert {cut_text(alert.name, _MAX_NAME)} ({alert.status.value}): {reason_of(one)}"
    return _record(writer, AuditKind.ALERT_UNMATCHED, message, _facts(source, alert), now)


def _suppressed(writer: str, source: str, alert: Alert, now: datetime) -> AuditRecord:
    message = f"Nothing is done about alert {cut_text(alert.name, _MAX_NAME)}: {NO_INCIDENT}"
    return _record(writer, AuditKind.ALERT_SUPPRESSED, message, _facts(source, alert), now)


def _rejected(writer: str, source: str, line: str, now: datetime) -> AuditRecord:
    message = f"An alert from {source} was rejected: {line}"
    return _record(writer, AuditKind.ALERT_REJECTED, message, {"source": source}, now)


def _truncated(writer: str, source: str, alerts: int, now: datetime) -> AuditRecord:
    message = f"{source} left {alerts} alerts out of a request, which nobody here has seen"
    facts: JsonObject = {"source": source, "alerts": alerts}
    return _record(writer, AuditKind.ALERT_SUPPRESSED, message, facts, now)


def _record(writer: str, kind: AuditKind, message: str, data: JsonObject, now: datetime) -> AuditRecord:
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
