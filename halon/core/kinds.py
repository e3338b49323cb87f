"""What each kind of step does. `steps.py` has what all of them may carry."""

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from halon.contracts.audit import AuditKind
from halon.contracts.base import JsonObject, format_duration, is_list
from halon.contracts.outcome import Outcome
from halon.contracts.plan import ActionCall, Effect
from halon.contracts.playbook import Playbook
from halon.contracts.run import RunSpec
from halon.contracts.steps import (
    DEFAULT_CONFIRM_WITHIN,
    ApproveStep,
    Branch,
    ForEachStep,
    ParallelStep,
    PlaybookStep,
    SetStep,
    Step,
    Steps,
    StopStep,
    SwitchStep,
    UsesStep,
    VerifyStep,
    WaitFor,
    WaitStep,
)
from halon.core.admission import NOT_ADMITTED
from halon.core.changes import Changes, Wanted
from halon.core.flow import afterwards, first, together
from halon.core.frame import Account, Cover, RunEnded, Scope, StepFailed, holds, hydrate, rendered, small
from halon.core.leases import Leases
from halon.core.library import touches
from halon.core.routing import carrier_of
from halon.core.runtime import ActionFailed, Event, Runtime
from halon.core.scope import metadata_scope
from halon.core.verify import Verification

MAX_DEPTH = 5
"""Playbooks within playbooks."""

_ENDS_CHILD_WELL = frozenset({Outcome.REMEDIATED, Outcome.UNVERIFIED, Outcome.UNNECESSARY, Outcome.DIAGNOSED})


class Frame(Protocol):
    """What a kind needs of the machinery around it."""

    async def open(self, book: Playbook, given: JsonObject, scope: Scope) -> None:
        """Find the target and fill in the inputs of a playbook."""
        ...

    async def admit(self, book: Playbook, scope: Scope, path: str, cover: Cover) -> Cover:
        """Ask the playbook's guards. Gives what its steps are covered by."""
        ...

    async def reserve(self, items: Sequence[Any], path: str, cover: Cover) -> None:
        """Count the targets of a loop before it begins."""
        ...

    async def block(self, steps: Steps, scope: Scope, prefix: str, cover: Cover) -> None:
        """Carry out steps in order."""
        ...


@dataclass(slots=True)
class _Child:
    """A playbook within a playbook."""

    book: Playbook
    given: JsonObject
    scope: Scope
    path: str
    cover: Cover
    """What its steps are covered by, from the moment that its guards have answered."""


