"""The circuit breaker: closed, open, half-open. Pure; the ledger keeps the entries.

A closed breaker opens at the `failures`-th failure `within` the window. An open one refuses until its cool-down is over
and then lets one trial through: the trial's success closes it, its failure opens it anew, and a trial that shows
nothing (denied, cancelled, the alert cleared) leaves the place to the next one. One that a person tripped has no
cool-down: it stays open until a person resets it.
"""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

from halon.contracts.audit import AuditKind
from halon.contracts.base import JsonObject, format_duration
from halon.contracts.ledger import AdmissionRequest, BreakerEntry, Failure
from halon.contracts.playbook import Breaker
from halon.core.runtime import Event

MAX_BREAKERS = 300
MAX_FAILURES = 1500
"""Over all breakers."""
IDLE_HALF_OPEN = timedelta(days=1)
"""A half-open breaker that no run has tried for so long may be forgotten when there is no room for another."""
MAX_REASON = 300
MAX_SHOWN = 200


def current(entry: BreakerEntry, now: datetime) -> BreakerEntry:
    """Give the entry as it stands at this moment: old failures forgotten, half-open once the cool-down is over."""
    if entry.state == "open" and entry.until is not None and now >= entry.until:
        return entry.model_copy(update={"state": "half_open", "trial": ""})
    if entry.state == "closed" and entry.spec is not None and entry.failures:
        horizon = now - entry.spec.within
        kept = tuple(one for one in entry.failures if one.at > horizon)
        if len(kept) != len(entry.failures):
            return entry.model_copy(update={"failures": kept})
    return entry


def refusal(entry: BreakerEntry, holder: str) -> str:
    """Why the breaker refuses a run, or empty text. The entry is `current`."""
    if entry.state == "open":
        until = f"until {entry.until:%Y-%m-%d %H:%M:%S} UTC" if entry.until else "until a person resets it"
        return f"the circuit breaker of {entry.key} is open {until}: {entry.reason}"
    if entry.state == "half_open" and entry.trial not in {"", holder}:
        return f"the circuit breaker of {entry.key} is half-open and its one trial is under way: {entry.trial}"
    return ""


def entered(entry: BreakerEntry, spec: Breaker, holder: str) -> BreakerEntry:
    """A run is let through: it is the trial when the breaker is half-open."""
    trial = holder if entry.state == "half_open" else entry.trial
    return entry.model_copy(update={"spec": spec, "trial": trial})


def failed(entry: BreakerEntry, failure: Failure, holder: str) -> BreakerEntry:
    """Count a failure, of the run `holder` or of a remedy that did not last."""
    spec, now = entry.spec, failure.at
    if spec is None:
        return entry
    trial_failed = entry.state == "half_open" and entry.trial == holder
    failures = (*entry.failures, failure)
    entry = entry.model_copy(update={"failures": failures[-spec.failures :]})
    if entry.state == "closed" and len(failures) < spec.failures:
        return entry
    if entry.state == "open" or (entry.state == "half_open" and not trial_failed):
        return entry
    what = "the trial run failed" if trial_failed else f"{len(failures)} failures within {format_duration(spec.within)}"
    reason = f"{what}; last: {failure.incident}: {failure.reason[:MAX_SHOWN]}"
    return _opened(entry, now, reason)


def succeeded(entry: BreakerEntry, holder: str) -> BreakerEntry:
    """A run ended well: that of a trial closes the breaker."""
    return _closed(entry) if entry.state == "half_open" and entry.trial == holder else entry


def showed_nothing(entry: BreakerEntry, holder: str) -> BreakerEntry:
    """A run ended without showing anything: a trial's place is free again."""
    return entry.model_copy(update={"trial": ""}) if entry.trial == holder else entry


def tripped(entry: BreakerEntry, now: datetime, reason: str) -> BreakerEntry:
    """A person opens the breaker."""
    return entry.model_copy(update={"state": "open", "since": now, "until": None, "reason": reason, "trial": ""})


def reset(entry: BreakerEntry) -> BreakerEntry:
    """A person closes the breaker, and its failures are forgotten."""
    return _closed(entry)


def _opened(entry: BreakerEntry, now: datetime, reason: str) -> BreakerEntry:
    until = now + entry.spec.cooldown if entry.spec else None
    return entry.model_copy(update={"state": "open", "since": now, "until": until, "reason": reason, "trial": ""})


def _closed(entry: BreakerEntry) -> BreakerEntry:
    cleared = {"state": "closed", "failures": (), "since": None, "until": None, "reason": "", "trial": ""}
    return entry.model_copy(update=cleared)


