"""The kinds of steps, and what every step may carry: `if`, `retry`, `timeout`, `on_failure`, `approve`."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from halon.contracts.audit import AuditKind
from halon.contracts.base import JsonObject, format_duration
from halon.contracts.outcome import Outcome
from halon.contracts.plan import ActionCall, Effect
from halon.contracts.playbook import Playbook, ResolveStep
from halon.contracts.run import RunSpec
from halon.contracts.steps import Approve, ApproveStep, Step, UsesStep, step_kind
from halon.core.admission import Guards
from halon.core.ahead import OWN_GATES_ASK, Lookout, Outlook
from halon.core.changes import Changes
from halon.core.flow import first
from halon.core.frame import FINAL, Account, Cover, Done, RunEnded, Scope, StepFailed, holds, rendered
from halon.core.gates import Gatekeeper
from halon.core.inputs import resolve_inputs
from halon.core.kinds import Kinds, entry
from halon.core.leases import Leases
from halon.core.runtime import Event, Runtime

HANDLERS_VERIFY = "handlers-verify"
"""Runs from before it end as `unverified` whatever the steps that ran instead of a verification have shown."""
_CHANGES = frozenset({Effect.CHANGE, Effect.DESTROY})


class Steps:
    """Carries out the steps of one run."""

    def __init__(
        self, spec: RunSpec, runtime: Runtime, account: Account, changes: Changes, gatekeeper: Gatekeeper
    ) -> None:
        self._spec = spec
        self._runtime = runtime
        self._account = account
        self._changes = changes
        self._gatekeeper = gatekeeper
        self._lookout = Lookout(spec.effects, runtime, changes.plan, step_path)
        self.leases = Leases(runtime, self.take_back)
        self.guards = Guards(spec, runtime, account)
        self._kinds = Kinds(spec, runtime, account, changes, self.leases)

    # -- the frame around a block ---------------------------------------------------------------------------------

    async def open(self, book: Playbook, given: JsonObject, scope: Scope) -> None:
        """What comes before a playbook's steps: find the target, fill in the inputs.

        Raises:
            StepFailed: a read failed, or an input has no valid value.
        """
        for step in book.resolve:
            if scope.base["alert"] is None:
                self._skip(step.id, "uses", "there is no alert to resolve", scope, step.id)
                continue
            if step.if_ is not None and not holds(step.id, step.if_, self._names(scope)):
                self._skip(step.id, "uses", f"{step.if_.strip()} is false", scope, step.id)
                continue
            scope.steps[step.id] = await self._resolved(step, scope)
            self._account.report(step.id, "uses", "done")
        scope.base["inputs"] = resolve_inputs(book, given, scope, self._runtime.now())
        scope.base["target"] = str(rendered("target", book.target, self._names(scope))) if book.target else ""

    async def _resolved(self, step: ResolveStep, scope: Scope) -> JsonObject:
        """Look before the guards are asked. Without a worker that could, they need not be."""
        try:
            return await self._kinds.read(step.uses, step.with_, step.id, scope)
        except StepFailed as failure:
            if failure.kind != "no_worker":
                raise
            self._tell(AuditKind.RUN_REFUSED, step.id, f"Refused: {failure.reason}", {})
            raise StepFailed(step.id, "refused", failure.reason) from failure

    async def admit(self, book: Playbook, scope: Scope, path: str, cover: Cover) -> Cover:
        """Ask the guards for a playbook whose target and inputs are known.

        Raises:
            StepFailed: they refuse.
        """
        return await self.guards.admit(book, scope, path, cover)

    async def reserve(self, items: Sequence[Any], path: str, cover: Cover) -> None:
        """Count the targets of a loop before it begins.

        Raises:
            StepFailed: the budget does not cover them.
        """
        await self.guards.reserve(items, path, cover)

    async def block(self, steps: Sequence[Step], scope: Scope, prefix: str, cover: Cover) -> None:
        """Carry out steps in order.

        Raises:
            StepFailed: a step failed and nothing handled it.
            RunEnded: a step ended the run.
        """
        for index, step in enumerate(steps):
            path = step_path(step, index, prefix)
            if isinstance(step, ApproveStep):
                passed = await self._gate_alone(step, path, steps[index + 1 :], index + 1, scope, prefix)
                cover = replace(cover, approve=step.approve, approved=cover.approved | passed) if passed else cover
            else:
                await self._step(step, path, scope, cover)

    async def take_back(self, done: Done) -> str:
        """Put one change back, as its step says. Gives the reason when it was not put back, otherwise empty text."""
        path = done.step
        if done.undo == "never":
            problem = "the playbook says `undo: never`"
        elif done.undo == "auto":
            problem = await self._changes.take_back(done, path)
        else:
            problem = await self._own_undo(done, done.undo, path)
        if problem:
            self._tell(
                AuditKind.UNDO_FAILED, path, f"Still in place: {done.plan.summary}: {problem}", {"key": done.key}
            )
        self._account.report(path, "undo", "undo_failed" if problem else "undone", problem)
        return problem

    async def _own_undo(self, done: Done, undo: UsesStep, path: str) -> str:
        message = f"Taking back by {undo.uses}: {done.plan.summary}"
        self._tell(AuditKind.UNDO_STARTED, path, message, {"key": done.key})
        try:
            if self._spec.effects.get(undo.uses) in _CHANGES:
                params = rendered(path, undo.with_, self._names(done.scope))
                return await self._changes.run_undo(done, ActionCall(action=undo.uses, params=params), path)
            await self._kinds.read(undo.uses, undo.with_, path, done.scope)
        except StepFailed as failure:
            return failure.reason
        done.taken_back = True
        self._account.undone.append(done.step)
        self._tell(AuditKind.UNDONE, path, f"Taken back by {undo.uses}: {done.plan.summary}", {"key": done.key})
        return ""

    # -- what every step may carry ----------------------------------------------------------------------------------

    async def _step(self, step: Step, path: str, scope: Scope, cover: Cover) -> None:
        kind = step_kind(step) or "step"
        try:
            if step.if_ is not None and not holds(path, step.if_, self._names(scope)):
                self._skip(path, kind, f"{step.if_.strip()} is false", scope, step.id)
                return
            await self._attempts(step, path, scope, cover)
        except StepFailed as failure:
            if step.id:
                scope.steps[step.id] = entry(failure.kind, None)
            self._account.report(path, kind, "failed", failure.reason)
            self._tell(AuditKind.STEP_FAILED, path, failure.reason, {"kind": failure.kind, "then": _policy(step)})
            await self._after_failure(step, path, scope, cover, failure)

    async def _after_failure(self, step: Step, path: str, scope: Scope, cover: Cover, failure: StepFailed) -> None:
        if step.on_failure == "fail":
            raise failure
        if step.on_failure == "stop":
            raise RunEnded(Outcome.FAILED, f"{failure.step}: {failure.reason}", keep=True) from failure
        unseen = failure.kind in {"unverified", "no_data"}
        unconfirmed = any(
            not done.confirmed and not done.taken_back and done.step.startswith(path) for done in self._account.changes
        )
        doubt = f"{failure.step}: {failure.reason}" if unseen or unconfirmed else ""
        handler = "" if step.on_failure == "continue" else f"{path}.on_failure"
        # Steps that run instead may find another way, and show that it helped; they confirm no change of another step.
        may_mend = bool(handler) and unseen and not unconfirmed and self._runtime.patched(HANDLERS_VERIFY)
        if not may_mend:
            self._account.unverified = self._account.unverified or doubt
        try:
            if step.on_failure != "continue":
                await self.block(step.on_failure, scope.fork(failure=failure.facts), handler, cover)
        finally:
            if may_mend and not self._account.verified_below(handler):
                self._account.unverified = self._account.unverified or doubt

    async def _attempts(self, step: Step, path: str, scope: Scope, cover: Cover) -> None:
        attempts = step.retry.attempts if step.retry else 1
        pause = step.retry.interval if step.retry else timedelta()
        for attempt in range(1, attempts + 1):
            try:
                await self._timed(step, path, scope, replace(cover, attempt=f"{cover.attempt}/{attempt}"))
            except StepFailed as failure:
                if attempt == attempts or step.retry is None or failure.kind in FINAL:
                    raise
                message = f"Attempt {attempt} of {attempts} failed: {failure.reason}"
                self._tell(AuditKind.STEP_FAILED, path, message, {"kind": failure.kind, "then": "retry"})
                await self._runtime.sleep(pause, f"retry {path}")
                pause = min(pause * step.retry.backoff, step.retry.max_interval)
            else:
                return

    async def _timed(self, step: Step, path: str, scope: Scope, cover: Cover) -> None:
        if step.timeout is None:
            await self._gated(step, path, scope, cover)
            return
        late = self._runtime.deadline(step.timeout, f"time-out of {path}")
        winner, _ = await first(self._gated(step, path, scope, cover), late)
        if winner == 1:
            raise StepFailed(path, "timeout", f"took longer than {format_duration(step.timeout)}")

    async def _gated(self, step: Step, path: str, scope: Scope, cover: Cover) -> None:
        """Pass the step's own gate, unless it is a change, which asks with its own plan."""
        around = step.approve is not None and cover.approve is not None
        # What was approved around it was not asked of those whom this step names.
        asked_anew = around and self._runtime.patched(OWN_GATES_ASK)
        cover = replace(
            cover,
            approved=frozenset[str]() if asked_anew else cover.approved,
            undo="never" if step.undo == "never" else cover.undo,
            expires=step.expires or cover.expires,
            approve=step.approve or cover.approve,
        )
        change = isinstance(step, UsesStep) and self._kinds.effect(step.uses, path) in _CHANGES
        if step.approve is not None and not change and not self._spec.dry_run:
            outlook = await self._lookout.survey_step(step, path, scope)
            cover = replace(cover, approved=cover.approved | await self._ask(path, step.approve, outlook))
        elif step.approve is not None and not change:
            self._runtime.foresee(path, step.approve, ())
        found = await self._kinds.run(step, path, scope, cover, self)
        self._finish(path, step_kind(step) or "step", scope, step.id, found)

    async def _gate_alone(
        self, step: ApproveStep, path: str, behind: Sequence[Step], index: int, scope: Scope, prefix: str
    ) -> frozenset[str]:
        """Ask for all steps up to the next gate. Gives the approved digests; none when the gate was skipped."""
        try:
            if step.if_ is not None and not holds(path, step.if_, self._names(scope)):
                self._skip(path, "approve", f"{step.if_.strip()} is false", scope, step.id)
                return frozenset()
            if self._spec.dry_run:
                self._runtime.foresee(path, step.approve, ())
                self._skip(path, "approve", "a dry run asks nobody", scope, step.id)
                return frozenset()
            passed = await self._ask(path, step.approve, await self._lookout.survey(behind, scope, prefix, index))
        except StepFailed as failure:
            # Going on without the approval is what a gate exists to prevent: `continue` and handlers do not pass it.
            self._account.report(path, "approve", "failed", failure.reason)
            self._tell(AuditKind.STEP_FAILED, path, failure.reason, {"kind": failure.kind, "then": "fail"})
            raise
        self._finish(path, "approve", scope, step.id, entry("approved", None))
        return passed

    async def _ask(self, path: str, approve: Approve, outlook: Outlook) -> frozenset[str]:
        untouched = not self._account.in_place()
        gate = await self._gatekeeper.ask(path, approve, outlook.plans, outlook.unplanned, untouched=untouched)
        return frozenset({gate, *(plan.digest for plan in outlook.plans)})

    def _skip(self, path: str, kind: str, reason: str, scope: Scope, name: str | None) -> None:
        if name:
            scope.steps[name] = entry("skipped", None)
        self._account.report(path, kind, "skipped", reason)
        self._tell(AuditKind.STEP_SKIPPED, path, f"Skipped: {reason}", {})

    def _finish(self, path: str, kind: str, scope: Scope, name: str | None, found: JsonObject) -> None:
        if name:
            scope.steps[name] = found
        self._account.report(path, kind, str(found["outcome"]))

    def _names(self, scope: Scope) -> Mapping[str, object]:
        return scope.names(self._runtime.now())

    def _tell(self, kind: AuditKind, path: str, message: str, data: JsonObject) -> None:
        self._runtime.emit(Event(kind, message, step=path, data=data))


def step_path(step: Step, index: int, prefix: str) -> str:
    """Where a step stands: `rollback`, `drain[2].evict`; a step without an id is named by kind and place, `wait_3`."""
    name = step.id or f"{step_kind(step)}_{index + 1}"
    return f"{prefix}.{name}" if prefix else name


def _policy(step: Step) -> str:
    return step.on_failure if isinstance(step.on_failure, str) else "steps"