class Kinds:
    """Carries out one step, whatever its kind. Each method gives the step's entry under `steps.<id>`."""

    def __init__(self, spec: RunSpec, runtime: Runtime, account: Account, changes: Changes, leases: Leases) -> None:
        self._spec = spec
        self._runtime = runtime
        self._account = account
        self._changes = changes
        self._leases = leases
        self._does: dict[type[Any], Callable[[Any, str, Scope, Cover, Frame], Awaitable[JsonObject]]] = {
            UsesStep: self._uses,
            VerifyStep: self._verify,
            WaitStep: self._wait,
            ParallelStep: self._parallel,
            ForEachStep: self._for_each,
            SwitchStep: self._switch,
            PlaybookStep: self._playbook,
            SetStep: self._set,
            StopStep: self._stop,
        }

    async def run(self, step: Step, path: str, scope: Scope, cover: Cover, frame: Frame) -> JsonObject:
        """Carry out `step`; its gate has been passed already, unless it is a change."""
        if isinstance(step, ApproveStep):
            raise TypeError("a gate alone is the block's to handle, because it covers the steps behind it")
        return await self._does[type(step)](step, path, scope, cover, frame)

    def effect(self, action: str, path: str) -> Effect:
        """How far `action` reaches.

        Raises:
            StepFailed: this installation does not know the action.
        """
        effect = self._spec.effects.get(action)
        if effect is None:
            raise StepFailed(path, "misconfigured", f"unknown action {action}")
        return effect

    async def read(self, action: str, params: JsonObject, path: str, scope: Scope) -> JsonObject:
        """Run a read action and give its entry.

        Raises:
            StepFailed: it failed.
        """
        filled = rendered(path, params, scope.names(self._runtime.now()))
        try:
            result = await self._runtime.read(ActionCall(action=action, params=filled), path, None)
        except ActionFailed as failure:
            raise StepFailed(path, failure.kind, failure.reason) from failure
        facts: JsonObject = {"action": action, "params": filled, "output": small(result.output)}
        carrier = carrier_of(self._spec.routes, action, filled)
        facts |= {"worker": carrier.worker} if carrier else {}
        self._tell(AuditKind.READ, path, f"Looked: {action}", facts)
        return entry("done", hydrate(result.output, result.hints))

    async def _uses(self, step: UsesStep, path: str, scope: Scope, cover: Cover, _: Frame) -> JsonObject:
        effect = self.effect(step.uses, path)
        if effect is Effect.READ:
            return await self.read(step.uses, step.with_, path, scope)
        if effect is Effect.NOTIFY:
            if self._spec.dry_run:
                return entry("skipped", None)
            return await self.read(step.uses, step.with_, path, scope)
        params = rendered(path, step.with_, scope.names(self._runtime.now()))
        call = ActionCall(action=step.uses, params=params)
        if self._spec.dry_run:
            plan = await self._changes.plan(call, path)
            approve = self._changes.question(plan, path, scope, cover)
            if plan.kind == "change":
                self._account.planned += 1
                if approve is not None:
                    self._runtime.foresee(path, approve, (plan,))
            return {**entry("planned", None), "before": plan.before, "after": plan.after}
        undone = (one for one in reversed(self._account.changes) if one.step == path and not one.taken_back)
        earlier = next(undone, None)
        done = await self._changes.make(
            Wanted(
                path=path,
                call=call,
                done=earlier,
                confirm_within=step.within or DEFAULT_CONFIRM_WITHIN,
                scope=scope.fork(),
                undo=step.undo if isinstance(step.undo, UsesStep) else cover.undo,
                cover=cover,
            )
        )
        if done is None:
            return entry("unnecessary", None)
        if cover.expires is not None:
            self._leases.grant(done, cover.expires)
        return {**entry("applied", None), "before": done.plan.before, "after": done.plan.after}

    async def _verify(self, step: VerifyStep, path: str, scope: Scope, _: Cover, __: Frame) -> JsonObject:
        if self._spec.dry_run:
            return entry("skipped", None)
        verification = Verification(step, path, scope, self._runtime)
        sentence = await verification.run()
        self._account.verified = True
        self._tell(AuditKind.VERIFIED, path, sentence, {"output": small(verification.answer)})
        return entry("verified", verification.output)

    async def _wait(self, step: WaitStep, path: str, _: Scope, __: Cover, ___: Frame) -> JsonObject:
        if self._spec.dry_run:
            return entry("skipped", None)
        if not isinstance(step.wait, WaitFor):
            await self._runtime.sleep(step.wait, f"wait: {path}")
            return entry("done", None)
        late = self._runtime.sleep(step.wait.within, f"the alert has not cleared: {path}")
        winner, _result = await first(self._runtime.resolved(), late)
        if winner == 1:
            within = format_duration(step.wait.within)
            raise StepFailed(path, "unverified", f"the alert did not clear within {within}")
        self._account.verified = True
        self._tell(AuditKind.VERIFIED, path, "The alert has cleared", {})
        return entry("verified", None)

    async def _parallel(self, step: ParallelStep, path: str, scope: Scope, cover: Cover, frame: Frame) -> JsonObject:
        scopes = {name: scope.fork() for name in step.parallel}
        await together(
            [
                self._branch(branch, f"{path}.{name}", scopes[name], cover, frame)
                for name, branch in step.parallel.items()
            ]
        )
        for branch_scope in scopes.values():
            scope.merge(branch_scope)
        return entry("done", None)

    async def _branch(self, branch: Branch, path: str, scope: Scope, cover: Cover, frame: Frame) -> None:
        try:
            await frame.block(branch.steps, scope, path, cover)
        except StepFailed as failure:
            if branch.on_failure == "fail":
                raise
            self._tell(AuditKind.STEP_FAILED, path, failure.reason, {"kind": failure.kind, "then": "continue"})
            self._account.unverified = self._account.unverified or f"{failure.step}: {failure.reason}"

    async def _for_each(self, step: ForEachStep, path: str, scope: Scope, cover: Cover, frame: Frame) -> JsonObject:
        loop = step.for_each
        items: Any = rendered(path, loop.in_, scope.names(self._runtime.now()))
        if not is_list(items):
            raise StepFailed(path, "expression", f"`in` must give a list, not {type(items).__name__}")
        if len(items) > loop.max_items:
            raise StepFailed(path, "refused", f"{len(items)} items are more than max_items ({loop.max_items})")
        if touches(loop.steps, self._spec.effects):
            await frame.reserve(items, path, cover)
        failures: list[str] = []
        queue = list(enumerate(items))
        outcomes: list[str] = ["not started"] * len(items)

        async def runner() -> None:
            while queue and len(failures) < loop.max_failures:
                index, item = queue.pop(0)
                try:
                    inner = scope.fork(**{loop.as_: item})
                    await frame.block(loop.steps, inner, f"{path}[{index}]", cover)
                    outcomes[index] = "done"
                except StepFailed as failure:
                    outcomes[index] = f"failed: {failure.reason}"
                    failures.append(f"{failure.step}: {failure.reason}")

        await together([runner() for _ in range(min(loop.max_parallel, len(items)))])
        if len(failures) >= loop.max_failures:
            raise StepFailed(path, "failed", f"{len(failures)} of {len(items)} items failed; first: {failures[0]}")
        return entry("done", {"outcomes": outcomes, "failures": failures})

    async def _switch(self, step: SwitchStep, path: str, scope: Scope, cover: Cover, frame: Frame) -> JsonObject:
        names = scope.names(self._runtime.now())
        for index, case in enumerate(step.switch.cases):
            if holds(path, case.if_, names):
                await frame.block(case.steps, scope, path, cover)
                return entry("done", {"case": index})
        if step.switch.default is not None:
            await frame.block(step.switch.default, scope, path, cover)
        return entry("done", {"case": -1})

    async def _playbook(self, step: PlaybookStep, path: str, scope: Scope, cover: Cover, frame: Frame) -> JsonObject:
        book = self._spec.library.get(step.playbook)
        if book is None:
            raise StepFailed(path, "misconfigured", f"playbook {step.playbook} is not installed")
        if cover.depth >= MAX_DEPTH:
            raise StepFailed(path, "misconfigured", f"playbooks are nested more than {MAX_DEPTH} deep")
        given = rendered(path, step.inputs, scope.names(self._runtime.now()))
        inner = Scope({**scope.base, "metadata": metadata_scope(book.metadata), "inputs": {}, "target": ""})
        child = _Child(book, given, inner, path, replace(cover, depth=cover.depth + 1, barred=NOT_ADMITTED))

        async def last() -> None:
            if book.finally_:
                await frame.block(book.finally_, inner.fork(failure=None), f"{path}.finally", child.cover)

        await afterwards(self._whole_child(child, frame), last)
        return entry("done", inner.variables)

    async def _whole_child(self, child: "_Child", frame: Frame) -> None:
        """The child within its time, and its `on_failure`."""
        book, path = child.book, child.path
        late = self._runtime.deadline(book.timeout, f"time-out of {path}")
        try:
            await first(self._child(child, frame), _too_late(late, path, book))
        except RunEnded as ended:
            if ended.outcome is Outcome.RESOLVED or ended.keep:
                raise
            if ended.outcome not in _ENDS_CHILD_WELL:
                raise StepFailed(path, ended.outcome.value, ended.reason) from ended
        except StepFailed as failure:
            if book.on_failure:
                scope = child.scope.fork(failure=failure.facts)
                await frame.block(book.on_failure, scope, f"{path}.on_failure", child.cover)
            raise

    async def _child(self, child: "_Child", frame: Frame) -> None:
        await frame.open(child.book, child.given, child.scope)
        child.cover = await frame.admit(child.book, child.scope, child.path, child.cover)
        await frame.block(child.book.steps, child.scope, child.path, child.cover)

    async def _set(self, step: SetStep, path: str, scope: Scope, _: Cover, __: Frame) -> JsonObject:
        for name, value in step.set.items():
            scope.variables[name] = rendered(path, value, scope.names(self._runtime.now()))
        return entry("done", None)

    async def _stop(self, step: StopStep, path: str, scope: Scope, _: Cover, __: Frame) -> JsonObject:
        reason = str(rendered(path, step.stop.reason, scope.names(self._runtime.now())))
        outcome = Outcome(step.stop.outcome)
        self._tell(AuditKind.STOPPED, path, f"Stopped as {outcome.value}: {reason}", {})
        raise RunEnded(outcome, reason, keep=False)

    def _tell(self, kind: AuditKind, path: str, message: str, data: JsonObject) -> None:
        self._runtime.emit(Event(kind, message, step=path, data=data))


async def _too_late(late: Coroutine[Any, Any, None], path: str, book: Playbook) -> None:
    await late
    raise StepFailed(path, "timeout", f"took longer than {format_duration(book.timeout)}")


def entry(outcome: str, output: Any) -> JsonObject:
    """What `steps.<id>` holds after a step: its outcome, and its output with durations and timestamps as such."""
    return {"outcome": outcome, "output": output, "before": {}, "after": {}}
