"""What happens to the alerts of one request: sort, hand over, record what nobody takes, and say what became of each."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog
from opentelemetry import metrics
from pydantic import BaseModel, Field

from halon.contracts.alert import Alert, AlertStatus
from halon.contracts.audit import AuditRecord
from halon.contracts.playbook import Playbook
from halon.core.flapping import sighting
from halon.core.grouping import AlertGroup, Unmatched, triage
from halon.errors import TransientError
from halon.gateway.dispatch import Dispatcher
from halon.gateway.parsing import Parsed, bounded_problems
from halon.gateway.records import NO_INCIDENT, flaw_records, reason_of, suppressed_record, unmatched_record
from halon.store.audit import MAX_APPEND
from halon.store.store import Store

MAX_LISTED = 100
"""Alerts that an answer tells of one by one; all are counted."""

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
    suppressed: str = Field(default="", description="Why nothing is done about it, although a playbook takes it.")


class Receipt(BaseModel):
    """The alerts that are matched are durable."""

    received: int
    matched: int = Field(description="Alerts that an incident has.")
    suppressed: int = Field(description="Resolved alerts of which no incident is open.")
    unmatched: int
    rejected: int
    truncated: int = Field(default=0, description="Alerts that the sender says it left out.")
    incidents: list[str] = Field(default=[], description="Workflow ids of the incidents, at most a hundred.")
    alerts: list[Fate] = Field(default=[], description="What became of each alert, at most a hundred.")
    errors: list[str] = Field(default=[], description="One line for each alert that was rejected, naming the field.")


@dataclass(frozen=True, slots=True)
class Sorted:
    """Where each alert of a request went. Alerts are told apart by identity: the same one may stand there twice."""

    taken: Sequence[AlertGroup]
    """Groups that an incident has."""
    playbooks: Mapping[int, Sequence[str]]
    """Names of the playbooks whose trigger takes an alert."""
    unmatched: Mapping[int, Unmatched]
    suppressed: Mapping[int, Alert]

    def result(self, alert: Alert) -> str:
        """Give the word for what became of an alert."""
        if id(alert) in self.unmatched:
            return "unmatched"
        return "suppressed" if id(alert) in self.suppressed else "matched"


@dataclass(frozen=True, slots=True)
class Intake:
    """Takes in alerts for one gateway."""

    catalogue: Mapping[str, Playbook]
    dispatcher: Dispatcher
    store: Store
    clock: Callable[[], datetime]

    async def take(self, source: str, parsed: Parsed) -> Receipt:
        """Hand the alerts over and record those that come to no incident.

        The record comes second, so that a store that is down does not keep a remediation from starting; and it is asked
        for only when nothing was handed over, because the sender's next try would count those alerts twice.

        Raises:
            TransientError: Temporal did not accept, or nothing could be made durable at all; the sender tries again.
            PermanentError: Temporal will never accept one of the incidents.
        """
        now = self.clock()
        triaged = triage(self.catalogue.values(), parsed.alerts, now)
        handed = await self._dispatch(triaged.groups)
        sorted_ = _sorted(triaged.groups, handed, triaged.unmatched)
        ended = {
            group.id: [sighting(alert, now) for alert in group.alerts]
            for group, taken in zip(triaged.groups, handed, strict=True)
            if not taken
        }
        records = [
            *(unmatched_record(source, one, now) for one in sorted_.unmatched.values()),
            *(suppressed_record(source, one, now) for one in sorted_.suppressed.values()),
            *flaw_records(source, parsed, now),
        ]
        try:
            await self._record(records)
            if ended:
                await self.store.groups.resolved(ended)
        except TransientError as error:
            if not sorted_.taken:
                raise
            log.warning("alerts.unrecorded", source=source, records=len(records), reason=str(error))
        self._count(source, parsed, sorted_)
        return _receipt(parsed, sorted_)

    async def _dispatch(self, groups: Sequence[AlertGroup]) -> list[bool]:
        """Hand over every group, also when one fails: the others must not wait for the sender's next try."""
        results = await asyncio.gather(*(self.dispatcher.dispatch(group) for group in groups), return_exceptions=True)
        failures = [result for result in results if isinstance(result, BaseException)]
        if failures:
            # When one may still succeed, the sender has to come back, whatever else went wrong.
            raise min(failures, key=lambda error: not isinstance(error, TransientError))
        return [result for result in results if not isinstance(result, BaseException)]

    async def _record(self, records: Sequence[AuditRecord]) -> None:
        for start in range(0, len(records), MAX_APPEND):
            await self.store.audit.append(records[start : start + MAX_APPEND], first_wins=True)

    def _count(self, source: str, parsed: Parsed, sorted_: Sorted) -> None:
        for alert in parsed.alerts:
            _alerts.add(1, {"source": source, "status": alert.status.value, "result": sorted_.result(alert)})
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
            unmatched=len(sorted_.unmatched),
            suppressed=len(sorted_.suppressed),
            incidents=[group.id for group in sorted_.taken[:MAX_LISTED]],
        )


def _sorted(groups: Sequence[AlertGroup], taken: Sequence[bool], unmatched: Sequence[Unmatched]) -> Sorted:
    playbooks: dict[int, list[str]] = {}
    for group in groups:
        for alert in group.alerts:
            playbooks.setdefault(id(alert), []).append(group.playbook.metadata.name)
    kept = [group for group, is_taken in zip(groups, taken, strict=True) if is_taken]
    somewhere = {id(alert) for group in kept for alert in group.alerts}
    return Sorted(
        taken=kept,
        playbooks=playbooks,
        unmatched={id(one.alert): one for one in unmatched},
        suppressed={id(alert): alert for group in groups for alert in group.alerts if id(alert) not in somewhere},
    )


def _receipt(parsed: Parsed, sorted_: Sorted) -> Receipt:
    incidents: dict[int, list[str]] = {}
    for group in sorted_.taken:
        for alert in group.alerts:
            incidents.setdefault(id(alert), []).append(group.id)
    return Receipt(
        received=len(parsed.alerts) + len(parsed.rejected),
        matched=len(parsed.alerts) - len(sorted_.unmatched) - len(sorted_.suppressed),
        suppressed=len(sorted_.suppressed),
        unmatched=len(sorted_.unmatched),
        rejected=len(parsed.rejected),
        truncated=parsed.truncated,
        incidents=[group.id for group in sorted_.taken[:MAX_LISTED]],
        alerts=[_fate(alert, sorted_, incidents.get(id(alert), [])) for alert in parsed.alerts[:MAX_LISTED]],
        errors=bounded_problems(parsed.rejected),
    )


def _fate(alert: Alert, sorted_: Sorted, incidents: list[str]) -> Fate:
    unmatched = sorted_.unmatched.get(id(alert))
    return Fate(
        name=alert.name,
        fingerprint=alert.fingerprint,
        status=alert.status,
        incidents=incidents,
        playbooks=list(sorted_.playbooks.get(id(alert), ())),
        unmatched=reason_of(unmatched) if unmatched else "",
        suppressed=NO_INCIDENT if id(alert) in sorted_.suppressed else "",
    )
