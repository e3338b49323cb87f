"""The life of a change: plan, apply, confirm, and the plan that takes it back. Knows nothing of Temporal.

This is where dry run, drift, idempotency and undo live, so that the author of an action cannot forget them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from halon.contracts.activity import ApplyRequest, ConfirmRequest, PlanRequest, ReadRequest
from halon.contracts.base import JsonObject, canonical
from halon.contracts.plan import ActionCall, Applied, Plan, ReadResult, Settlement, Undo
from halon.errors import (
    Conflict,
    InvalidInput,
    Misconfigured,
    NotFound,
    PermanentError,
    PermissionDenied,
    TransientError,
)
from halon.kit.action import Change, Nothing, NoUndo, Output, Proposal, Read, Refusal
from halon.kit.env import Env
from halon.kit.permits import Objection, Permits, Unguarded
from halon.kit.registry import Registry

MAX_LOOKS = 5
"""How often one attempt looks again at a target that changes between looking and writing."""
HELD = timedelta(seconds=5)
"""Between two attempts at a change that people paused in the middle."""
MAX_ROWS = 100
MAX_NOTES = 50


class Lifecycle:
    """Runs the actions of a registry against an environment."""

    def __init__(self, registry: Registry, env: Env, permits: Permits | None = None) -> None:
        self._registry = registry
        self._permits = permits or Unguarded()
        self._env = env

    async def read(self, request: ReadRequest) -> ReadResult:
        """Look, or tell people.

        Raises:
            InvalidInput: the call is no read or notice, or a parameter is wrong.
            HalonError: whatever the action meets.
        """
        action = self._registry.parse(request.call)
        if not isinstance(action, Read):
            raise InvalidInput(f"{request.call.action} changes something: it is planned and applied, not run")
        output = await cast("Read[Output]", action).run(self._env)
        return ReadResult(output=output.model_dump(mode="json"), hints=self._registry.hints(request.call.action))

    async def plan(self, request: PlanRequest) -> Plan:
        """Observe, and say what would be done. Nothing is written.

        Raises:
            InvalidInput: the call is no change, or a parameter is wrong.
            PermissionDenied: the credentials may not look, or may not make the change.
            HalonError: whatever else looking meets.
        """
        change = self._change(request.call)
        if request.undoing is None:
            return await self._fresh(change, request.now)
        state = await change.observe(self._env)
        there, undone = change.owned(state), request.undoing
        if _same(there, undone.before):
            return self._nothing(change, "it never took effect, or has been put back already")
        if _same(there, undone.after):
            return await self._fresh(change, request.now)
        difference = _difference(expected=undone.after, there=there)
        refused = self._refused(change, f"somebody else changed it since: {difference}")
        return refused.model_copy(update={"overtaken": True})

    async def apply(self, request: ApplyRequest) -> Applied:
        """Make the planned change once, however often this is called with the same key.

        Raises:
            InvalidInput: there is nothing in the plan to apply.
            TransientError: the target kept changing between looking and writing.
            HalonError: whatever writing meets.
        """
        plan, key = request.plan, request.key
        if plan.kind != "change":
            raise InvalidInput(f"a plan of kind '{plan.kind}' cannot be applied")
        if not key:
            raise InvalidInput("a change needs an idempotency key")
        change = self._change(ActionCall(action=plan.action, params=plan.params))
        for _ in range(MAX_LOOKS):
            state = await change.observe(self._env)
            found = _found(change, state, plan, key)
            if isinstance(found, Applied):
                return found
            if found.drifted:
                drift = await self._fresh(change, request.now)
                return Applied(
                    status="drift", reason=f"it changed since the plan was made: {found.drifted}", drift=drift
                )
            objection = await self._permits.objection(request.permit, plan) if request.permit else None
            if objection is not None and found.begun:
                raise _interrupted(objection, found.begun)
            if objection is not None:
                return Applied(status=objection.status, reason=objection.reason)
            try:
                await change.apply(self._env, plan.after, state, key)
            except Conflict:
                continue
            return Applied(status="applied")
        raise TransientError(f"{plan.target} kept changing: {MAX_LOOKS} writes in a row were overtaken")

    async def confirm(self, request: ConfirmRequest) -> Settlement:
        """Look once whether the planned change is in effect.

        Raises:
            HalonError: whatever looking meets.
        """
        plan = request.plan
        change = self._change(ActionCall(action=plan.action, params=plan.params))
        return change.settled(await change.observe(self._env), plan.after)

    async def _fresh(self, change: Change[Any], now: datetime) -> Plan:
        """Observe, plan and let the API check the write; look again when the target changes meanwhile."""
        for _ in range(MAX_LOOKS):
            state = await change.observe(self._env)
            decided = change.plan(state, now)
            if isinstance(decided, Nothing):
                return self._nothing(change, decided.reason)
            if isinstance(decided, Refusal):
                return self._refused(change, decided.reason)
            try:
                notes = await change.rehearse(self._env, decided.after, state)
            except Conflict:
                continue
            except (NotFound, PermissionDenied, Misconfigured):
                raise
            except PermanentError as error:
                return self._refused(change, str(error))
            return self._planned(change, decided, notes)
        raise TransientError(f"{change.target()} kept changing: {MAX_LOOKS} plans in a row were overtaken")

    def _planned(self, change: Change[Any], proposal: Proposal, notes: Sequence[str]) -> Plan:
        undo = change.undo(proposal.before, proposal.after)
        return Plan(
            kind="change",
            action=self._registry.name_of(type(change)),
            params={**_params(change), **proposal.pinned},
            effect=change.effect,
            target=change.target(),
            summary=proposal.summary,
            before=proposal.before,
            after=proposal.after,
            rows=tuple(proposal.rows)[:MAX_ROWS],
            notes=(*proposal.notes, *notes)[:MAX_NOTES],
            undo=Undo(reason=undo.reason) if isinstance(undo, NoUndo) else Undo(call=self._call(undo)),
            apply_within=change.apply_within(),
        )

    def _nothing(self, change: Change[Any], reason: str) -> Plan:
        return self._without_change(change, Nothing(reason))

    def _refused(self, change: Change[Any], reason: str) -> Plan:
        return self._without_change(change, Refusal(reason))

    def _without_change(self, change: Change[Any], decided: Nothing | Refusal) -> Plan:
        nothing = isinstance(decided, Nothing)
        name = self._registry.name_of(type(change))
        return Plan(
            kind="nothing" if nothing else "refused",
            action=name,
            params=_params(change),
            effect=change.effect,
            target=change.target(),
            summary=f"{'Nothing to do for' if nothing else 'Refused:'} {name} on {change.target()}",
            reason=decided.reason,
        )

    def _call(self, change: Change[Any]) -> ActionCall:
        return ActionCall(action=self._registry.name_of(type(change)), params=_params(change))

    def _change(self, call: ActionCall) -> Change[Any]:
        action = self._registry.parse(call)
        if not isinstance(action, Change):
            raise InvalidInput(f"{call.action} changes nothing: it is run, not planned and applied")
        return action  # pyright: ignore[reportUnknownVariableType]  # any state: only its own action reads it


@dataclass(frozen=True, slots=True)
class _Found:
    """What an apply finds when there is something to write, or drift."""

    begun: str = ""
    """An earlier attempt has written part of it already: what is left."""
    drifted: str = ""


def _found(change: Change[Any], state: Any, plan: Plan, key: str) -> "Applied | _Found":
    """Tell done, begun, untouched and drifted apart."""
    there, ours, left = change.owned(state), change.ours(state, key), change.unfinished(state)
    if _same(there, plan.after):
        if not left:
            ours = ours or not change.marks
            who = _author(change, ours=ours)
            return Applied(status="already", ours=ours, reason=f"{plan.summary}: done already, {who}")
        if ours or _same(plan.before, plan.after):
            return _Found(begun=left if ours else "")
        return _Found(drifted=f"somebody else has begun: {left}")
    difference = _difference(expected=plan.after if ours else plan.before, there=there)
    if ours:
        # It took effect, so the run must own it: confirming finds the other change, and undoing asks about it.
        reason = f"{plan.summary}: done by an earlier attempt, and changed by somebody else since: {difference}"
        return Applied(status="already", reason=reason)
    return _Found() if _same(there, plan.before) else _Found(drifted=difference)


def _interrupted(objection: Objection, left: str) -> TransientError | PermanentError:
    """Stop a change in the middle, by an error: it stays the run's own, where 'held' says that nothing was written."""
    if objection.status == "held":
        return TransientError(f"{objection.reason}; what is left meanwhile: {left}", retry_after=HELD)
    return PermanentError(f"{objection.reason}; what is left of the change: {left}")


def _author(change: Change[Any], *, ours: bool) -> str:
    if not change.marks:
        return "by an earlier attempt or by somebody else"
    return "by an earlier attempt with the same key" if ours else "by somebody else"


def _params(change: Change[Any]) -> JsonObject:
    return change.model_dump(mode="json", exclude_defaults=True)


def _same(one: JsonObject, other: JsonObject) -> bool:
    """Whether two states are the same JSON: 3 and 3.0 are, 1 and true are not."""
    return canonical(one) == canonical(other)


def _difference(*, expected: JsonObject, there: JsonObject) -> str:
    parts = [
        f"{name} is {_shown(there.get(name))}, expected {_shown(expected.get(name))}"
        for name in sorted({*expected, *there})
        if not _same({"": expected.get(name)}, {"": there.get(name)})
    ]
    return "; ".join(parts)


def _shown(value: Any) -> str:
    text = canonical(value).decode()
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}…"


_MAX_SHOWN = 120
