"""The circuit breaker: closed, open, half-open. Pure; the ledger keeps the entries.

A closed breaker opens at the `failures`-th failure `within` the window. An open one refuses until its cool-down is over
and then lets one trial through: the trial's success closes it, its failure opens it anew, and a trial that shows
nothing (denied, cancelled, the alert cleared) leaves the place to the next one. One that a person tripped has no
cool-down: it stays open until a person resets it.
"""

from datetime import datetime

from halon.contracts.base import format_duration
from halon.contracts.ledger import BreakerEntry, Failure
from halon.contracts.playbook import Breaker

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
