"""The playbook interpreter: carries out steps in order, hands failures to `on_failure`, and puts back what it changed.

Plain asyncio against `Runtime`; nothing here knows of Temporal. `interpret` is the way in. Reading order: `Run.execute`
(a run from beginning to end), `Run._block` (a list of steps), `_STEPS` in `steps.py` (one step each).
"""

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import timedelta

from halon.contracts.audit import AuditKind
from halon.contracts.base import JsonObject, format_duration
from halon.contracts.outcome import LeftInPlace, Outcome, RunResult
from halon.contracts.run import RunSpec
from halon.contracts.steps import Step
from halon.core.admission import NOT_ADMITTED
from halon.core.changes import Changes, left_in_place
from halon.core.flow import first, stopped, uninterrupted
from halon.core.frame import Account, Cover, Done, RunEnded, Scope, StepFailed
from halon.core.gates import About, Gatekeeper
from halon.core.inputs import opening_scope
from halon.core.membership import shared_labels
from halon.core.runtime import Event, Runtime
from halon.core.steps import Steps

ENDING_WITHIN = timedelta(minutes=30)
"""Bound on the `on_failure` and on the `finally` steps of a run, each."""

_AFTER_FAILURE = frozenset({Outcome.FAILED, Outcome.UNDONE, Outcome.UNVERIFIED, Outcome.EXPIRED, Outcome.REFUSED})
"""Endings after which the playbook's `on_failure` runs: those that nobody chose and that leave the alert unanswered."""
_STAYS = frozenset({Outcome.REMEDIATED, Outcome.UNVERIFIED, Outcome.UNNECESSARY, Outcome.DRY_RUN})
"""Endings that leave in place what was changed, but for what was changed on a lease."""
LEASES_END = "leases-end-with-the-run"
UNDO_STAYS_STOPPED = "undo-stays-stopped"
"""Names of patches."""


async def interpret(spec: RunSpec, runtime: Runtime) -> RunResult:
    """Carry out a run to its end. A cancellation of the caller's task still puts back what the run changed."""
    run = Run(spec, runtime)
    return await run.execute()


