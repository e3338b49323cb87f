"""One change, from plan to confirmation, and back. The only place where the interpreter touches the world."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from halon.contracts.audit import AuditKind
from halon.contracts.base import Json, JsonObject, digest
from halon.contracts.outcome import LeftInPlace
from halon.contracts.plan import ActionCall, Applied, Plan
from halon.contracts.routes import Routes
from halon.contracts.run import RunSpec
from halon.contracts.steps import DEFAULT_CONFIRM_WITHIN, Approve, UsesStep
from halon.core.flow import uninterrupted
from halon.core.frame import Account, Cover, Done, Scope, StepFailed
from halon.core.gates import Gatekeeper
from halon.core.policy import judge, tightened
from halon.core.routing import carrier_of
from halon.core.runtime import ActionFailed, Event, Runtime

MAX_HOLDS = 20
"""How often people may pause one change and let it go on again."""
MAX_DRIFTS = 5
"""How often a target may move under one step before the step gives up: somebody else is at work there."""
OWN_UNDO_LOOKS = "own-undo-looks-first"
"""Name of a patch."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A change that a step wants, with all that was decided about it beforehand."""

    path: str
    call: ActionCall
    done: Done | None
    """The same step's earlier attempt, when this is a retry."""
    confirm_within: timedelta
    scope: Scope
    undo: Literal["auto", "never"] | UsesStep
    cover: Cover