class Breakers:
    """All breakers, by key: the playbook, or the playbook on a target."""

    def __init__(self, table: Mapping[str, BreakerEntry]) -> None:
        self.table = dict(table)

    def refresh(self, now: datetime) -> None:
        """Let time pass for all of them."""
        for key, one in list(self.table.items()):
            self.table[key] = current(one, now)

    def refusal(self, request: AdmissionRequest) -> str:
        """Why a run is refused: by its own breaker, or by one that a person tripped for its playbook or target."""
        own = breaker_key(request) if request.breaker else ""
        for key in dict.fromkeys((own, request.playbook, f"{request.playbook} on {request.target}")):
            entry = self.table.get(key)
            by_hand = entry is not None and entry.state == "open" and entry.until is None
            reason = refusal(entry, request.holder.workflow) if entry and (key == own or by_hand) else ""
            if reason:
                return reason
        return ""

    def enter(self, request: AdmissionRequest, spec: Breaker) -> tuple[str, bool]:
        """Let a run through. Gives the breaker's key, and whether the run is its trial."""
        key = breaker_key(request)
        entry = self.table.get(key, BreakerEntry(key=key))
        self.table[key] = entered(entry, spec, request.holder.workflow)
        return key, self.table[key].trial == request.holder.workflow

    def recurred(self, request: AdmissionRequest, now: datetime, held: Collection[str]) -> list[Event]:
        """Count, once, that the alert fired again after this playbook had remediated it."""
        key = breaker_key(request)
        if not request.recurrence or not request.breaker or not (key in self.table or self.has_room(held, now)):
            return []
        entry = self.table.get(key, BreakerEntry(key=key))
        failure = Failure(at=now, incident=request.incident, reason=request.recurrence[:MAX_REASON])
        if any((one.incident, one.reason) == (failure.incident, failure.reason) for one in entry.failures):
            return []
        self.table[key] = entry.model_copy(update={"spec": request.breaker})
        return self.judge(key, "failure", failure, request.holder.workflow)

    def judge(self, key: str, health: str, failure: Failure, holder: str) -> list[Event]:
        """Take in how a run ended. `failure` says so in case it is one. Tells when the breaker opens or closes."""
        if key not in self.table:
            return []
        before = current(self.table[key], failure.at)
        if health == "failure":
            after = failed(before, failure, holder)
        else:
            after = succeeded(before, holder) if health == "success" else showed_nothing(before, holder)
        self.table[key] = after = self._bounded(after, failure)
        if after.state in {before.state, "half_open"}:
            return []
        facts: JsonObject = {"breaker": key, "incident": failure.incident}
        if after.state == "open":
            until = f"{after.until:%Y-%m-%d %H:%M:%S} UTC" if after.until else "it is reset"
            message = f"The circuit breaker of {key} opened until {until}: {after.reason}"
            return [Event(AuditKind.BREAKER_OPENED, message, data=facts)]
        message = f"The circuit breaker of {key} closed: its trial run went well"
        return [Event(AuditKind.BREAKER_CLOSED, message, data=facts)]

    def _bounded(self, entry: BreakerEntry, failure: Failure) -> BreakerEntry:
        """Keep to the bound over all breakers. One that is not closed counts nothing, so its older failures can go.

        When that is not enough, this breaker opens before its time: what it could not count it must not let through.
        """
        others = sum(len(one.failures) for key, one in self.table.items() if key != entry.key)
        if not entry.failures or others + len(entry.failures) <= MAX_FAILURES:
            return entry
        for key, one in list(self.table.items()):
            if one.state != "closed" and len(one.failures) > 1:
                self.table[key] = one.model_copy(update={"failures": one.failures[-1:]})
        others = sum(len(one.failures) for key, one in self.table.items() if key != entry.key)
        if others + len(entry.failures) <= MAX_FAILURES:
            return entry
        latest = entry.model_copy(update={"failures": entry.failures[-1:]})
        if entry.state != "closed":
            return latest
        return _opened(latest, failure.at, f"{MAX_FAILURES} failures are counted already, of all breakers together")

    def trip(self, key: str, now: datetime, reason: str, held: Collection[str] = ()) -> bool:
        """A person opens a breaker, also one that no run has asked for yet. False when there is no room for it."""
        if key not in self.table and not self.has_room(held, now):
            return False
        self.table[key] = tripped(self.table.get(key, BreakerEntry(key=key)), now, reason)
        return True

    def reset(self, key: str) -> bool:
        """A person closes a breaker. False when there is none."""
        entry = self.table.pop(key, None)
        if entry is not None and entry.spec is not None:
            self.table[key] = reset(entry)
        return entry is not None

    def has_room(self, held: Collection[str], now: datetime) -> bool:
        """Make room among breakers that have nothing to say and that no run goes through. Whether there is any."""
        for key, entry in list(self.table.items()):
            if len(self.table) < MAX_BREAKERS:
                break
            if _forgettable(entry, now) and key not in held:
                del self.table[key]
        failures = sum(len(one.failures) for one in self.table.values())
        return len(self.table) < MAX_BREAKERS and failures < MAX_FAILURES


def _forgettable(entry: BreakerEntry, now: datetime) -> bool:
    """Whether a breaker says nothing: closed without failures, or half-open for a day with no run that would try.

    A target such as a pod is gone after a while, and with it every run that could be its breaker's trial.
    """
    if entry.state == "half_open":
        return not entry.trial and entry.until is not None and now >= entry.until + IDLE_HALF_OPEN
    return entry.state == "closed" and not entry.failures


def breaker_key(request: AdmissionRequest) -> str:
    """Name the breaker of a run: the playbook, or the playbook on its target."""
    by_target = request.breaker is not None and request.breaker.by == "target"
    return f"{request.playbook} on {request.target}" if by_target else request.playbook