class Run:
    """One run of one playbook."""

    def __init__(self, spec: RunSpec, runtime: Runtime) -> None:
        self._spec = spec
        self._runtime = runtime
        self._account = Account()
        book = spec.playbook
        gatekeeper = Gatekeeper(
            runtime,
            About(incident=spec.incident, started_by=spec.started_by, labels=shared_labels(spec.alerts)),
            ends_when_resolved=bool(spec.alerts) and book.on_resolved == "end",
        )
        self._changes = Changes(spec, runtime, gatekeeper, self._account)
        self._steps = Steps(spec, runtime, self._account, self._changes, gatekeeper)
        self._cover = Cover(barred=NOT_ADMITTED)
        self._hurried = asyncio.Event()
        """Somebody has cancelled the run: it waits for no lease."""
        self._scope = Scope(opening_scope(spec, runtime.now()))

    async def execute(self) -> RunResult:
        """The body, then what its end asks for: undo, `on_failure`, `finally`."""
        what = "Dry run" if self._spec.dry_run else "Run"
        book = self._spec.playbook
        self._tell(
            AuditKind.RUN_STARTED,
            f"{what} of playbook {book.metadata.name} started"
            + (f" by {self._spec.started_by}" if self._spec.started_by else ""),
            {"playbook": book.metadata.name, "digest": book.digest, "dry_run": self._spec.dry_run},
        )
        body = asyncio.ensure_future(self._bounded_body())
        try:
            await asyncio.shield(body)
        except asyncio.CancelledError:
            # A second cancellation, while an apply comes to its end, asks for nothing more than the first.
            with contextlib.suppress(asyncio.CancelledError):
                await uninterrupted(stopped(body))
        except (StepFailed, RunEnded):
            pass
        ending = asyncio.ensure_future(self._ending(body))
        while True:
            try:
                return await asyncio.shield(ending)
            except asyncio.CancelledError:
                if ending.cancelled():
                    raise
                self._hurried.set()

    async def _bounded_body(self) -> None:
        limit = self._spec.playbook.timeout
        try:
            winner, _ = await first(self._body(), self._runtime.deadline(limit, "time-out of the run"))
        except RunEnded as ended:
            if ended.outcome in _STAYS and self._leased() and self._runtime.patched(LEASES_END):
                await self._steps.leases.expired()
            raise
        if winner == 1:
            self._tell(AuditKind.RUN_TIMED_OUT, f"The run took longer than {format_duration(limit)}", {})
            raise StepFailed("run", "timeout", f"the run took longer than {format_duration(limit)}")
        await self._steps.leases.expired()

    async def _body(self) -> None:
        spec, scope = self._spec, self._scope
        await self._steps.open(spec.playbook, spec.inputs, scope)
        self._cover = await self._steps.admit(spec.playbook, scope, "", Cover())
        await self._steps.block(spec.playbook.steps, scope, "", self._cover)

    async def _ending(self, body: "asyncio.Future[None]") -> RunResult:
        await self._steps.leases.stop()
        outcome, reason, keep, failure = self._judge(body)
        left: tuple[LeftInPlace, ...] = ()
        if outcome not in _STAYS or keep:
            outcome, reason, left = await self._put_back(outcome, reason, keep=keep)
        elif stuck := [*self._steps.leases.failures, *await self._end_leases()]:
            left = left_in_place(stuck)
            outcome, reason = Outcome.FAILED, f"a lease could not be given back: {left[0].reason}"
        before = len(self._account.changes)
        if outcome in _AFTER_FAILURE and self._spec.playbook.on_failure and not self._spec.dry_run:
            facts: JsonObject = {
                "reason": reason,
                "step": failure.step if failure else "",
                "kind": failure.kind if failure else outcome.value,
                "outcome": outcome.value,
                "left": [one.model_dump(mode="json") for one in left],
            }
            left += await self._tail(self._spec.playbook.on_failure, "on_failure", facts)
        if self._spec.playbook.finally_:
            facts = {"reason": reason, "step": "", "kind": "", "outcome": outcome.value, "left": []}
            left += await self._tail(self._spec.playbook.finally_, "finally", facts)
        left += await self._last_leases(before)
        if left and outcome is not Outcome.FAILED:
            outcome, reason = Outcome.FAILED, f"{reason}; {left[0].reason}"
        result = RunResult(
            outcome=outcome,
            reason=reason,
            target=str(self._scope.base["target"]),
            steps=tuple(self._account.reports),
            applied=tuple(self._account.applied),
            undone=tuple(self._account.undone),
            left=left,
        )
        self._tell(
            AuditKind.RUN_FINISHED,
            f"Ended as {outcome.value}: {reason}",
            {"outcome": outcome.value, "left": [one.model_dump(mode="json") for one in left]},
        )
        without_data = failure is not None and failure.kind in {"no_data", "unverified"}
        await self._steps.guards.release(result, unverified=without_data or bool(self._account.unverified))
        return result

    def _judge(self, body: "asyncio.Future[None]") -> tuple[Outcome, str, bool, StepFailed | None]:
        """What the body's end means before anything is put back: outcome, reason, whether changes stay, the failure."""
        if body.cancelled():
            self._tell(AuditKind.RUN_CANCELLED, "The run was cancelled", {})
            self._hurried.set()
            return Outcome.CANCELLED, "cancelled", False, None
        error = body.exception()
        if isinstance(error, RunEnded):
            return (*self._stopped(error), None)
        if isinstance(error, StepFailed):
            by_kind = {
                "denied": Outcome.DENIED,
                "expired": Outcome.EXPIRED,
                "refused": Outcome.REFUSED,
                "no_data": Outcome.UNVERIFIED,
            }
            return by_kind.get(error.kind, Outcome.FAILED), f"{error.step}: {error.reason}", False, error
        if error is not None:
            raise error
        return (*self._success(), False, None)

    def _stopped(self, ended: RunEnded) -> tuple[Outcome, str, bool]:
        """A `stop` step cannot claim more than was shown: without a verification a change stays unverified."""
        if ended.outcome is Outcome.REMEDIATED:
            outcome, reason = self._success()
            if outcome is not Outcome.REMEDIATED:
                return outcome, f"{ended.reason} ({reason})", False
        return ended.outcome, ended.reason, ended.keep

    def _success(self) -> tuple[Outcome, str]:
        account = self._account
        if self._spec.dry_run:
            changes = "1 change" if account.planned == 1 else f"{account.planned} changes"
            return Outcome.DRY_RUN, f"{changes} planned, none made"
        if account.unverified:
            return Outcome.UNVERIFIED, account.unverified
        if account.applied and account.verified:
            return Outcome.REMEDIATED, "changed, confirmed and verified"
        if account.applied:
            return Outcome.UNVERIFIED, "changed and confirmed, but nothing verified the effect"
        if account.already or account.verified:
            return Outcome.UNNECESSARY, account.already or "nothing was changed, and the verification held"
        return Outcome.UNVERIFIED, "nothing was changed, and nothing verified the state"

    async def _put_back(
        self, outcome: Outcome, reason: str, *, keep: bool
    ) -> tuple[Outcome, str, tuple[LeftInPlace, ...]]:
        """Undo in reverse order, up to the first failure: what lies below may depend on what is still there."""
        changes = self._account.in_place()
        if not changes:
            return outcome, reason, ()
        if keep:
            left = left_in_place([(done, "left in place by `on_failure: stop`") for done in changes])
            return Outcome.FAILED, reason, left
        stuck: list[tuple[Done, str]] = []
        for done in reversed(changes):
            stopped_before = bool(stuck) and stuck[-1][0].undo != "never"
            failed = stopped_before or any(one.undo != "never" for one, _ in stuck)
            if stopped_before or (failed and self._runtime.patched(UNDO_STAYS_STOPPED)):
                stuck.append((done, "not taken back: a later change is still in place"))
                continue
            problem = await self._steps.take_back(done)
            if problem:
                stuck.append((done, problem))
        if stuck:
            return Outcome.FAILED, f"{reason}; could not be put back: {stuck[0][1]}", left_in_place(stuck)
        if outcome is Outcome.FAILED and self._account.undone:
            return Outcome.UNDONE, reason, ()
        return outcome, reason, ()

    def _leased(self, since: int = 0) -> list[Done]:
        """Changes on a lease, from this one on, that are in place and that nobody has tried to give back."""
        tried = [done for done, _ in self._steps.leases.failures]
        changes = self._account.changes[since:]
        return [done for done in changes if done.expires and not done.taken_back and done not in tried]

    async def _end_leases(self, since: int = 0) -> list[tuple[Done, str]]:
        """Give back, before the run ends, what is on a lease that runs no more. Gives those that could not be."""
        leased = self._leased(since)
        if not leased or not self._runtime.patched(LEASES_END):
            return []
        tried = [(done, await self._steps.take_back(done)) for done in reversed(leased)]
        return [(done, problem) for done, problem in tried if problem]

    async def _last_leases(self, since: int) -> tuple[LeftInPlace, ...]:
        """The run lasts as long as what its `on_failure` and `finally` have leased, unless it is cancelled."""
        if not self._leased(since) or not self._runtime.patched(LEASES_END):
            return ()
        await first(self._steps.leases.expired(), self._hurried.wait())
        await self._steps.leases.stop()
        stuck = [*self._steps.leases.failures, *await self._end_leases(since)]
        late = self._account.changes[since:]
        return left_in_place([(done, problem) for done, problem in stuck if done in late])

    async def _tail(self, steps: Sequence[Step], name: str, facts: JsonObject) -> tuple[LeftInPlace, ...]:
        """Run `on_failure` or `finally` steps. When they fail, what they changed is put back and the outcome stays."""
        before = len(self._account.changes)
        scope = self._scope.fork(failure=facts)
        work = self._steps.block(steps, scope, name, self._cover)
        try:
            winner, _ = await first(work, self._runtime.deadline(ENDING_WITHIN, f"time-out of {name}"))
            if winner == 0:
                return ()
            problem = f"took longer than {format_duration(ENDING_WITHIN)}"
        except RunEnded:
            return ()
        except StepFailed as failure:
            problem = failure.reason
        self._tell(AuditKind.STEP_FAILED, f"{name} did not finish: {problem}", {})
        stuck: list[tuple[Done, str]] = []
        for done in reversed([one for one in self._account.changes[before:] if not one.taken_back]):
            why = await self._steps.take_back(done)
            if why:
                stuck.append((done, why))
        return left_in_place(stuck)

    def _tell(self, kind: AuditKind, message: str, data: JsonObject) -> None:
        self._runtime.emit(Event(kind, message, data=data))