class Changes:
    """Plans, asks, applies, confirms and takes back the changes of one run."""

    def __init__(self, spec: RunSpec, runtime: Runtime, gatekeeper: Gatekeeper, account: Account) -> None:
        self._incident = spec.incident
        self._ordinal = spec.ordinal
        self._routes = spec.routes
        self._runtime = runtime
        self._gatekeeper = gatekeeper
        self._account = account

    async def plan(self, call: ActionCall, path: str) -> Plan:
        """Plan a change and tell what it would do.

        Raises:
            StepFailed: it could not be planned, or the action refuses.
        """
        try:
            plan = await self._runtime.plan(call, path, None)
        except ActionFailed as failure:
            raise StepFailed(path, failure.kind, failure.reason) from failure
        return self._planned(plan, path)

    async def make(self, wanted: Wanted) -> Done | None:
        """Carry the change through: plan, ask, apply, confirm. None when nothing was to be done.

        Raises:
            StepFailed: refused, denied, expired, failed, or not confirmed in time. What took effect is in the account.
        """
        path = wanted.path
        if wanted.cover.barred:
            raise StepFailed(path, "refused", wanted.cover.barred)
        plan = await self.plan(wanted.call, path)
        if plan.kind == "nothing":
            return await self._already(wanted, plan)
        approved: list[tuple[str, Approve]] = []
        drifts = holds = 0
        while drifts < MAX_DRIFTS and holds < MAX_HOLDS:
            approve = self.question(plan, path, wanted.scope, wanted.cover)
            enclosing = wanted.cover.approved if approve == wanted.cover.approve else frozenset[str]()
            known = plan.digest in enclosing or (plan.digest, approve) in approved
            if approve is not None and not known:
                untouched = not self._account.in_place()
                await self._gatekeeper.ask(path, approve, (plan,), (), untouched=untouched)
                approved.append((plan.digest, approve))
            key = step_key(self._incident, path, wanted.cover.attempt, self._ordinal)
            self._tell(AuditKind.ATTEMPTED, path, plan.summary, {"key": key, **_facts(plan, self._routes)})
            applied = await uninterrupted(self._apply(wanted, plan, key))
            if applied.status == "refused":
                raise StepFailed(path, "refused", applied.reason)
            if applied.status == "held":
                holds += 1
                await self._gatekeeper.hold(path, plan, applied.reason, untouched=not self._account.in_place())
                continue
            if applied.status != "drift" or applied.drift is None:
                done = next((one for one in self._account.changes if one.key == key), None)
                await self._confirm(path, plan, wanted.confirm_within, done)
                return done
            drifts += 1
            message = f"The target is no longer as planned: {applied.reason}"
            self._tell(AuditKind.DRIFTED, path, message, _facts(applied.drift, self._routes))
            plan = self._planned(applied.drift, path)
            if plan.kind == "nothing":
                return await self._already(wanted, plan)
        why = f"{drifts} plans were overtaken and it was held {holds} times"
        raise StepFailed(path, "failed", f"the target kept changing: {why}")

    def question(self, plan: Plan, path: str, scope: Scope, cover: Cover) -> Approve | None:
        """Give the question that this change needs: the playbook's, made stricter by the installation's policy.

        Raises:
            StepFailed: the policy denies it.
        """
        if not cover.rules or plan.kind != "change":
            return cover.approve
        facts: dict[str, Any] = {
            "step": {
                "path": path,
                "action": plan.action,
                "effect": plan.effect.value,
                "target": plan.target,
                "params": plan.params,
                "before": plan.before,
                "after": plan.after,
                "expires": cover.expires,
                "undo": cover.undo,
                "quorum": cover.approve.quorum if cover.approve else 0,
            },
            "playbook": scope.base["metadata"],
            "alert": scope.base["alert"],
            "environment": cover.environment,
            "now": self._runtime.now(),
        }
        ruling = judge(cover.rules, facts, cover.expires)
        if ruling.denied:
            reason = "; ".join(ruling.denied)
            self._tell(AuditKind.RUN_REFUSED, path, f"Refused: {reason}", {"policy": list(ruling.denied)})
            raise StepFailed(path, "refused", reason)
        return tightened(cover.approve, ruling)

    async def take_back(self, done: Done, path: str) -> str:
        """Put back what was there before `done`. Gives the reason when that did not succeed, otherwise empty text."""
        undo = done.plan.undo
        if undo.call is None:
            return undo.reason or "this action has no undo"
        self._tell(AuditKind.UNDO_STARTED, path, f"Taking back: {done.plan.summary}", {"key": done.key})
        return await self.run_undo(done, undo.call, path)

    async def run_undo(self, done: Done, call: ActionCall, path: str) -> str:
        """Plan, apply and confirm the action that takes `done` back. Gives the reason when it did not succeed.

        Only what the change left behind is touched: when somebody else has changed it since, a person decides whether
        it is put back all the same.
        """
        try:
            plan, problem = await self._undoing(done, call, path)
            if problem:
                return problem
            if plan.kind == "change":
                settlement = await self._runtime.confirm(plan, path, DEFAULT_CONFIRM_WITHIN)
                if settlement.state != "settled":
                    return f"it was put back, but not confirmed: {settlement.reason}"
        except ActionFailed as failure:
            return failure.reason
        done.taken_back = True
        if plan.kind == "change" or done.step in self._account.applied:
            self._account.undone.append(done.step)
        how = "Nothing of it is there" if plan.kind == "nothing" else "Taken back"
        self._tell(AuditKind.UNDONE, path, f"{how}: {done.plan.summary}", {"key": done.key, "how": plan.kind})
        return ""

    async def _plan_undo(self, done: Done, call: ActionCall, path: str) -> Plan:
        """Plan an undo. An action of the playbook's own cannot tell what another one left behind, which looks first.

        Raises:
            ActionFailed: the target cannot be looked at.
        """
        own = isinstance(done.undo, UsesStep)
        if own and not self._runtime.patched(OWN_UNDO_LOOKS):
            return await self._runtime.plan(call, path, None)
        if own and call.action != done.plan.action:
            change = ActionCall(action=done.plan.action, params=done.plan.params)
            seen = await self._runtime.plan(change, path, done.plan)
            return seen if seen.overtaken else await self._runtime.plan(call, path, None)
        return await self._runtime.plan(call, path, done.plan)

    async def _undoing(self, done: Done, call: ActionCall, path: str) -> tuple[Plan, str]:
        """Plan and apply an undo. Gives its plan, and why it was not applied when it was not.

        Raises:
            ActionFailed: looking or writing failed.
        """
        plan = await self._plan_undo(done, call, path)
        self._tell(AuditKind.PLANNED, path, plan.summary, _facts(plan, self._routes))
        for _ in range(MAX_DRIFTS):
            if plan.overtaken:
                asked, problem = await self._ask_about_undo(call, path, plan.reason)
                if asked is None:
                    return plan, problem
                plan = asked
            if plan.kind == "refused":
                return plan, plan.reason
            if plan.kind == "nothing":
                return plan, ""
            key = step_key(self._incident, path, f"undo of {done.key}", self._ordinal)
            self._tell(AuditKind.ATTEMPTED, path, plan.summary, {"key": key, **_facts(plan, self._routes)})
            applied = await self._runtime.apply(plan, path, key, undoing=True)
            if applied.status in {"applied", "already"}:
                self._tell(AuditKind.APPLIED, path, plan.summary, {"key": key, "status": applied.status})
                return plan, ""
            if applied.status == "refused":
                return plan, applied.reason
            if applied.status == "held":
                await self._gatekeeper.hold_undo(path, plan, applied.reason)
                continue
            plan = await self._plan_undo(done, call, path)
            self._tell(AuditKind.PLANNED, path, plan.summary, _facts(plan, self._routes))
        return plan, f"{MAX_DRIFTS} tries to put it back were overtaken or held"

    async def _ask_about_undo(self, call: ActionCall, path: str, reason: str) -> tuple[Plan | None, str]:
        """Ask a person whether to put back what somebody else has changed since. Without a yes it is left alone.

        Raises:
            ActionFailed: the target cannot be looked at.
        """
        plan = await self._runtime.plan(call, path, None)
        self._tell(AuditKind.PLANNED, path, plan.summary, _facts(plan, self._routes))
        if plan.kind != "change":
            return plan, ""
        approve = Approve(message=f"{reason}. Approve to put it back all the same, deny to leave it as it is")
        try:
            await self._gatekeeper.ask(f"{path}.undo", approve, (plan,), (), untouched=False)
        except StepFailed as failure:
            return None, f"{reason} ({failure.reason})"
        return plan, ""

    async def _apply(self, wanted: Wanted, plan: Plan, key: str) -> Applied:
        """Apply, and enter into the account whatever took effect or may have."""
        done = Done(wanted.path, plan, wanted.undo, wanted.scope, key, wanted.cover.expires)
        try:
            applied = await self._runtime.apply(plan, wanted.path, key)
        except ActionFailed as failure:
            if failure.unknown_effect:
                self._account.changes.append(done)
            raise StepFailed(wanted.path, failure.kind, failure.reason) from failure
        if applied.status in {"applied", "already"}:
            if applied.ours:
                self._account.changes.append(done)
                self._account.applied.append(wanted.path)
                self._account.verified = False
            else:
                self._account.already = applied.reason or "somebody else made this change meanwhile"
            facts: JsonObject = {"key": key, "plan": plan.digest, "status": applied.status, "ours": applied.ours}
            self._tell(AuditKind.APPLIED, wanted.path, applied.reason or plan.summary, facts)
        return applied

    async def _already(self, wanted: Wanted, plan: Plan) -> Done | None:
        """Nothing to change. After a retry that may be our own earlier attempt, which still wants its confirmation."""
        if wanted.done is not None:
            await self._confirm(wanted.path, wanted.done.plan, wanted.confirm_within, wanted.done)
            return wanted.done
        self._account.already = plan.reason or plan.summary
        return None

    async def _confirm(self, path: str, plan: Plan, within: timedelta, done: Done | None) -> None:
        try:
            settlement = await self._runtime.confirm(plan, path, within)
        except ActionFailed as failure:
            raise StepFailed(path, failure.kind, f"could not be confirmed: {failure.reason}") from failure
        if settlement.state != "settled":
            raise StepFailed(path, "failed", f"not confirmed: {settlement.reason}")
        if done is not None:
            done.confirmed = True
        self._tell(AuditKind.CONFIRMED, path, settlement.reason or f"Confirmed: {plan.summary}", {"plan": plan.digest})

    def _planned(self, plan: Plan, path: str) -> Plan:
        self._tell(AuditKind.PLANNED, path, plan.summary, _facts(plan, self._routes))
        if plan.kind == "refused":
            raise StepFailed(path, "refused", plan.reason)
        return plan

    def _tell(self, kind: AuditKind, path: str, message: str, data: JsonObject) -> None:
        self._runtime.emit(Event(kind, message, step=path, data=data))


