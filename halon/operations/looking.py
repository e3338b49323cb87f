"""The runtime of simulations: it looks and plans against the live systems, and has no way to write.

It applies and confirms nothing, runs no notice, asks the guards on a copy of their state, and keeps evidence nowhere.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from temporalio.exceptions import ApplicationError

from halon.clients.calendars import Freezes
from halon.contracts.activity import PlanRequest, ReadRequest
from halon.contracts.decision import Decision
from halon.contracts.ledger import Admission, AdmissionRequest, Holder, LedgerState, Release, StormLimit
from halon.contracts.people import Electorate, ElectorateRequest
from halon.contracts.plan import ActionCall, Applied, Effect, Plan, ReadResult, Settlement
from halon.contracts.run import RunSpec
from halon.contracts.steps import Approve
from halon.core.held import held_to
from halon.core.ledger import Ledger
from halon.core.runtime import READ_WITHIN, ActionFailed, Event, Gate
from halon.errors import NotFound
from halon.kit.driver import MAX_CALL, translated
from halon.kit.lifecycle import Lifecycle
from halon.settings import Settings

INCIDENT = "simulation"
MAX_LOOKS = 2000
"""Reads and plans of one simulation."""
MAX_TRIES = 3
"""Attempts at one of them, while trying again may help."""
_LONGEST_PAUSE = timedelta(seconds=10)
_WRITES_NOTHING = "a simulation writes nothing"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Planned:
    """A change that a step would make."""

    step: str
    plan: Plan


@dataclass(frozen=True, slots=True)
class Question:
    """A question that a run would put to people."""

    step: str
    approve: Approve
    plans: tuple[str, ...]
    """Summaries of what it is about; empty for a gate that stands before other steps."""
    who: Electorate | None = None
    """Who may decide it now; None when that cannot be found."""
    problem: str = ""
    """Why it cannot be found."""


class UnkeptEvidence:
    """Says what evidence would be kept, and keeps nothing."""

    def __init__(self) -> None:
        self._seen: dict[str, _Piece] = {}

    async def put(self, data: bytes, media_type: str, name: str) -> "_Piece":  # noqa: ARG002  # the protocol's
        """Name what would be kept."""
        piece = _Piece(hashlib.sha256(data).hexdigest(), len(data), data)
        self._seen[piece.digest] = piece
        return piece

    async def get(self, digest: str) -> bytes:
        """Give what was named before.

        Raises:
            NotFound: it was not.
        """
        return (await self.about(digest)).data

    async def about(self, digest: str) -> "_Piece":
        """Say what was named before.

        Raises:
            NotFound: it was not.
        """
        if digest not in self._seen:
            raise NotFound(f"there is no evidence {digest}: a simulation keeps none")
        return self._seen[digest]


@dataclass(frozen=True, slots=True)
class _Piece:
    digest: str
    size: int
    data: bytes


class GuardsCopy:
    """Answers for the guards from a copy of their state."""

    def __init__(self, settings: Settings, state: LedgerState) -> None:
        given = settings.storm
        self._settings = settings
        self._ledger = Ledger(state)
        self._storm = StormLimit(incidents=given.incidents, within=given.within)
        self._freezes = Freezes(settings.freeze, readable=False)

    def admit(self, request: AdmissionRequest, now: datetime) -> Admission:
        """Say what the answer would be now."""
        frozen = [one.sentence for one in self._freezes.active(now, target=request.target, playbook=request.playbook)]
        answer = self._ledger.admit(request.model_copy(update={"storm": self._storm, "dry_run": True}), now)
        return held_to(answer, request, frozen, self._settings.policy, self._settings.environment)


@dataclass(slots=True)
class Looking:
    """`halon.core.runtime.Runtime` that looks and plans, and cannot write."""

    spec: RunSpec
    lifecycle: Lifecycle
    guards: GuardsCopy
    admission: Admission | None = None
    plans: list[Planned] = field(default_factory=list[Planned])
    questions: list[Question] = field(default_factory=list[Question])
    stale: list[str] = field(default_factory=list[str])
    told: list[Event] = field(default_factory=list[Event])
    _looks: int = 0

    @property
    def holder(self) -> Holder:
        """Nobody whom a ledger knows."""
        return Holder(workflow=INCIDENT, run=INCIDENT)

    async def admit(self, request: AdmissionRequest) -> Admission:
        """Ask the copy of the guards' state."""
        answer = self.guards.admit(request, self.now())
        if not request.ask:
            self.admission = answer
        return answer

    async def clearance(self, plan: Plan, step: str, within: timedelta) -> None:  # noqa: ARG002  # the protocol's
        """Nothing is ever held, because nothing is written."""
        raise ActionFailed(_WRITES_NOTHING, kind="refused")

    async def release(self, report: Release) -> None:
        """Nothing was granted."""

    def now(self) -> datetime:
        """The wall's clock."""
        return datetime.now(UTC)

    def patched(self, change: str) -> bool:  # noqa: ARG002  # no run here has begun before
        """Always the new way."""
        return True

    async def sleep(self, duration: timedelta, why: str) -> None:
        """A simulation does not wait between two looks."""

    async def deadline(self, duration: timedelta, why: str) -> None:  # noqa: ARG002  # nothing shows it here
        """Wait by the wall's clock: this is what bounds the simulation."""
        await asyncio.sleep(duration.total_seconds())

    async def read(self, call: ActionCall, step: str, within: timedelta | None) -> ReadResult:
        """Look at the live system."""
        if self.spec.effects.get(call.action) is not Effect.READ:
            raise ActionFailed(f"{_WRITES_NOTHING}, and {call.action} does not only read", kind="refused")
        request = ReadRequest(call=call, incident=self.spec.incident, step=step)
        found = await self._look(lambda: self.lifecycle.read(request), call.action, within or READ_WITHIN)
        if any(one.plan.kind == "change" for one in self.plans):
            self.stale.append(step)
        return found

    async def plan(self, call: ActionCall, step: str, undoing: Plan | None) -> Plan:
        """Plan against the live system."""
        request = PlanRequest(call=call, incident=self.spec.incident, step=step, now=self.now(), undoing=undoing)
        plan = await self._look(lambda: self.lifecycle.plan(request), call.action, READ_WITHIN)
        self.plans.append(Planned(step, plan))
        return plan

    async def apply(self, plan: Plan, step: str, key: str, *, undoing: bool = False) -> Applied:  # noqa: ARG002  # refuses
        """Refuse: there is no way from here to a write."""
        raise ActionFailed(_WRITES_NOTHING, kind="refused")

    async def confirm(self, plan: Plan, step: str, within: timedelta) -> Settlement:  # noqa: ARG002  # refuses
        """Refuse: there is nothing to confirm."""
        raise ActionFailed(_WRITES_NOTHING, kind="refused")

    async def electorate(self, request: ElectorateRequest) -> Electorate:  # noqa: ARG002  # refuses
        """Refuse: a dry run puts no question."""
        raise ActionFailed("a simulation asks nobody", kind="refused")

    def foresee(self, step: str, approve: Approve, plans: Sequence[Plan]) -> None:
        """Keep the question."""
        self.questions.append(Question(step, approve, tuple(plan.summary for plan in plans)))

    async def ask(self, gate: Gate) -> None:  # noqa: ARG002  # refuses
        """Refuse: a dry run puts no question."""
        raise ActionFailed("a simulation asks nobody", kind="refused")

    async def widen(self, gate: Gate) -> None:
        """Nothing was asked."""

    async def decision(self, gate: Gate) -> Decision:  # noqa: ARG002  # refuses
        """Refuse: nothing was asked."""
        raise ActionFailed("a simulation asks nobody", kind="refused")

    async def answered(self, gate: Gate) -> None:
        """Nothing was asked."""

    async def resolved(self) -> None:
        """The alert is taken to go on."""
        await asyncio.get_running_loop().create_future()

    def emit(self, event: Event) -> None:
        """Keep the event."""
        self.told.append(event)

    async def _look(self, call: Callable[[], Awaitable[T]], action: str, within: timedelta) -> T:
        self._looks += 1
        if self._looks > MAX_LOOKS:
            raise ActionFailed(f"more than {MAX_LOOKS} looks in one simulation", kind="refused")
        failure: ApplicationError | None = None
        try:
            async with asyncio.timeout(within.total_seconds()):
                for attempt in range(1, MAX_TRIES + 1):
                    try:
                        async with asyncio.timeout(MAX_CALL.total_seconds()):
                            return await call()
                    except Exception as error:  # noqa: BLE001  # as the driver's edge does: every error has its word
                        failure = translated(error, action)
                    if failure.non_retryable or attempt == MAX_TRIES:
                        break
                    pause = failure.next_retry_delay or timedelta(seconds=attempt)
                    await asyncio.sleep(min(pause, _LONGEST_PAUSE).total_seconds())
        except TimeoutError:
            said = failure.message if failure else f"{action} did not answer in time"
            raise ActionFailed(said, kind="timeout") from None
        said, kind = (failure.message, failure.type) if failure else ("no answer", "failed")
        raise ActionFailed(said, kind="failed" if kind in {None, "unavailable"} else str(kind)) from None
