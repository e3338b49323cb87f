"""A world that answers by script: what a playbook's test gives, and sensible answers where it gives none.

A change that nothing is said about is planned from its parameters, takes effect, is confirmed, and can be taken back. A
read whose output is used must be given, because only the author knows what the playbook should see.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, TypeVar

from halon.contracts.base import Json, JsonObject, canonical
from halon.contracts.ledger import Admission, AdmissionRequest, Release
from halon.contracts.people import Electorate, ElectorateRequest, Person
from halon.contracts.plan import ActionCall, Applied, Effect, Plan, ReadResult, Row, Settlement, Undo
from halon.contracts.playbook import TestDecision
from halon.core.directory import NOBODY, Directory
from halon.core.electorate import electorate
from halon.core.ledger import Ledger
from halon.core.runtime import ActionFailed
from halon.core.virtual import Answer
from halon.playbook.actions import ActionSchema, ActionSchemas
from halon.playbook.given import (
    GivenApply,
    GivenChange,
    GivenConfirm,
    GivenPlan,
    GivenPlanFailure,
    GivenRead,
    GivenUndo,
    Key,
    Scripts,
)
from halon.playbook.outputs import as_answered, no_data
from halon.playbook.params import complaints

_MAX_SUMMARY = 200

T = TypeVar("T")


def people_of(groups: Mapping[str, Sequence[str]], decisions: Sequence[TestDecision]) -> Directory:
    """Give the people of a test: the members of its groups, and all who decide; nobody without groups."""
    if not groups:
        return NOBODY
    spelled: dict[str, str] = {}
    for name in (*(member for members in groups.values() for member in members), *(one.by for one in decisions)):
        spelled.setdefault(name.strip().casefold(), name.strip())
    return Directory({name: Person() for name in spelled.values()}, groups, {})


@dataclass(slots=True)
class _Change:
    """What has become of one action at one step."""

    script: GivenChange
    spent: bool = False
    """It has been applied, or planning it has failed: the next attempt takes the next answer."""
    there: Plan | None = None
    """The plan that is in effect."""


@dataclass(slots=True)
class ScriptedWorld:
    """`halon.core.virtual.World`, by script."""

    scripts: Scripts
    actions: ActionSchemas
    ignores: Callable[[str], bool]
    """Whether nothing looks at what the read at this path answers."""
    directory: Directory = NOBODY
    """Who is who; while it is empty whoever decides may."""
    missing: list[str] = field(default_factory=list[str])
    """What the test should have given and did not, one sentence each."""
    log: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """Every `apply` and `undo` in order, with its step."""
    _turn: dict[Key, int] = field(default_factory=dict[Key, int])
    _changes: dict[tuple[str, str], _Change] = field(default_factory=dict[tuple[str, str], _Change])
    _undoing: dict[str, tuple[_Change, GivenUndo]] = field(default_factory=dict[str, tuple[_Change, GivenUndo]])
    """Plans that take something back, by digest and step."""
    _overtaken: dict[tuple[str, str], tuple[_Change, GivenUndo, Plan]] = field(
        default_factory=dict[tuple[str, str], tuple[_Change, GivenUndo, Plan]]
    )
    """Undos that somebody else's change is in the way of, by action and step: people may decide for them."""
    _ledger: Ledger = field(default_factory=Ledger)
    _keys: set[str] = field(default_factory=set[str])

    @property
    def used(self) -> frozenset[Key]:
        """Keys that were asked for at least once."""
        return frozenset(self._turn)

    def read(self, call: ActionCall, step: str) -> Answer[ReadResult]:
        """Give the next answer. Where nothing is said, a notice is delivered, and a read that nobody uses done."""
        action = self.actions[call.action]
        wrong = _wrong_params(call, action)
        if wrong is not None:
            return Answer(wrong)
        key = _lookup(self.scripts.reads, call.action, step)
        if key is None:
            if action.effect is Effect.NOTIFY or self.ignores(step):
                return Answer(ReadResult(output={}))
            lacking = f"the test gives no answer of {call.action}: add `{call.action}: {{…}}` under `given`"
            self.missing.append(f"{step}: {lacking}")
            return Answer(ActionFailed(lacking, kind="misconfigured"))
        given: GivenRead = _next(self.scripts.reads[key], self._turn, key)
        if given.error is not None:
            return Answer(ActionFailed(given.error, kind=given.kind), given.takes)
        output = no_data(action) if given.no_data else as_answered(given.output, action)
        return Answer(ReadResult(output=output, hints=dict(action.hints)), given.takes)

    def plan(self, call: ActionCall, step: str, undoing: Plan | None) -> Answer[Plan]:
        """Plan as the script says."""
        if undoing is not None:
            return self._plan_undo(call, step, undoing)
        overtaken = self._overtaken.pop((call.action, step), None)
        return Answer(self._back(call, step, *overtaken)) if overtaken else self._plan_anew(call, step)

    def _plan_anew(self, call: ActionCall, step: str) -> Answer[Plan]:
        wrong = _wrong_params(call, self.actions[call.action])
        if wrong is not None:
            return Answer(wrong)
        change = self._begin(call.action, step)
        script, form = change.script, change.script.plan
        if isinstance(form, GivenPlanFailure):
            change.spent = True
            return Answer(ActionFailed(form.error, kind=form.kind), script.takes)
        if isinstance(form, GivenPlan):
            return Answer(self._planned(call, form, script), script.takes)
        kind, reason = form, script.reason
        if kind == "change" and change.there is not None and change.there.params == call.params:
            kind, reason = "nothing", "it is there already"
        change.spent = change.spent or kind == "refused"
        if kind == "change":
            return Answer(self._planned(call, GivenPlan(after=call.params), script), script.takes)
        return Answer(self._without_change(call, kind, reason or "the test says so"), script.takes)

    def apply(self, plan: Plan, step: str, key: str) -> Answer[Applied]:
        """Apply as the script says. The same key again finds its own work done."""
        undo = self._undoing.get(_place(plan, step))
        if undo is not None:
            change, given = undo[0], undo[1].apply
        else:
            change = self._begin(plan.action, step)
            given = change.script.apply
            change.spent = True
        self.log.append(("undo" if undo else "apply", step))
        if key in self._keys:
            return Answer(Applied(status="already", reason="done by an earlier attempt with the same key"), given.takes)
        takes_effect = given.took_effect if given.error is not None else given.status in {"applied", "already"}
        if takes_effect:
            self._keys.add(key)
            change.there = None if undo else plan
        if given.error is not None:
            return Answer(ActionFailed(given.error, kind=given.kind), given.takes)
        drift = self._drifted(plan, given) if given.status == "drift" else None
        reason = given.reason or ("the target has changed" if drift else "")
        return Answer(Applied(status=given.status, ours=given.ours, reason=reason, drift=drift), given.takes)

    def confirm(self, plan: Plan, step: str) -> Answer[Settlement]:
        """Confirm as the script says."""
        undo = self._undoing.get(_place(plan, step))
        given = undo[1].confirm if undo else self._current(plan.action, step).script.confirm
        if given.error is not None:
            return Answer(ActionFailed(given.error, kind=given.kind), given.takes)
        return Answer(_settlement(given), given.takes)

    def admit(self, request: AdmissionRequest, now: datetime) -> Answer[Admission]:
        """Answer as a ledger does that no other run has written to."""
        return Answer(self._ledger.admit(request, now))

    def release(self, report: Release, now: datetime) -> None:
        """Tell the ledger."""
        self._ledger.release(report, now)

    def electorate(self, request: ElectorateRequest) -> Answer[Electorate]:
        """Find who may decide as a worker does, among the people of the test."""
        return Answer(electorate(self.directory, request, request.labels, trust="namespace", unreachable={}))

    def clearance(self, plan: Plan, step: str) -> Answer[None]:  # noqa: ARG002  # the protocol's
        """Let a held change go on: what comes next is for the script of its apply to say."""
        return Answer(None)

    def _plan_undo(self, call: ActionCall, step: str, undoing: Plan) -> Answer[Plan]:
        change = self._current(undoing.action, step)
        given = change.script.undo if isinstance(change.script.undo, GivenUndo) else GivenUndo()
        if given.error is not None:
            return Answer(ActionFailed(given.error, kind=given.kind))
        if given.refused is not None:
            self._overtaken[call.action, step] = (change, given, undoing)
            refused = self._without_change(call, "refused", given.refused)
            return Answer(refused.model_copy(update={"overtaken": True}))
        if change.there is None:
            reason = "it never took effect, or has been put back already"
            return Answer(self._without_change(call, "nothing", reason))
        return Answer(self._back(call, step, change, given, undoing))

    def _back(self, call: ActionCall, step: str, change: _Change, given: GivenUndo, undoing: Plan) -> Plan:
        """The plan that takes `undoing` back."""
        back = GivenPlan(before=undoing.after, after=undoing.before, summary=f"Take back: {undoing.summary}")
        plan = self._planned(call, back, GivenChange(undo="none"))
        self._undoing[_place(plan, step)] = (change, given)
        return plan

    def _begin(self, action: str, step: str) -> _Change:
        """The attempt that is under way, or the next one when the last is spent."""
        change = self._changes.get((action, step))
        if change is not None and not change.spent:
            return change
        key = _lookup(self.scripts.changes, action, step)
        script = _next(self.scripts.changes[key], self._turn, key) if key is not None else GivenChange()
        there = change.there if change is not None else None
        self._changes[action, step] = _Change(script, there=there)
        return self._changes[action, step]

    def _current(self, action: str, step: str) -> _Change:
        return self._changes.get((action, step)) or self._begin(action, step)

    def _planned(self, call: ActionCall, form: GivenPlan, script: GivenChange) -> Plan:
        undo = script.undo
        if undo == "none" or not self.actions[call.action].undoable:
            way_back = Undo(reason=f"{call.action} cannot be taken back")
        elif isinstance(undo, GivenUndo) and undo.none is not None:
            way_back = Undo(reason=undo.none)
        else:
            way_back = Undo(call=call)
        return Plan(
            kind="change",
            action=call.action,
            params=call.params,
            effect=self.actions[call.action].effect,
            target=form.target or call.action,
            summary=form.summary or _summary(call),
            before=form.before,
            after=form.after,
            rows=form.rows or _rows(form.before, form.after),
            notes=form.notes,
            undo=way_back,
        )

    def _drifted(self, plan: Plan, given: GivenApply) -> Plan:
        """The plan for what is there now; unless it is given, one that begins from another state."""
        form = given.plan or GivenPlan(before={**plan.before, "drifted": True}, after=plan.after)
        changed: JsonObject = {"before": form.before, "after": form.after or plan.after}
        return plan.model_copy(update={**changed, "rows": _rows(form.before, form.after or plan.after)})

    def _without_change(self, call: ActionCall, kind: Literal["nothing", "refused"], reason: str) -> Plan:
        return Plan(
            kind=kind,
            action=call.action,
            params=call.params,
            effect=self.actions[call.action].effect,
            target=call.action,
            summary=f"{'Nothing to do for' if kind == 'nothing' else 'Refused:'} {_summary(call)}",
            reason=reason,
        )


