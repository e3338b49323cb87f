"""What happens to the alerts of one request: sort, hand over, record what nobody takes, and say what became of each."""

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from opentelemetry import metrics
from pydantic import BaseModel, Field

from halon.contracts.alert import Alert, AlertStatus
from halon.core.grouping import Unmatched
from halon.errors import TransientError
from halon.gateway.bodies import Contents
from halon.gateway.handover import Handed, Handover
from halon.gateway.parsing import bounded_problems
from halon.gateway.records import NO_INCIDENT, Note, flaw_notes, reason_of, suppressed_note
from halon.gateway.sparing import SparingLog
from halon.gateway.unheeded import End, Unheeded

MAX_LISTED = 100
"""Alerts that an answer tells of one by one; all are counted."""

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
    repeated: bool = Field(default=False, description="Whether it was durable already, so that it is only counted.")


class Receipt(BaseModel):
    """The alerts that are matched are durable."""

    received: int
    matched: int = Field(description="Alerts that an incident has.")
    repeated: int = Field(default=0, description="How many of these it had already, so that they are only counted.")
    suppressed: int = Field(description="Resolved alerts of which no incident is open.")
    unmatched: int
    rejected: int
    truncated: int = Field(default=0, description="Alerts that the sender says it left out.")
    incidents: list[str] = Field(default=[], description="Workflow ids of the incidents, at most a hundred.")
    alerts: list[Fate] = Field(default=[], description="What became of each alert, at most a hundred.")
    errors: list[str] = Field(default=[], description="One line for each alert that was rejected, naming the field.")
    remarks: list[str] = Field(default=[], description="What the body was when it was no alert, such as a test.")


@dataclass(slots=True)
class _Verdict:
    """What became of one alert."""

    taken: list[str]
    """Groups that have it."""
    playbooks: list[str]
    new: bool
    """Whether an incident learned of it only now."""


@dataclass(frozen=True, slots=True)
class Intake:
    """Takes in alerts for one gateway."""

    handover: Handover
    unheeded: Unheeded
    log: SparingLog

    async def take(self, source: str, contents: Contents) -> Receipt:
        """Hand the alerts over and record those that come to no incident.

        The record comes second, so that a store that is down does not keep a remediation from starting; and it is asked
        for only when nothing was handed over, because the sender's next try would count those alerts twice.

        Raises:
            TransientError: Temporal did not accept, or nothing could be made durable at all; the sender tries again.
            PermanentError: Temporal will never accept one of the incidents.
        """
        handed = await self._hand_over(contents)
        verdicts = _verdicts(contents, handed)
        notes = [note for _, note in contents.unmatched]
        ends = list(_ends(contents, handed))
        suppressed = {id(one.alert): one for one in ends if not verdicts[id(one.alert)].taken}
        notes += (suppressed_note(source, one.alert, one.episode) for one in suppressed.values())
        if contents.parsed.rejected or contents.parsed.truncated:
            notes += flaw_notes(source, contents.parsed)
        if notes or ends:
            needed = not any(one.taken for each in handed for one in each)
            await self._record(source, notes, ends, needed=needed)
        for parcel, each in zip(contents.parcels, handed, strict=True):
            self.handover.count(parcel, each)
        receipt = _receipt(contents, verdicts)
        self._tell(source, contents, receipt, verdicts)
        return receipt

    async def _hand_over(self, contents: Contents) -> Sequence[Sequence[Handed]]:
        """Hand over every group, also when one fails: the others must not wait for the sender's next try."""
        if len(contents.parcels) == 1:
            return [await self.handover.hand_over(contents.parcels[0])]
        results = await asyncio.gather(*map(self.handover.hand_over, contents.parcels), return_exceptions=True)
        failures = [result for result in results if isinstance(result, BaseException)]
        if failures:
            # When one may still succeed, the sender has to come back, whatever else went wrong.
            raise min(failures, key=lambda error: not isinstance(error, TransientError))
        return [result for result in results if not isinstance(result, BaseException)]

    async def _record(self, source: str, notes: Sequence[Note], ends: Sequence[End], *, needed: bool) -> None:
        try:
            await self.unheeded.record(notes, ends)
        except TransientError as error:
            if needed:
                raise
            self.log.warning("alerts.unrecorded", source=source, records=len(notes), reason=str(error))

    def _tell(self, source: str, contents: Contents, receipt: Receipt, verdicts: dict[int, _Verdict]) -> None:
        parsed = contents.parsed
        results = Counter((alert.status.value, _result(verdicts.get(id(alert)))) for alert in parsed.alerts)
        for (status, result), times in results.items():
            _alerts.add(times, {"source": source, "status": status, "result": result})
        if parsed.rejected:
            _alerts.add(len(parsed.rejected), {"source": source, "status": "unknown", "result": "rejected"})
            self.log.warning("alerts.rejected", source=source, problems=bounded_problems(parsed.rejected))
        if parsed.truncated:
            _alerts.add(parsed.truncated, {"source": source, "status": "unknown", "result": "truncated"})
            self.log.warning("alerts.truncated", source=source, alerts=parsed.truncated)
        self.log.info(
            "alerts.received",
            source=source,
            alerts=len(parsed.alerts),
            repeated=receipt.repeated,
            unmatched=receipt.unmatched,
            suppressed=receipt.suppressed,
            incidents=receipt.incidents,
            **({"remarks": receipt.remarks} if receipt.remarks else {}),
        )


