"""The audit record: one for every decision and every attempt, also for what was not done."""

from datetime import datetime
from enum import StrEnum

from halon.contracts.base import Contract, JsonObject


class AuditKind(StrEnum):
    """What happened. The words are those of docs/audit.md."""

    ALERT_RECEIVED = "alert.received"
    ALERT_REPEATED = "alert.repeated"
    ALERT_RESOLVED = "alert.resolved"
    ALERT_UNMATCHED = "alert.unmatched"
    ALERT_SUPPRESSED = "alert.suppressed"
    ALERT_REJECTED = "alert.rejected"
    ALERT_FLAPPING = "alert.flapping"
    INCIDENT_OPENED = "incident.opened"
    INCIDENT_REOPENED = "incident.reopened"
    INCIDENT_CLOSED = "incident.closed"
    PLAYBOOK_MATCHED = "playbook.matched"
    RUN_STARTED = "run.started"
    RUN_ADMITTED = "run.admitted"
    RUN_REFUSED = "run.refused"
    RUN_CANCELLED = "run.cancelled"
    RUN_TIMED_OUT = "run.timed_out"
    RUN_FINISHED = "run.finished"
    STEP_STARTED = "step.started"
    STEP_SKIPPED = "step.skipped"
    STEP_FINISHED = "step.finished"
    STEP_FAILED = "step.failed"
    READ = "read"
    PLANNED = "planned"
    APPROVAL_ASKED = "approval.asked"
    APPROVAL_REMINDED = "approval.reminded"
    APPROVAL_ESCALATED = "approval.escalated"
    DECISION_TAKEN = "decision.taken"
    DECISION_REFUSED = "decision.refused"
    GLASS_BROKEN = "approval.glass_broken"
    APPROVED = "approved"
    DENIED = "denied"
    EXPIRED = "expired"
    ATTEMPTED = "attempted"
    APPLIED = "applied"
    DRIFTED = "drifted"
    CONFIRMED = "confirmed"
    VERIFIED = "verified"
    UNVERIFIED = "unverified"
    UNDO_STARTED = "undo.started"
    UNDONE = "undone"
    UNDO_FAILED = "undo.failed"
    LEASED = "leased"
    LEASE_EXPIRED = "lease.expired"
    STOPPED = "stopped"
    HELD = "held"
    HOLD_ENDED = "hold.ended"
    PAUSED = "guard.paused"
    RESUMED = "guard.resumed"
    BREAKER_OPENED = "breaker.opened"
    BREAKER_CLOSED = "breaker.closed"
    BREAKER_TRIPPED = "breaker.tripped"
    BREAKER_RESET = "breaker.reset"
    LOCK_KEPT = "lock.kept"
    LOCK_FREED = "lock.freed"
    STORM_BEGAN = "storm.began"
    STORM_ENDED = "storm.ended"
    ACCESS_DENIED = "access.denied"
    RECORDS_LOST = "records.lost"
    LEGAL_HOLD_PLACED = "legal_hold.placed"
    LEGAL_HOLD_RELEASED = "legal_hold.released"
    INCIDENT_PRUNED = "incident.pruned"
    EVIDENCE_PRUNED = "evidence.pruned"
    PAGED = "paged"
    TICKETED = "ticketed"
    ACKNOWLEDGED = "acknowledged"
    ACKNOWLEDGEMENT_ESCALATED = "acknowledgement.escalated"
    ACKNOWLEDGEMENT_MISSED = "acknowledgement.missed"
    ROLE_CHANGED = "role.changed"
    DEADLINE_BEGAN = "deadline.began"
    DEADLINE_REMINDED = "deadline.reminded"
    DEADLINE_MISSED = "deadline.missed"
    DEADLINE_DONE = "deadline.done"
    STATUS_PAGE_HELD = "status_page.held"
    STATUS_PAGE_RELEASED = "status_page.released"
    STATUS_PAGE_WRITTEN = "status_page.written"
    STATUS_PAGE_FAILED = "status_page.failed"
    NOTICE_SENT = "notice.sent"
    NOTICE_FALLBACK = "notice.fallback"
    NOTICE_FAILED = "notice.failed"
    NOTICE_DROPPED = "notice.dropped"
    WORD_REFUSED = "word.refused"


class AuditRecord(Contract):
    """One line of an incident's story.

    `writer` and `sequence` make the record's id, so that writing it twice changes nothing. The store gives it its place
    in the incident's chain.
    """

    incident: str
    writer: str
    """Who counts `sequence`: a workflow's id and run, or the gateway."""
    sequence: int
    at: datetime
    kind: AuditKind
    step: str = ""
    """Path of the step, such as `drain[2].evict`, or empty."""
    message: str
    """One sentence for a person."""
    actor: str = "halon"
    """Who caused it: `halon`, or the person who decided."""
    data: JsonObject = {}

    @property
    def id(self) -> str:
        """Identity of the record: the same attempt to write it has the same id."""
        return f"{self.incident}/{self.writer}/{self.sequence}"


class StoredRecord(AuditRecord):
    """A record with its place in the chain."""

    position: int
    """From 1, without gaps, within the incident."""
    previous: str
    """Hash of the record before, 64 zeros for the first."""
    hash: str
    """SHA-256 over the canonical JSON of the record with `position` and `previous`, without `hash`."""
