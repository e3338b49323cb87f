"""The activities through which workflows write to the store: short and idempotent."""

from collections.abc import Callable
from typing import Any

from opentelemetry import metrics
from temporalio import activity
from temporalio.exceptions import ApplicationError

from halon.contracts.audit import AuditKind, AuditRecord
from halon.contracts.bookkeeping import APPEND, CLAIM, SAVE, AppendRequest, ClaimAnswer, ClaimRequest, SaveRequest
from halon.contracts.past import GroupPast
from halon.core.ids import group_of
from halon.errors import PermanentError
from halon.store.store import Store

_meter = metrics.get_meter("halon.store")
_records = _meter.create_counter("halon.audit.records", description="Audit records written, by kind")
_opened = _meter.create_counter("halon.incidents.opened", description="Incidents opened, by playbook")
_reopened = _meter.create_counter("halon.incidents.reopened", description="Incidents reopened, by playbook")
_closed = _meter.create_counter("halon.incidents.closed", description="Incidents closed, by playbook and outcome")
_finished = _meter.create_counter("halon.runs.finished", description="Runs finished, by playbook and outcome")
_uncounted = _meter.create_counter(
    "halon.decisions.refused", description="Decisions that did not count, by playbook and cause"
)
_ENDS = {AuditKind.INCIDENT_CLOSED: _closed, AuditKind.RUN_FINISHED: _finished}


class Bookkeeping:
    """Writes what workflows decided. A store that is down fails the attempt; the workflow tries until it is back."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def activities(self) -> list[Callable[..., Any]]:
        """What a worker registers."""
        return [self.append, self.claim, self.save]

    @activity.defn(name=APPEND)
    async def append(self, request: AppendRequest) -> None:
        """Append audit records; those that are there already stay as they are."""
        try:
            fresh = await self._store.audit.append(request.records)
        except PermanentError as error:
            raise _final(error) from error
        for record in fresh:
            _count(record)

    @activity.defn(name=CLAIM)
    async def claim(self, request: ClaimRequest) -> ClaimAnswer:
        """Claim episodes for an incident, and tell what is remembered of its group."""
        claim = await self._store.incidents.open(request.incident, request.run, request.episodes)
        group, known = group_of(request.incident), GroupPast()
        if request.resolved:
            await self._store.groups.resolved({group: request.resolved})
        if request.opening and claim.mine:
            known = await self._store.groups.past(group, request.incident)
        states = await self._store.groups.conditions(group, request.conditions) if claim.mine else ()
        return ClaimAnswer(mine=claim.mine, taken=claim.taken, conditions=states, past=known)

    @activity.defn(name=SAVE)
    async def save(self, request: SaveRequest) -> None:
        """Write records, then the incident's row, so that a row never tells of what the chain does not hold."""
        await self.append(AppendRequest(records=request.records))
        await self._store.incidents.upsert(request.row)
        if request.row.state == "closed":
            self._store.closing.set()
        await self._store.groups.remember(request.row.group, request.conditions, request.resolved)
        if request.release:
            await self._store.incidents.release(request.row.group, request.run, request.release)


def _count(record: AuditRecord) -> None:
    """Count what a record tells. Only records that were not there yet are: an attempt that is repeated counts once."""
    _records.add(1, {"kind": record.kind.value})
    playbook = group_of(record.incident).rpartition("-")[0]
    if record.kind is AuditKind.INCIDENT_OPENED:
        _opened.add(1, {"playbook": playbook})
    if record.kind is AuditKind.INCIDENT_REOPENED:
        _reopened.add(1, {"playbook": playbook})
    if record.kind is AuditKind.DECISION_REFUSED:
        _uncounted.add(1, {"playbook": playbook, "cause": str(record.data.get("cause", ""))})
    if record.kind in _ENDS:
        _ENDS[record.kind].add(1, {"playbook": playbook, "outcome": str(record.data.get("outcome", ""))})


def _final(error: PermanentError) -> ApplicationError:
    return ApplicationError(str(error), type="audit_conflict", non_retryable=True)
