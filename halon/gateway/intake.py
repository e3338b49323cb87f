"""What happens to the alerts of one request: sort, hand over, record what nobody takes, and say what became of each."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog
from opentelemetry import metrics
from pydantic import BaseModel, Field

from halon.contracts.alert import Alert, AlertStatus
from halon.contracts.audit import AuditKind, AuditRecord
from halon.contracts.playbook import Playbook
from halon.core.grouping import AlertGroup, Triage, Unmatched, triage
from halon.errors import TransientError
from halon.gateway.dispatch import Dispatcher
from halon.gateway.parsing import Parsed, bounded_problems
from halon.redaction import cut_text
from halon.store.audit import MAX_APPEND
from halon.store.store import Store

MAX_LISTED = 100
"""Alerts that an answer tells of one by one; all are counted."""
_MAX_REASON = 300

log = structlog.get_logger(__name__)
_meter = metrics.get_meter("halon.gateway")
_alerts = _meter.create_counter("halon.gateway.alerts", description="Alerts received, by source, status and result")


class Fate(BaseModel):
    """What became of one alert."""

    name: str
    fingerprint: str
    status: AlertStatus
    incidents: list[str] = Field(default=[], description="Workflow ids of the incidents that got it.")
    playbooks: list[str] = Field(default=[], description="Playbooks whose trigger takes it.")
    unmatched: str = Field(default="", description="Why no playbook takes it.")


class Receipt(BaseModel):
    """The alerts that are accepted are durable."""

    received: int
    matched: int
    unmatched: int
    rejected: int
    truncated: int = Field(default=0, description="Alerts that the sender says it left out.")
    incidents: list[str] = Field(default=[], description="Workflow ids of the incidents, at most a hundred.")
    alerts: list[Fate] = Field(default=[], description="What became of each alert, at most a hundred.")
    errors: list[str] = Field(default=[], description="One line for each alert that was rejected, naming the field.")


@dataclass(frozen=True, slots=True)
class Intake:
    """Takes in alerts for one gateway."""

    catalogue: Mapping[str, Playbook]
    dispatcher: Dispatcher
    store: Store
    clock: Callable[[], datetime]

    async def take(self, source: str, parsed: Parsed) -> Receipt:
        """Hand the alerts over and record those that no playbook takes.

        The record comes second, so that a store that is down does not keep a remediation from starting; and it is asked
        for only when nothing was handed over, because the sender's next try would count those alerts twice.

        Raises:
            TransientError: Temporal did not accept, or nothing could be made durable at all; the sender tries again.
            PermanentError: Temporal will never accept one of the incidents.
        """
        now = self.clock()
        sorted_ = triage(self.catalogue.values(), parsed.alerts, now)
        await self._dispatch(sorted_.groups)
        try:
            await self._record(source, sorted_.unmatched, now)
        except TransientError as error:
            if not sorted_.groups:
                raise
            log.warning("alerts.unrecorded", source=source, alerts=len(sorted_.unmatched), reason=str(error))
        self._count(source, parsed, sorted_)
        return _receipt(parsed, sorted_)

    async def _dispatch(self, groups: Sequence[AlertGroup]) -> None:
        """Hand over every group, also when one fails: the others must not wait for the sender's next try."""
        results = await asyncio.gather(*(self.dispatcher.dispatch(group) for group in groups), return_exceptions=True)
        failures = [result for result in results if isinstance(result, BaseException)]
        if failures:
            # When one may still succeed, the sender has to come back, whatever else went wrong.
            raise min(failures, key=lambda error: not isinstance(error, TransientError))

    async def _record(self, source: str, unmatched: Sequence[Unmatched], now: datetime) -> None:
        records = [_unmatched_record(source, one, now) for one in unmatched]
        for start in range(0, len(records), MAX_APPEND):
            await self.store.audit.append(records[start : start + MAX_APPEND], first_wins=True)

    def _count(self, source: str, parsed: Parsed, sorted_: Triage) -> None:
        lost = {id(one.alert) for one in sorted_.unmatched}
        for alert in parsed.alerts:
            result = "unmatched" if id(alert) in lost else "matched"
            _alerts.add(1, {"source": source, "status": alert.status.value, "result": result})
        if parsed.rejected:
            _alerts.add(len(parsed.rejected), {"source": source, "status": "unknown", "result": "rejected"})
            log.warning("alerts.rejected", source=source, problems=bounded_problems(parsed.rejected))
        if parsed.truncated:
            _alerts.add(parsed.truncated, {"source": source, "status": "unknown", "result": "truncated"})
            log.warning("alerts.truncated", source=source, alerts=parsed.truncated)
        log.info(
            "alerts.received",
            source=source,
            alerts=len(parsed.alerts),
            unmatched=len(lost),
            incidents=[group.id for group in sorted_.groups[:MAX_LISTED]],
        )


def _unmatched_record(source: str, one: Unmatched, now: datetime) -> AuditRecord:
    """Tell that nobody takes an alert: once a day for each episode and status, however often it is sent."""
    alert = one.alert
    return AuditRecord(
        incident=f"unmatched-{now:%Y-%m-%d}",
        writer=f"gateway/{source}/{alert.episode}/{alert.status.value}",
        sequence=1,
        at=now,
        kind=AuditKind.ALERT_UNMATCHED,
        message=f"No playbook takes alert {cut_text(alert.name, 100)} ({alert.status.value}): {_reason(one)}",
        data={
            "source": source,
            "name": alert.name,
            "fingerprint": alert.fingerprint,
            "status": alert.status.value,
            "severity": alert.severity,
            "labels": dict(alert.labels),
            "starts_at": alert.starts_at.isoformat(),
        },
    )


def _reason(one: Unmatched) -> str:
    if not one.reasons:
        return "no trigger names it"
    return cut_text("; ".join(one.reasons), _MAX_REASON)


def _receipt(parsed: Parsed, sorted_: Triage) -> Receipt:
    unmatched = {id(one.alert): one for one in sorted_.unmatched}
    taken: dict[int, list[AlertGroup]] = {}
    for group in sorted_.groups:
        for alert in group.alerts:
            taken.setdefault(id(alert), []).append(group)
    return Receipt(
        received=len(parsed.alerts) + len(parsed.rejected),
        matched=len(parsed.alerts) - len(unmatched),
        unmatched=len(unmatched),
        rejected=len(parsed.rejected),
        truncated=parsed.truncated,
        incidents=[group.id for group in sorted_.groups[:MAX_LISTED]],
        alerts=[_fate(alert, taken, unmatched) for alert in parsed.alerts[:MAX_LISTED]],
        errors=bounded_problems(parsed.rejected),
    )


def _fate(alert: Alert, taken: Mapping[int, Sequence[AlertGroup]], unmatched: Mapping[int, Unmatched]) -> Fate:
    groups = taken.get(id(alert), ())
    return Fate(
        name=alert.name,
        fingerprint=alert.fingerprint,
        status=alert.status,
        incidents=[group.id for group in groups],
        playbooks=[group.playbook.metadata.name for group in groups],
        unmatched=_reason(unmatched[id(alert)]) if id(alert) in unmatched else "",
    )
