"""The ledger: what runs ask of the guards that they share, what is answered, and what people tell the guards.

One workflow holds locks, breakers, rates, budgets, pauses and the storm for a whole installation. Meaning:
docs/guards.md; the decisions themselves: `halon.core.ledger`.
"""

from datetime import datetime, timedelta
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from halon.contracts.audit import AuditRecord
from halon.contracts.base import Contract, Duration, digest
from halon.contracts.playbook import Breaker, Budget, Rate
from halon.contracts.policy import PolicyRule
from halon.contracts.routes import MAX_WORKERS, Carrier

LEDGER_WORKFLOW = "Ledger"
LEDGER_ID = "halon-ledger"
"""Workflow id of the one ledger of a namespace."""
ADMIT_UPDATE = "admit"
PAUSE_UPDATE = "pause"
PAUSE_SIGNAL = "pause_now"
RESUME_UPDATE = "resume"
TRIP_UPDATE = "trip"
RESET_UPDATE = "reset"
UNLOCK_UPDATE = "unlock"
RELEASE_SIGNAL = "release"
PERMITS_QUERY = "permits"
LEDGER_QUERY = "ledger"

ADMIT = "halon.guards.admit"
CLEARANCE = "halon.guards.clearance"
RELEASE = "halon.guards.release"
INSPECT = "halon.guards.inspect"

MAX_TARGETS = 1000
"""Targets that one run may reserve at a time."""
MAX_INSPECTED = 100
MAX_REASON = 1000

Short = Annotated[str, StringConstraints(max_length=MAX_REASON)]
Said = Annotated[str, StringConstraints(min_length=1, max_length=MAX_REASON, strip_whitespace=True)]
Person = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]
Name = Annotated[str, StringConstraints(max_length=2000)]


class Holder(Contract):
    """A run as Temporal knows it; what it was granted is watched through these two ids."""

    workflow: str
    run: str


class StormLimit(Contract):
    """More new incidents than this within the window, and the engine is in a storm."""

    incidents: Annotated[int, Field(ge=1, le=1000)]
    within: Duration
    notify: tuple[str, ...] = ()
    """Channels that are told once when a storm begins."""


class AdmissionRequest(Contract):
    """What a run asks of its guards, all at once. Asking again gives the same answer."""

    holder: Holder
    ask: str = ""
    """Who asks: empty for the run's own guards, otherwise the path of the step that asks."""
    incident: str
    playbook: str
    target: Name = ""
    lock: Name = ""
    breaker: Breaker | None = None
    rate: Rate | None = None
    budget: Budget | None = None
    """With the expressions of its `scope` filled in."""
    targets: Annotated[tuple[Name, ...], Field(max_length=MAX_TARGETS)] = ()
    """What the budget is charged with."""
    freeze: Literal["respect", "override"] = "respect"
    recurrence: Short = ""
    """Set when the alert fired again after this playbook had remediated it: a failure for the breaker."""
    holds_for: Duration
    """How long the run can take at the most; a holder that is still there afterwards is looked at."""
    automatic: bool
    """An alert started it, not a person."""
    dry_run: bool = False
    """Say what the answer would be, and reserve nothing."""
    storm: StormLimit | None = None
    workers: Annotated[tuple[Carrier, ...], Field(max_length=MAX_WORKERS)] = ()
    """Those of clusters and accounts that its steps will need. The ledger is not asked about them."""

    @property
    def question(self) -> str:
        """Names the question by what it asks: a step that is tried again may ask for another target."""
        return digest(self.model_dump(mode="json", exclude={"holder", "holds_for", "dry_run", "storm", "workers"}))[:16]


class Fence(Contract):
    """A lock with its number: whoever comes with another one than the ledger's may not write."""

    lock: str
    number: int


class Admission(Contract):
    """The guards' answer: granted with what was reserved, or refused with every reason."""

    granted: bool
    reasons: tuple[str, ...] = ()
    """Why it is refused, one sentence a guard."""
    approvals: tuple[str, ...] = ()
    """Why a person must approve each change although the run is granted."""
    fence: Fence | None = None
    reserved: tuple[str, ...] = ()
    """What was reserved, one sentence a guard."""
    earlier: str = ""
    """What the last run on the same lock came to."""
    rules: tuple[PolicyRule, ...] = ()
    """The installation's policy, which every change of the run is held to."""
    environment: str = ""
    """The installation's name for itself, such as `production`."""

    @property
    def reason(self) -> str:
        """Every reason in one sentence."""
        return "; ".join(self.reasons)


class Release(Contract):
    """A run has ended, and gives back what it was granted."""

    holder: Holder
    incident: str
    playbook: str
    outcome: str
    reason: Short
    changed: bool
    """Something took effect, or may have: otherwise what was reserved of rates and budgets comes back."""
    keep_lock: Short = ""
    """Why the lock must stay until a person has looked: what is still in place."""
    health: Literal["success", "failure", "neutral"]
    """What it is for the breaker."""


class Pause(Contract):
    """The kill switch, for everything, for a playbook, or for what lies under a prefix of targets."""

    by: Person
    reason: Said
    playbook: Name = ""
    target: Name = ""
    at: datetime | None = None

    @property
    def scope(self) -> str:
        """What it stops, in words."""
        parts = [f"playbook {self.playbook}"] if self.playbook else []
        parts += [f"targets under {self.target}"] if self.target else []
        return " on ".join(parts) or "everything"

    def stops(self, playbook: str, targets: tuple[str, ...]) -> bool:
        """Whether a change by this playbook on any of these targets is stopped."""
        named = self.playbook in {"", playbook}
        return named and (not self.target or any(one.startswith(self.target) for one in targets))

    @property
    def sentence(self) -> str:
        """Who stopped what, when and why."""
        since = f" since {self.at:%Y-%m-%d %H:%M:%S} UTC" if self.at else ""
        return f"{self.scope} is paused by {self.by}{since}: {self.reason}"


