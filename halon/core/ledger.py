"""The ledger: who may act, on what, how often. Pure: the workflow of the same name keeps it and hands it the time.

Every question is answered at once for all guards, and a refusal names every guard that refuses. What a run is granted
is kept under the run, so that asking again gives the same answer and everything comes back when the run ends.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from halon.contracts.audit import AuditKind
from halon.contracts.base import JsonObject, format_duration
from halon.contracts.ledger import (
    Admission,
    AdmissionRequest,
    Answer,
    BreakerCommand,
    BreakerEntry,
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
    Uses,
)
from halon.core import breaker
from halon.core.runtime import Event

MAX_HOLDERS = 1000
MAX_USES = 3000
MAX_BREAKERS = 300
MAX_FAILURES = 1500
MAX_PAUSES = 100
MAX_ENDED = 300
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
        self._breakers = dict(state.breakers)
        self._rates = dict(state.rates)
        self._budgets = dict(state.budgets)
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
            breakers=self._breakers,
            rates=self._rates,
            budgets=self._budgets,
            holders=self._holders,
            pauses=tuple(self._pauses),
            arrivals=tuple(self._arrivals),
            storm_limit=self._storm_limit,
            storm=self._storm,
        )

    @property
    def permits(self) -> Permits:
        """What a worker must know before it writes."""
        return Permits(
            pauses=tuple(self._pauses), numbers={name: one.number for name, one in sorted(self._locks.items())}
        )

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
        if known is not None and known.holder == request.holder and request.ask in known.answers:
            return known.answers[request.ask]
        self.tick(now)
        if not request.dry_run:
            self._arrived(request, now)
            self._count_recurrence(request, now)
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
            self._give_back(report.holder.workflow)
        for lock in self._locks_of(report.holder):
            self._ended.pop(lock.name, None)
            self._ended[lock.name] = Ended(
                incident=report.incident,
                playbook=report.playbook,
                outcome=report.outcome,
                reason=report.reason[: breaker.MAX_SHOWN],
                at=now,
            )
            if report.keep_lock:
                self._locks[lock.name] = lock.model_copy(update={"kept": report.keep_lock})
                message = f"The lock {lock.name} is kept until a person has looked: {report.keep_lock}"
                self._tell(AuditKind.LOCK_KEPT, message, {"lock": lock.name, "incident": report.incident})
            else:
                del self._locks[lock.name]
        while len(self._ended) > MAX_ENDED:
            del self._ended[next(iter(self._ended))]
        failure = Failure(at=now, incident=report.incident, reason=f"{report.outcome}: {report.reason}"[:300])
        for key in entry.breakers:
            self._judge(key, report.health, failure, report.holder.workflow, now)

    def inspectable(self, now: datetime) -> tuple[list[Holder], list[str]]:
        """Runs that have held something for a while, and which of them should have ended long ago."""
        held = [one for one in self._holders.values() if one.gone_at is None and now - one.since >= INSPECT_AFTER]
        return [one.holder for one in held], [one.holder.workflow for one in held if now > one.until]

    def closed(self, found: Sequence[Closed]) -> None:
        """Runs were found closed that have given nothing back; what they held comes free when nothing can write."""
        for one in found:
            entry = self._holders.get(one.holder.workflow)
            if entry is not None and entry.holder == one.holder and entry.gone_at is None:
                self._holders[one.holder.workflow] = entry.model_copy(update={"gone_at": one.at})

    def tick(self, now: datetime) -> None:
        """Let time pass: forget what is out of every window, free what a closed run held, end a storm that passed."""
        for entry in [one for one in self._holders.values() if one.gone_at and now >= one.gone_at + SETTLED_AFTER]:
            self._lost(entry, now)
        for table in (self._rates, self._budgets):
            for key, uses in list(table.items()):
                kept = tuple(one for one in uses.entries if one.at > now - uses.per)
                if not kept:
                    del table[key]
                elif len(kept) != len(uses.entries):
                    table[key] = uses.model_copy(update={"entries": kept})
        for key, one in list(self._breakers.items()):
            self._breakers[key] = breaker.current(one, now)
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
        if len(self._pauses) >= MAX_PAUSES:
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
        if given.key not in self._breakers and not self._has_room_for_breaker():
            return Answer(done=False, message=f"there are {MAX_BREAKERS} breakers already: reset some")
        entry = self._breakers.get(given.key, BreakerEntry(key=given.key))
        self._breakers[given.key] = breaker.tripped(entry, now, f"tripped by {given.by}: {given.reason}")
        message = f"The circuit breaker of {given.key} was tripped by {given.by}: {given.reason}"
        self._tell(AuditKind.BREAKER_TRIPPED, message, {"breaker": given.key}, given.by)
        return Answer(done=True, message=f"the circuit breaker of {given.key} is open until a person resets it")

    def reset(self, given: BreakerCommand) -> Answer:
        """Close a breaker by hand."""
        entry = self._breakers.get(given.key)
        if entry is None:
            known = ", ".join(sorted(self._breakers)[:10]) or "none"
            return Answer(done=False, message=f"no circuit breaker of {given.key}; there are: {known}")
        if entry.spec is None:
            del self._breakers[given.key]
        else:
            self._breakers[given.key] = breaker.reset(entry)
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
        checks: tuple[Callable[[AdmissionRequest, datetime], str], ...] = (
            self._lock_refusal,
            self._breaker_refusal,
            self._rate_refusal,
            self._budget_refusal,
            self._room_refusal,
        )
        reasons += [reason for check in checks if (reason := check(request, now))]
        return reasons

    def _lock_refusal(self, request: AdmissionRequest, _: datetime) -> str:
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

    def _breaker_refusal(self, request: AdmissionRequest, _: datetime) -> str:
        own = breaker_key(request) if request.breaker else ""
        for key in dict.fromkeys((own, request.playbook, f"{request.playbook} on {request.target}")):
            entry = self._breakers.get(key)
            by_hand = entry is not None and entry.state == "open" and entry.until is None
            reason = breaker.refusal(entry, request.holder.workflow) if entry and (key == own or by_hand) else ""
            if reason:
                return reason
        return ""

    def _rate_refusal(self, request: AdmissionRequest, now: datetime) -> str:
        rate = request.rate
        if rate is None:
            return ""
        uses = self._rates.get(rate_key(request))
        recent = [one for one in uses.entries if one.at > now - rate.per] if uses else []
        if len(recent) < rate.runs:
            return ""
        free = recent[-rate.runs].at + rate.per
        what = f"of {request.target}" if rate.by == "target" else f"of playbook {request.playbook}"
        return (
            f"the rate {what} is used up: {len(recent)} runs within {format_duration(rate.per)}, at most {rate.runs}; "
            f"the next at {free:%Y-%m-%d %H:%M:%S} UTC"
        )

    def _budget_refusal(self, request: AdmissionRequest, now: datetime) -> str:
        budget = request.budget
        if budget is None:
            return ""
        uses = self._budgets.get(budget.scope)
        used = {one.target for one in uses.entries if one.at > now - budget.per} if uses else set[str]()
        wanted = set(request.targets) - used
        if len(used) + len(wanted) <= budget.max_targets:
            return ""
        left = max(budget.max_targets - len(used), 0)
        return (
            f"the budget {budget.scope} does not cover it: {len(wanted)} more targets wanted, {left} of "
            f"{budget.max_targets} left within {format_duration(budget.per)}"
        )

    def _room_refusal(self, request: AdmissionRequest, _: datetime) -> str:
        uses = sum(len(one.entries) for table in (self._rates, self._budgets) for one in table.values())
        full = (
            (len(self._holders) >= MAX_HOLDERS and request.holder.workflow not in self._holders)
            or uses + len(request.targets) + 1 > MAX_USES
            or (request.breaker and breaker_key(request) not in self._breakers and not self._has_room_for_breaker())
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
        answers = known.answers if known is not None and known.holder == holder else {}
        breakers = known.breakers if known is not None and known.holder == holder else ()
        fence: Fence | None = None
        if request.lock:
            fence = self._locked(request, now)
            reserved.append(f"lock {fence.lock} under number {fence.number}")
        if request.rate:
            rate, key = request.rate, rate_key(request)
            count = self._used(self._rates, key, rate.per, [Use(at=now, holder=holder.workflow)])
            reserved.append(f"run {count} of {rate.runs} within {format_duration(rate.per)}")
        if request.budget:
            budget = request.budget
            uses = [Use(at=now, holder=holder.workflow, target=one) for one in sorted(set(request.targets))]
            count = self._used(self._budgets, budget.scope, budget.per, uses)
            within = format_duration(budget.per)
            reserved.append(f"{count} of {budget.max_targets} targets of budget {budget.scope} within {within}")
        if request.breaker:
            key = breaker_key(request)
            entry = self._breakers.get(key, BreakerEntry(key=key))
            self._breakers[key] = breaker.entered(entry, request.breaker, holder.workflow)
            breakers = (*breakers, key)
            is_trial = self._breakers[key].trial == holder.workflow
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
                since=known.since if known is not None and known.holder == holder else now,
                until=max(now + request.holds_for, known.until if known else now),
                breakers=tuple(dict.fromkeys(breakers)),
                answers={**answers, request.ask: admission},
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

    @staticmethod
    def _used(table: dict[str, Uses], key: str, per: timedelta, fresh: Sequence[Use]) -> int:
        """Enter uses; a target that is there already is counted once, from now on."""
        there = table.get(key, Uses(per=per))
        named = {one.target for one in fresh if one.target}
        entries = (*(one for one in there.entries if one.target not in named), *fresh)
        table[key] = Uses(per=max(per, there.per), entries=entries)
        return len(entries)

    def _give_back(self, workflow: str) -> None:
        for table in (self._rates, self._budgets):
            for key, uses in list(table.items()):
                kept = tuple(one for one in uses.entries if one.holder != workflow)
                if kept:
                    table[key] = uses.model_copy(update={"entries": kept})
                else:
                    del table[key]

    def _locks_of(self, holder: Holder) -> list[LockEntry]:
        return [one for one in self._locks.values() if one.holder == holder]

    def _lost(self, entry: HolderEntry, now: datetime) -> None:
        """A run closed without a word. What it reserved stays counted: nobody knows what it did."""
        del self._holders[entry.holder.workflow]
        names = [one.name for one in self._locks_of(entry.holder) if not one.kept]
        for name in names:
            del self._locks[name]
        what = f"; its lock {', '.join(names)} is free again" if names else ""
        message = f"The run of incident {entry.incident} ended without giving back what it held{what}"
        facts: JsonObject = {"incident": entry.incident, "workflow": entry.holder.workflow, "locks": [*names]}
        self._tell(AuditKind.LOCK_FREED, message, facts)
        failure = Failure(at=now, incident=entry.incident, reason="the run ended without a result")
        for key in entry.breakers:
            self._judge(key, "failure", failure, entry.holder.workflow, now)

    def _count_recurrence(self, request: AdmissionRequest, now: datetime) -> None:
        key = breaker_key(request)
        if not request.recurrence or not request.breaker or not (key in self._breakers or self._has_room_for_breaker()):
            return
        entry = self._breakers.get(key, BreakerEntry(key=key)).model_copy(update={"spec": request.breaker})
        failure = Failure(at=now, incident=request.incident, reason=request.recurrence[:300])
        if all((one.incident, one.reason) != (failure.incident, failure.reason) for one in entry.failures):
            self._breakers[key] = entry
            self._judge(key, "failure", failure, request.holder.workflow, now)

    def _judge(self, key: str, health: str, failure: Failure, workflow: str, now: datetime) -> None:
        entry = self._breakers.get(key)
        if entry is None:
            return
        entry = breaker.current(entry, now)
        if health == "failure":
            after = breaker.failed(entry, failure, workflow)
        elif health == "success":
            after = breaker.succeeded(entry, workflow)
        else:
            after = breaker.showed_nothing(entry, workflow)
        self._breakers[key] = after
        if after.state != entry.state and after.state == "open":
            until = f"{after.until:%Y-%m-%d %H:%M:%S} UTC" if after.until else "it is reset"
            message = f"The circuit breaker of {key} opened until {until}: {after.reason}"
            self._tell(AuditKind.BREAKER_OPENED, message, {"breaker": key, "incident": failure.incident})
        elif after.state != entry.state and after.state == "closed":
            message = f"The circuit breaker of {key} closed: its trial run went well"
            self._tell(AuditKind.BREAKER_CLOSED, message, {"breaker": key, "incident": failure.incident})

    def _has_room_for_breaker(self) -> bool:
        """Make room among breakers that have nothing to say. Whether there is any."""
        for key, entry in list(self._breakers.items()):
            if len(self._breakers) < MAX_BREAKERS:
                break
            if entry.state == "closed" and not entry.failures and not self._is_held(key):
                del self._breakers[key]
        failures = sum(len(one.failures) for one in self._breakers.values())
        return len(self._breakers) < MAX_BREAKERS and failures < MAX_FAILURES

    def _is_held(self, key: str) -> bool:
        return any(key in one.breakers for one in self._holders.values())

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


def breaker_key(request: AdmissionRequest) -> str:
    """Name the breaker of a run: the playbook, or the playbook on its target."""
    by_target = request.breaker is not None and request.breaker.by == "target"
    return f"{request.playbook} on {request.target}" if by_target else request.playbook


def rate_key(request: AdmissionRequest) -> str:
    """Name the rate of a run: by target it is shared by all playbooks."""
    by_target = request.rate is not None and request.rate.by == "target"
    return f"target {request.target}" if by_target else f"playbook {request.playbook}"