def _result(verdict: _Verdict | None) -> str:
    if verdict is None:
        return "unmatched"
    return "matched" if verdict.taken else "suppressed"


def _ends(contents: Contents, handed: Sequence[Sequence[Handed]]) -> Iterator[End]:
    """Give what resolved when no incident of its group was open."""
    for parcel, each in zip(contents.parcels, handed, strict=True):
        for alert, episode, one in zip(parcel.group.alerts, parcel.episodes, each, strict=True):
            if not one.taken:
                yield End(parcel.group.id, alert, episode, repeated=one.repeated)


def _verdicts(contents: Contents, handed: Sequence[Sequence[Handed]]) -> dict[int, _Verdict]:
    """Say of each alert that a playbook takes, by identity, what became of it: the same one may stand there twice."""
    verdicts: dict[int, _Verdict] = {}
    for parcel, each in zip(contents.parcels, handed, strict=True):
        group = parcel.group
        for alert, one in zip(group.alerts, each, strict=True):
            verdict = verdicts.setdefault(id(alert), _Verdict([], [], new=False))
            verdict.playbooks.append(group.playbook.metadata.name)
            if one.taken:
                verdict.taken.append(group.id)
                verdict.new = verdict.new or not one.repeated
    return verdicts


def _receipt(contents: Contents, verdicts: dict[int, _Verdict]) -> Receipt:
    parsed = contents.parsed
    unmatched = {id(one.alert): one for one, _ in contents.unmatched}
    given = [verdicts.get(id(alert)) for alert in parsed.alerts]
    incidents = dict.fromkeys(group for verdict in given if verdict for group in verdict.taken)
    return Receipt.model_construct(
        received=len(parsed.alerts) + len(parsed.rejected),
        matched=sum(1 for one in given if one and one.taken),
        repeated=sum(1 for one in given if one and one.taken and not one.new),
        suppressed=sum(1 for one in given if one and not one.taken),
        unmatched=sum(1 for one in given if one is None),
        rejected=len(parsed.rejected),
        truncated=parsed.truncated,
        incidents=list(incidents)[:MAX_LISTED],
        alerts=[
            _fate(alert, verdict, unmatched.get(id(alert)))
            for alert, verdict in zip(parsed.alerts[:MAX_LISTED], given[:MAX_LISTED], strict=True)
        ],
        errors=bounded_problems(parsed.rejected),
        remarks=bounded_problems(parsed.remarks),
    )


def _fate(alert: Alert, verdict: _Verdict | None, unmatched: Unmatched | None) -> Fate:
    return Fate.model_construct(
        name=alert.name,
        fingerprint=alert.fingerprint,
        status=alert.status,
        incidents=verdict.taken if verdict else [],
        playbooks=verdict.playbooks if verdict else [],
        unmatched=reason_of(unmatched) if unmatched else "",
        suppressed=NO_INCIDENT if verdict and not verdict.taken else "",
        repeated=bool(verdict and verdict.taken and not verdict.new),
    )