class Resume(Contract):
    """Take back the pause of exactly this scope, or every one."""

    by: Person
    reason: Short = ""
    playbook: Name = ""
    target: Name = ""
    everything: bool = False


class BreakerCommand(Contract):
    """A person trips or resets a breaker."""

    by: Person
    reason: Said
    key: Annotated[str, StringConstraints(min_length=1, max_length=2000)]
    """The playbook, or `<playbook> on <target>`, as `halon breaker list` shows it."""


class Unlock(Contract):
    """A person gives a lock free."""

    by: Person
    reason: Said
    lock: Annotated[str, StringConstraints(min_length=1, max_length=2000)]


class Answer(Contract):
    """What a command came to, in a sentence."""

    done: bool
    message: str


class LockEntry(Contract):
    """A lock that somebody holds, or that is kept until a person has looked."""

    name: str
    number: int
    holder: Holder
    incident: str
    playbook: str
    since: datetime
    kept: str = ""
    """Why it is kept after the run's end; empty while the run holds it."""


class Ended(Contract):
    """What the last run on a lock came to."""

    incident: str
    playbook: str
    outcome: str
    reason: str
    at: datetime


class Failure(Contract):
    """One failure that a breaker counts."""

    at: datetime
    incident: str
    reason: str


class BreakerEntry(Contract):
    """One circuit breaker."""

    key: str
    failures: tuple[Failure, ...] = ()
    """The latest, oldest first, at most as many as trip it."""
    spec: Breaker | None = None
    """As the playbook last asked for it; None when a person tripped it before any run."""
    state: Literal["closed", "open", "half_open"] = "closed"
    since: datetime | None = None
    until: datetime | None = None
    """When one trial run is let through; None for one that a person tripped: it stays open until reset."""
    reason: str = ""
    trial: str = ""
    """Workflow id of the trial run that is under way."""


class Use(Contract):
    """One entry of a rate or a budget."""

    at: datetime
    holder: str
    target: str = ""


class Uses(Contract):
    """The entries of one rate or budget, oldest first."""

    per: Duration
    """The longest window that anyone counts over."""
    entries: tuple[Use, ...] = ()


class HolderEntry(Contract):
    """A run that has been granted something."""

    holder: Holder
    incident: str
    playbook: str
    target: str
    since: datetime
    until: datetime
    """By then it must have ended."""
    breakers: tuple[str, ...] = ()
    answers: dict[str, Admission] = {}
    """What it was answered, by question."""
    gone_at: datetime | None = None
    """When it was found closed without having given anything back."""


class StormEntry(Contract):
    """A storm that goes on."""

    since: datetime
    incidents: int
    """New incidents since it began, with those that began it."""


class LedgerState(Contract):
    """All that the ledger knows: what it is continued with, and what `halon guards` shows."""

    number: int = 0
    """The last fencing number that was given."""
    locks: dict[str, LockEntry] = {}
    ended: dict[str, Ended] = {}
    breakers: dict[str, BreakerEntry] = {}
    rates: dict[str, Uses] = {}
    budgets: dict[str, Uses] = {}
    holders: dict[str, HolderEntry] = {}
    pauses: tuple[Pause, ...] = ()
    arrivals: tuple[Use, ...] = ()
    """Incidents that began in the last window, each under its id."""
    storm_limit: StormLimit | None = None
    storm: StormEntry | None = None


class Untold(Contract):
    """What a channel is still to be told of a storm."""

    channel: str
    message: str


class LedgerInput(Contract):
    """What the ledger's workflow begins with: what it knew before, and what it has not yet written down."""

    state: LedgerState = LedgerState()
    unwritten: tuple[AuditRecord, ...] = ()
    untold: tuple[Untold, ...] = ()


class Permits(Contract):
    """What a worker must know before it writes: who is paused, and the number of each lock."""

    pauses: tuple[Pause, ...] = ()
    numbers: dict[str, int] = {}
    """By lock. A lock that is not here is nobody's."""


class Permit(Contract):
    """What an apply carries, so that the worker can ask whether it may still write."""

    holder: Holder
    playbook: str
    called: tuple[str, ...] = ()
    """Playbooks within it that the guards have admitted so far: a pause of one of them holds the run as well."""
    target: str = ""
    fences: tuple[Fence, ...] = ()
    freeze: Literal["respect", "override"] = "respect"


class ClearanceRequest(Contract):
    """Wait until nothing stops this any more."""

    permit: Permit
    target: str
    """What the change would touch."""
    poll: Duration = timedelta(seconds=1)


class Inspection(Contract):
    """Runs that the ledger wants to know of: do they still run?"""

    holders: Annotated[tuple[Holder, ...], Field(max_length=MAX_INSPECTED)]
    overdue: tuple[str, ...] = ()
    """Workflow ids of those that should have ended long ago."""


class Closed(Contract):
    """A run that does not run any more, or is overdue with nothing of it that could still write."""

    holder: Holder
    at: datetime | None = None
    """When it closed, by Temporal's clock; None when only that it did is known. A worker's clock may be wrong."""


class InspectionAnswer(Contract):
    """Which of the runs have closed."""

    closed: tuple[Closed, ...] = ()
