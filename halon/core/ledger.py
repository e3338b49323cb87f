"""The ledger: who may act, on what, how often. Pure: the workflow of the same name keeps it and hands it the time.

Every question is answered at once for all guards, and a refusal names every guard that refuses. What a run is granted
is kept under the run, so that asking again gives the same answer and everything comes back when the run ends.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from halon.contracts.audit import AuditKind
from halon.contracts.base import JsonObject, format_duration
from halon.contracts.ledger import (
    Admission,
    AdmissionRequest,
    Answer,
    BreakerCommand,
    Closed,
    Ended,
    Failure,
    Fence,
    Holder,
    HolderEntry,
    LedgerState,
    LockEntry,
    Pause,
    Permits,
    Release,
    Resume,
    StormEntry,
    Unlock,
    Use,
)
from halon.core.breaker import MAX_BREAKERS, MAX_SHOWN, Breakers, breaker_key
from halon.core.runtime import Event
from halon.core.uses import UseTable, budget_refusal, rate_name, rate_refusal

MAX_HOLDERS = 1000
MAX_USES = 3000
MAX_PAUSES = 100
MAX_ENDED = 300
MAX_ANSWERS = 5
"""Answers that are kept for a run, the latest: a worker that dies before it has one down asks for it again."""
"""Bounds that keep the whole ledger well below the 2 MB that Temporal takes in a payload."""
SETTLED_AFTER = timedelta(seconds=75)
"""An attempt of an activity is bounded to a minute: so long after its run has closed, nothing of it can still write."""
INSPECT_AFTER = timedelta(seconds=15)
"""A run that holds something for longer is looked at now and then."""


class Ledger:
    """The guards' common account."""

    def __init__(self, state: LedgerState | None = None) -> None:
        state = state or LedgerState()
        self._number = state.number
        self._locks = dict(state.locks)
        self._ended = dict(state.ended)
        self._breakers = Breakers(state.breakers)
        self._rates = UseTable(state.rates)
        self._budgets = UseTable(state.budgets)
        self._holders = dict(state.holders)
        self._pauses = list(state.pauses)
        self._arrivals = list(state.arrivals)
        self._storm_limit = state.storm_limit
        self._storm = state.storm
        self._events: list[Event] = []

    @property
    def state(self) -> LedgerState:
        """All of it, to be continued with."""
        return LedgerState(
            number=self._number,
            locks=self._locks,
            ended=self._ended,
            breakers=self._breakers.table,
            rates=self._rates.table,
            budgets=self._budgets.table,
            holders=self._holders,
            pauses=tuple(self._pauses),
            arrivals=tuple(self._arrivals),
            storm_limit=self._storm_limit,
            storm=self._storm,
        )

    @property
    def permits(self) -> Permits:
        """What a worker must know before it writes. The lock of a run that is being given up is nobody's already."""
        given_up = [one.holder for one in self._holders.values() if one.gone_at is not None]
        numbers = {name: one.number for name, one in sorted(self._locks.items()) if one.holder not in given_up}
        return Permits(pauses=tuple(self._pauses), numbers=numbers)

    @property
    def channels(self) -> tuple[str, ...]:
        """Whom a storm is told."""
        return self._storm_limit.notify if self._storm_limit else ()

    @property
    def needs_looking_after(self) -> bool:
        """Whether time alone may change something that others wait for."""
        return bool(self._holders) or self._storm is not None

    def drain(self) -> list[Event]:
        """What happened that nobody has been told yet."""
        events, self._events = self._events, []
        return events

    # -- runs -------------------------------------------------------------------------------------------------------

    def admit(self, request: AdmissionRequest, now: datetime) -> Admission:
        """Answer for all guards of a run, and reserve what they grant."""
        known = self._holders.get(request.holder.workflow)
        if known is not None and known.holder == request.holder and request.question in known.answers:
            return known.answers[request.question]
        self.tick(now)
        if not request.dry_run:
            self._arrived(request, now)
            self._events += self._breakers.recurred(request, now, self._entered)
        reasons = self._refusals(request, now)
        approvals = self._approvals(request)
        if reasons or request.dry_run:
            return Admission(granted=not reasons, reasons=tuple(reasons), approvals=approvals)
        return self._grant(request, now, approvals)

    def release(self, report: Release, now: datetime) -> None:
        """A run has ended: free what it held, and let its breakers know how it went."""
        self.tick(now)
        entry = self._holders.get(report.holder.workflow)
        if entry is None or entry.holder != report.holder:
            return
        del self._holders[report.holder.workflow]
        if not report.changed:
            self._rates.give_back(report.holder.workflow)
            self._budgets.give_back(report.holder.workflow)
        for lock in self._locks_of(report.holder):
            self._ends(lock, report.outcome, report.reason[:MAX_SHOWN], now)
            if report.keep_lock:
                self._locks[lock.name] = lock.model_copy(update={"kept": report.keep_lock})
                message = f"The lock {lock.name} is kept until a person has looked: {report.keep_lock}"
                self._tell(AuditKind.LOCK_KEPT, message, {"lock": lock.name, "incident": report.incident})
            else:
                del self._locks[lock.name]
        failure = Failure(at=now, incident=report.incident, reason=f"{report.outcome}: {report.reason}"[:300])
        for key in entry.breakers:
            self._events += self._breakers.judge(key, report.health, failure, report.holder.workflow)

    def inspectable(self, now: datetime) -> tuple[list[Holder], list[str]]:
        """Runs that have held something for a while, and which of them should have ended long ago."""
        held = [one for one in self._holders.values() if one.gone_at is None and now - one.since >= INSPECT_AFTER]
        return [one.holder for one in held], [one.holder.workflow for one in held if now > one.until]

    def closed(self, found: Sequence[Closed], now: datetime) -> None:
        """Runs were found closed that have given nothing back; what they held comes free when nothing can write."""
        for one in found:
            entry = self._holders.get(one.holder.workflow)
            if entry is not None and entry.holder == one.holder and entry.gone_at is None:
                self._holders[one.holder.workflow] = entry.model_copy(update={"gone_at": one.at or now})

    def tick(self, now: datetime) -> None:
        """Let time pass: forget what is out of every window, free what a closed run held, end a storm that passed."""
        for entry in [one for one in self._holders.values() if one.gone_at and now >= one.gone_at + SETTLED_AFTER]:
            self._lost(entry, now)
        self._rates.forget(now)
        self._budgets.forget(now)
        self._breakers.refresh(now)
        limit = self._storm_limit
        if limit is not None:
            self._arrivals = [one for one in self._arrivals if one.at > now - limit.within]
            if self._storm is not None and len(self._arrivals) <= limit.incidents // 2:
                count = self._storm.incidents
                self._storm = None
                self._tell(AuditKind.STORM_ENDED, f"The storm has passed: {count} incidents", {"incidents": count})

    # -- people -----------------------------------------------------------------------------------------------------

    def pause(self, given: Pause, now: datetime) -> Answer:
        """Stop changes. A pause of the same scope is replaced."""
        self._pauses = [one for one in self._pauses if (one.playbook, one.target) != (given.playbook, given.target)]
        if len(self._pauses) >= MAX_PAUSES and (given.playbook or given.target):
            return Answer(
                done=False, message=f"there are {MAX_PAUSES} pauses already: resume some, or pause everything"
            )
        pause = given.model_copy(update={"at": now})
        self._pauses.append(pause)
        facts: JsonObject = {"playbook": given.playbook, "target": given.target, "reason": given.reason}
        self._tell(AuditKind.PAUSED, pause.sentence[:1].upper() + pause.sentence[1:], facts, given.by)
        return Answer(done=True, message=pause.sentence)

    def resume(self, given: Resume) -> Answer:
        """Take pauses back."""
        same = (given.playbook, given.target)
        ended = [one for one in self._pauses if given.everything or (one.playbook, one.target) == same]
        if not ended:
            there = "; ".join(one.sentence for one in self._pauses[:5]) or "nothing is paused"
            scope = Pause(by=given.by, reason="-", playbook=given.playbook, target=given.target).scope
            return Answer(done=False, message=f"no pause of {scope}: {there}")
        self._pauses = [one for one in self._pauses if one not in ended]
        said = "; ".join(one.scope for one in ended)
        facts: JsonObject = {"scopes": [one.scope for one in ended], "reason": given.reason}
        self._tell(AuditKind.RESUMED, f"Resumed by {given.by}: {said}", facts, given.by)
        return Answer(done=True, message=f"resumed: {said}")

    def trip(self, given: BreakerCommand, now: datetime) -> Answer:
        """Open a breaker by hand, also one that no run has asked for yet."""
        if not self._breakers.trip(given.key, now, f"tripped by {given.by}: {given.reason}", self._entered):
            return Answer(done=False, message=f"there are {MAX_BREAKERS} breakers already: reset some")
        message = f"The circuit breaker of {given.key} was tripped by {given.by}: {given.reason}"
        self._tell(AuditKind.BREAKER_TRIPPED, message, {"breaker": given.key}, given.by)
        return Answer(done=True, message=f"the circuit breaker of {given.key} is open until a person resets it")

    def reset(self, given: BreakerCommand) -> Answer:
        """Close a breaker by hand."""
        if not self._breakers.reset(given.key):
            known = ", ".join(sorted(self._breakers.table)[:10]) or "none"
            return Answer(done=False, message=f"no circuit breaker of {given.key}; there are: {known}")
        message = f"The circuit breaker of {given.key} was reset by {given.by}: {given.reason}"
        self._tell(AuditKind.BREAKER_RESET, message, {"breaker": given.key}, given.by)
        return Answer(done=True, message=f"the circuit breaker of {given.key} is closed")

    def unlock(self, given: Unlock) -> Answer:
        """Free a lock by hand. A run that still holds it can write no more."""
        entry = self._locks.pop(given.lock, None)
        if entry is None:
            known = ", ".join(sorted(self._locks)[:10]) or "none"
            return Answer(done=False, message=f"no lock {given.lock} is held; there are: {known}")
        message = f"The lock {given.lock}, held for incident {entry.incident}, was freed by {given.by}: {given.reason}"
        self._tell(AuditKind.LOCK_FREED, message, {"lock": given.lock, "incident": entry.incident}, given.by)
        held = f"; the run of incident {entry.incident} refuses its next change" if not entry.kept else ""
        return Answer(done=True, message=f"{given.lock} is free{held}")

    # -- the guards -------------------------------------------------------------------------------------------------

    def _refusals(self, request: AdmissionRequest, now: datetime) -> list[str]:
        targets = tuple(one for one in (request.target, *request.targets) if one)
        reasons = [one.sentence for one in self._pauses if one.stops(request.playbook, targets)]
        reasons += [
            self._earlier_execution(request),
            self._lock_refusal(request),
            self._breakers.refusal(request),
            rate_refusal(self._rates, request, now),
            budget_refusal(self._budgets, request, now),
            self._room_refusal(request, now),
        ]
        return [one for one in reasons if one]

    def _earlier_execution(self, request: AdmissionRequest) -> str:
        """A run that was reset in Temporal is another execution: what the first one held must come free before."""
        known = self._holders.get(request.holder.workflow)
        if known is None or known.holder == request.holder:
            return ""
        return f"an earlier execution of {request.holder.workflow} still holds what it was granted: wait two minutes"

    def _lock_refusal(self, request: AdmissionRequest) -> str:
        entry = self._locks.get(request.lock)
        if entry is None or entry.holder == request.holder:
            return ""
        since = f"{entry.since:%Y-%m-%d %H:%M:%S} UTC"
        if entry.kept:
            return (
                f"the lock {entry.name} is kept since incident {entry.incident} ({since}) until a person has looked: "
                f"{entry.kept}; then `halon unlock`"
            )
        return f"the lock {entry.name} is held by {entry.playbook} for incident {entry.incident} since {since}"

    @property
    def _entered(self) -> frozenset[str]:
        """Breakers that a run goes through now."""
        return frozenset(key for one in self._holders.values() for key in one.breakers)

    def _room_refusal(self, request: AdmissionRequest, now: datetime) -> str:
        full = (
            (len(self._holders) >= MAX_HOLDERS and request.holder.workflow not in self._holders)
            or self._rates.size + self._budgets.size + len(request.targets) + 1 > MAX_USES
            or (
                request.breaker
                and breaker_key(request) not in self._breakers.table
                and not self._breakers.has_room(self._entered, now)
            )
        )
        return "the ledger of guards is full: too many runs, targets or breakers at a time" if full else ""

    def _approvals(self, request: AdmissionRequest) -> tuple[str, ...]:
        if self._storm is None or not request.automatic:
            return ()
        since = f"{self._storm.since:%H:%M:%S} UTC"
        return (f"there is a storm of incidents since {since}: a person decides until it has passed",)

    def _grant(self, request: AdmissionRequest, now: datetime, approvals: tuple[str, ...]) -> Admission:
        holder, reserved = request.holder, list[str]()
        known = self._holders.get(holder.workflow)
        answers = known.answers if known is not None else {}
        breakers = known.breakers if known is not None else ()
        fence: Fence | None = None
        if request.lock:
            fence = self._locked(request, now)
            reserved.append(f"lock {fence.lock} under number {fence.number}")
        if request.rate:
            rate = request.rate
            count = self._rates.add(rate_name(request), rate.per, [Use(at=now, holder=holder.workflow)])
            reserved.append(f"run {count} of {rate.runs} within {format_duration(rate.per)}")
        if request.budget:
            budget = request.budget
            uses = [Use(at=now, holder=holder.workflow, target=one) for one in sorted(set(request.targets))]
            count = self._budgets.add(budget.scope, budget.per, uses)
            within = format_duration(budget.per)
            reserved.append(f"{count} of {budget.max_targets} targets of budget {budget.scope} within {within}")
        if request.breaker:
            key, is_trial = self._breakers.enter(request, request.breaker)
            breakers = (*breakers, key)
            what = f"the one trial of the half-open circuit breaker of {key}" if is_trial else "circuit breaker closed"
            reserved.append(what)
        admission = Admission(
            granted=True,
            approvals=approvals,
            fence=fence,
            reserved=tuple(reserved),
            earlier=self._earlier(request.lock, now),
        )
        if reserved or known is not None:
            self._holders[holder.workflow] = HolderEntry(
                holder=holder,
                incident=request.incident,
                playbook=request.playbook,
                target=request.target,
                since=known.since if known is not None else now,
                until=max(now + request.holds_for, known.until if known else now),
                breakers=tuple(dict.fromkeys(breakers)),
                answers=dict([*answers.items(), (request.question, admission)][-MAX_ANSWERS:]),
            )
        return admission

    def _locked(self, request: AdmissionRequest, now: datetime) -> Fence:
        held = self._locks.get(request.lock)
        if held is None:
            self._number += 1
            held = LockEntry(
                name=request.lock,
                number=self._number,
                holder=request.holder,
                incident=request.incident,
                playbook=request.playbook,
                since=now,
            )
            self._locks[request.lock] = held
        return Fence(lock=held.name, number=held.number)

    def _earlier(self, lock: str, now: datetime) -> str:
        ended = self._ended.get(lock)
        if ended is None:
            return ""
        ago = format_duration(timedelta(seconds=int((now - ended.at).total_seconds())))
        return f"{ended.playbook} ended here {ago} ago as {ended.outcome} (incident {ended.incident}): {ended.reason}"

    def _ends(self, lock: LockEntry, outcome: str, reason: str, now: datetime) -> None:
        """Keep for the next one on a lock what the last one came to."""
        self._ended.pop(lock.name, None)
        ended = Ended(incident=lock.incident, playbook=lock.playbook, outcome=outcome, reason=reason, at=now)
        self._ended[lock.name] = ended
        while len(self._ended) > MAX_ENDED:
            del self._ended[next(iter(self._ended))]

    def _locks_of(self, holder: Holder) -> list[LockEntry]:
        return [one for one in self._locks.values() if one.holder == holder]

    def _lost(self, entry: HolderEntry, now: datetime) -> None:
        """A run closed without a word. What it reserved stays counted: nobody knows what it did."""
        del self._holders[entry.holder.workflow]
        locks = [one for one in self._locks_of(entry.holder) if not one.kept]
        for lock in locks:
            del self._locks[lock.name]
            self._ends(lock, "failed", "it ended without a result, and may have left something in place", now)
        names = [one.name for one in locks]
        what = f"; its lock {', '.join(names)} is free again" if names else ""
        message = f"The run of incident {entry.incident} ended without giving back what it held{what}"
        facts: JsonObject = {"incident": entry.incident, "workflow": entry.holder.workflow, "locks": [*names]}
        self._tell(AuditKind.LOCK_FREED, message, facts)
        failure = Failure(at=now, incident=entry.incident, reason="the run ended without a result")
        for key in entry.breakers:
            self._events += self._breakers.judge(key, "failure", failure, entry.holder.workflow)

    def _arrived(self, request: AdmissionRequest, now: datetime) -> None:
        limit = request.storm
        if limit is None or not request.automatic or request.ask:
            return
        self._storm_limit = limit
        if any(one.holder == request.incident for one in self._arrivals):
            return
        self._arrivals = [one for one in self._arrivals if one.at > now - limit.within][-limit.incidents :]
        self._arrivals.append(Use(at=now, holder=request.incident))
        if self._storm is not None:
            self._storm = self._storm.model_copy(update={"incidents": self._storm.incidents + 1})
        elif len(self._arrivals) > limit.incidents:
            self._storm = StormEntry(since=now, incidents=len(self._arrivals))
            message = (
                f"A storm: more than {limit.incidents} new incidents within {format_duration(limit.within)}; "
                "automatic changes need a person's approval until it has passed"
            )
            self._tell(AuditKind.STORM_BEGAN, message, {"incidents": len(self._arrivals)})

    def _tell(self, kind: AuditKind, message: str, data: JsonObject, actor: str = "halon") -> None:
        self._events.append(Event(kind, message, actor=actor, data=data))
