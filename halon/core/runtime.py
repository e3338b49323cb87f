"""What the interpreter needs of the world. Temporal is one runtime (`workflows/`), a virtual clock the other.

Everything that takes time or touches the outside goes through here, so that the interpreter stays plain asyncio code
that decides and orders. Both runtimes pass one conformance suite (`tests/conformance/`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from halon.contracts.audit import AuditKind
from halon.contracts.base import Json, JsonObject
from halon.contracts.decision import Decision
from halon.contracts.ledger import Admission, AdmissionRequest, Holder, Release
from halon.contracts.people import Electorate, ElectorateRequest
from halon.contracts.plan import ActionCall, Applied, Plan, ReadResult, Settlement
from halon.contracts.steps import Approve

READ_WITHIN = timedelta(minutes=2)
"""Bound on a read or a plan with all its attempts, unless the step says otherwise. The same for every runtime."""
APPLY_WITHIN = timedelta(minutes=5)
"""Bound on an apply with all its attempts unless its plan has another; afterwards its effect is unknown, and undo looks
what is there."""
UNSENT = frozenset({"invalid_input", "misconfigured", "no_worker"})
"""Kinds of failure that happen before an apply sends anything; after any other its effect is unknown."""


class ActionFailed(Exception):  # noqa: N818  # a fact that the interpreter handles, not a defect
    """A read, plan, apply or confirm failed for good: after the runtime's own retries, or because none can help."""

    def __init__(self, reason: str, *, kind: str = "failed", unknown_effect: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.kind = kind
        """Machine word: `failed`, `not_found`, `permission_denied`, `invalid_input`, `misconfigured`, `timeout`,
        `no_worker`."""
        self.unknown_effect = unknown_effect
        """For apply: the call may have taken effect although it failed."""


@dataclass(frozen=True, slots=True)
class Gate:
    """A question to people: may this be done?"""

    step: str
    """Path of the step that asks."""
    approve: Approve
    plans: Sequence[Plan]
    unplanned: Sequence[str]
    """Steps within that could not be planned yet, each with the reason."""
    digest: str
    """What a decision is bound to."""
    asked_at: datetime
    started_by: str
    """Who started the run by hand; may not approve it unless `self_approval`. Empty for an alert."""
    electorate: Electorate
    """Who may decide it, as found at the time of asking."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something to be told: it becomes an audit record and, in Temporal's UI, a line of the story."""

    kind: AuditKind
    message: str
    step: str = ""
    actor: str = "halon"
    data: JsonObject = field(default_factory=dict[str, Json])


class Runtime(Protocol):
    """The world as the interpreter sees it. Any method may be cancelled; only an apply is never abandoned."""

    @property
    def holder(self) -> Holder:
        """Who this run is to the guards."""
        ...

    async def admit(self, request: AdmissionRequest) -> Admission:
        """Ask the guards. What they grant is this run's until `release`.

        Raises:
            ActionFailed: they cannot be asked.
        """
        ...

    async def clearance(self, plan: Plan, step: str, within: timedelta) -> None:
        """Return once nothing is paused that would stop this change.

        Raises:
            ActionFailed: it is still paused when the time is up, with the reason.
        """
        ...

    async def release(self, report: Release) -> None:
        """Give back what the guards granted. Never fails: a ledger that cannot be told finds out by itself."""
        ...

    def now(self) -> datetime:
        """The time, the same on replay."""
        ...

    def patched(self, change: str) -> bool:
        """Whether this run takes a way that came with `change`: no when it has gone the one before already."""
        ...

    async def sleep(self, duration: timedelta, why: str) -> None:
        """Wait durably, with nothing else to do meanwhile; `why` is shown on the timeline."""
        ...

    async def deadline(self, duration: timedelta, why: str) -> None:
        """Wait as `sleep` does, while the run itself is busy with something that this bounds."""
        ...

    async def read(self, call: ActionCall, step: str, within: timedelta | None) -> ReadResult:
        """Run a read action.

        Raises:
            ActionFailed: it failed for good.
        """
        ...

    async def plan(self, call: ActionCall, step: str, undoing: Plan | None) -> Plan:
        """Observe and plan a change, or its undo when `undoing` is the plan to take back.

        Raises:
            ActionFailed: it could not be planned. A refusal is a plan of kind `refused`, not an error.
        """
        ...

    async def apply(self, plan: Plan, step: str, key: str, *, undoing: bool = False) -> Applied:
        """Make the change once, however often it is tried. A freeze never stops one that is `undoing`.

        Raises:
            ActionFailed: it failed; `unknown_effect` says whether it may have taken effect all the same.
        """
        ...

    async def confirm(self, plan: Plan, step: str, within: timedelta) -> Settlement:
        """Look until the change's effect is there. A time-out is a settlement that is `waiting`, with what for.

        Raises:
            ActionFailed: looking itself failed for good.
        """
        ...

    async def electorate(self, request: ElectorateRequest) -> Electorate:
        """Find who may decide a question, as of now.

        Raises:
            ActionFailed: it cannot be found.
        """
        ...

    def foresee(self, step: str, approve: Approve, plans: Sequence[Plan]) -> None:
        """Hear of a question that a dry run does not put. Never fails and never waits."""
        ...

    async def ask(self, gate: Gate) -> None:
        """Show the question to people. Returns once it is shown; decisions come through `decision`."""
        ...

    async def widen(self, gate: Gate) -> None:
        """Put an open question to more people: `gate` is the same question with another electorate."""
        ...

    async def decision(self, gate: Gate) -> Decision:
        """Give the next decision for this gate, in order of arrival, waiting for it without bound."""
        ...

    async def answered(self, gate: Gate) -> None:
        """Take the question down."""
        ...

    async def resolved(self) -> None:
        """Return once the alert has cleared; at once when it has. Never returns for a run without an alert."""
        ...

    def emit(self, event: Event) -> None:
        """Tell what happened. Never fails and never waits; the runtime makes it durable."""
        ...