def step_key(incident: str, path: str, attempt: str, ordinal: int = 1) -> str:
    """The idempotency key of a change: 32 hex digits from incident, step and iteration, so a retry gives the same.

    `ordinal` says which run of the incident it is: when that was reopened, the same step is another change.
    """
    run: list[Json] = [ordinal] if ordinal > 1 else []
    return digest([incident, path, attempt, *run])[:32]


def left_in_place(changes: Sequence[tuple[Done, str]]) -> tuple[LeftInPlace, ...]:
    """What a person must look at: each change that is still there, and why."""
    return tuple(
        LeftInPlace(
            step=done.step,
            target=done.plan.target,
            summary=done.plan.summary,
            before=done.plan.before,
            after=done.plan.after,
            reason=reason,
        )
        for done, reason in changes
    )


def _facts(plan: Plan, routes: Routes) -> JsonObject:
    carrier = carrier_of(routes, plan.action, plan.params)
    return {
        **({"worker": carrier.worker} if carrier else {}),
        "plan": plan.digest,
        "kind": plan.kind,
        "action": plan.action,
        "target": plan.target,
        "reason": plan.reason,
        "rows": [row.model_dump(mode="json") for row in plan.rows],
        "notes": list(plan.notes),
        "undo": plan.undo.call.action if plan.undo.call else plan.undo.reason,
    }