def _wrong_params(call: ActionCall, action: ActionSchema) -> ActionFailed | None:
    """What the action would say of parameters that it cannot take."""
    found = complaints(call.params, action.params, frozenset())
    if not found:
        return None
    said = "; ".join(f"{'.'.join(map(str, path))} {message}".strip() for path, message, _ in found)
    return ActionFailed(f"{call.action}: {said}", kind="invalid_input")


def _lookup(scripts: Mapping[Key, object], action: str, step: str) -> Key | None:
    """The key that speaks for this step: by its whole path, by its last name, or for all steps."""
    for name in (step, step.rpartition(".")[2], ""):
        if Key(action, name) in scripts:
            return Key(action, name)
    return None


def _next(entries: tuple[T, ...], turns: dict[Key, int], key: Key) -> T:
    turn = turns.get(key, 0)
    turns[key] = turn + 1
    return entries[min(turn, len(entries) - 1)]


def _place(plan: Plan, step: str) -> str:
    return f"{plan.digest}@{step}"


def _settlement(given: GivenConfirm) -> Settlement:
    if given.broken is not None:
        return Settlement(state="broken", reason=given.broken)
    if given.waiting is not None:
        return Settlement(state="waiting", reason=given.waiting)
    return Settlement(state="settled")


def _summary(call: ActionCall) -> str:
    params = ", ".join(f"{name}={_short(value)}" for name, value in call.params.items())
    text = f"{call.action}({params})"
    return text if len(text) <= _MAX_SUMMARY else f"{text[:_MAX_SUMMARY]}…"


def _short(value: Json) -> str:
    return value if isinstance(value, str) else canonical(value).decode()


def _rows(before: JsonObject, after: JsonObject) -> tuple[Row, ...]:
    names = dict.fromkeys([*before, *after])
    return tuple(Row(field=name, before=before.get(name), after=after.get(name)) for name in names)
