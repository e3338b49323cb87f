"""What the model cannot say of a playbook: its expressions, its references, its actions and their parameters.

Works on the raw value, not on the model, and passes over what has the wrong shape: so these problems are told together
with those of the shape, all at once.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from halon.contracts.base import is_list, is_object
from halon.contracts.steps import MAX_STEPS, step_kind
from halon.core.expressions import KNOWN_NAMES, RESERVED_NAMES, Expression, ExpressionError, compile_expression, scan
from halon.documents import Document, nearest
from halon.documents.document import Path
from halon.playbook.actions import ActionSchema, ActionSchemas
from halon.playbook.findings import Report, Site, StepSite
from halon.playbook.params import complaints
from halon.playbook.references import Resolver
from halon.playbook.scopes import INPUTS, RESOLVE, STEPS, TRIGGER, Scope, StepFacts

MAX_LOOPS = 3
"""How deep `for_each` may be nested."""

_WITH_OUTPUT = frozenset({"uses", "verify", "for_each", "switch", "playbook"})
_BLOCKS = ("steps", "on_failure", "finally")
_BARE = re.compile(r"(alert|metadata)[.\[]")
"""What begins as an expression does, without its braces: as the name of a label no alert has it."""
_OUTPUTS: dict[str, dict[str, Any]] = {
    "for_each": {"type": "object", "properties": {"outcomes": {"type": "array"}, "failures": {"type": "array"}}},
    "switch": {"type": "object", "properties": {"case": {"type": "integer"}}},
}


def check_playbook(document: Document, actions: ActionSchemas) -> Report:
    """Check all that needs more than the shape, and tell what was seen."""
    report, raw = Report(document), document.value
    if is_object(raw):
        _Checker(report, actions, raw).run()
    return report


class _Checker:
    def __init__(self, report: Report, actions: ActionSchemas, raw: dict[str, Any]) -> None:
        self._report = report
        self._actions = actions
        self._raw = raw
        self._resolver = Resolver(frozenset(mapping(raw.get("inputs"))), {})

    # -- the playbook ----------------------------------------------------------------------------------------------

    def run(self) -> None:
        raw, body = self._raw, Scope(TRIGGER)
        elsewhere = self._ids()
        self._resolver = Resolver(frozenset(mapping(raw.get("inputs"))), elsewhere)
        trigger = mapping(raw.get("trigger"))
        self._fill(trigger.get("if"), ("trigger", "if"), body, "condition")
        for index, name in enumerate(sequence(trigger.get("group_by"))):
            place = ("trigger", "group_by", index)
            self._fill(name, place, body)
            if _BARE.match(str(name)):
                message = f"`{name}` would be taken for a label's name: write the label's alone, or ${{{{ {name} }}}}"
                self._report.add(place, message, "bare_expression")
        body = self._resolve(Scope(RESOLVE))
        body = self._inputs(body)
        self._fill(raw.get("target"), ("target",), body.knowing("inputs"))
        body = body.knowing(*STEPS)
        guard = mapping(raw.get("guard"))
        self._fill(guard.get("lock"), ("guard", "lock"), body)
        self._fill(mapping(guard.get("budget")).get("scope"), ("guard", "budget", "scope"), body)
        after = self._block(raw.get("steps"), ("steps",), body).doubtful(body).knowing("failure")
        self._block(raw.get("on_failure"), ("on_failure",), after)
        self._block(raw.get("finally"), ("finally",), after)
        self._tests()
        self._unfilled()

    def _ids(self) -> dict[str, str]:
        """Note every id, twice used ones as problems, and say of each where it is seen from elsewhere."""
        first: dict[str, Path] = {}
        elsewhere: dict[str, str] = {}
        resolving = sequence(self._raw.get("resolve"))
        places: list[tuple[Path, Any]] = [(("resolve", index), step) for index, step in enumerate(resolving)]
        for block in _BLOCKS:
            places.extend(all_steps(self._raw.get(block), (block,)))
        for path, step in places:
            name = mapping(step).get("id")
            if not isinstance(name, str):
                continue
            if name in first:
                line = self._report.document.position((*first[name], "id")).line
                self._report.add((*path, "id"), f"step id `{name}` is used already in line {line}", "duplicate_id")
                continue
            first[name] = path
            loop = "for_each" in path
            elsewhere[name] = (
                "is inside a `for_each`, and known only there" if loop else "does not come before this one"
            )
        if len(places) > MAX_STEPS:
            self._report.add(("steps",), f"{len(places)} steps are more than {MAX_STEPS}", "too_many_steps", key=True)
        return elsewhere

    def _resolve(self, scope: Scope) -> Scope:
        for index, step in enumerate(sequence(self._raw.get("resolve"))):
            path, raw = ("resolve", index), mapping(step)
            self._fill(raw.get("if"), (*path, "if"), scope, "condition")
            schema = self._action(raw, path, scope, reads="resolve")
            name = raw.get("id")
            facts = StepFacts("uses", str(raw.get("uses", "")), schema.output if schema else None)
            scope = scope.having(name if isinstance(name, str) else None, facts)
        return scope

    def _inputs(self, scope: Scope) -> Scope:
        earlier: set[str] = set()
        for name, declared in mapping(self._raw.get("inputs")).items():
            here = Scope(INPUTS, steps=scope.steps, inputs=frozenset(earlier))
            self._fill(mapping(declared).get("default"), ("inputs", name, "default"), here)
            earlier.add(name)
        return scope

    def _tests(self) -> None:
        for index, test in enumerate(sequence(self._raw.get("tests"))):
            for name in mapping(mapping(test).get("given")):
                action = name.split("@", 1)[0]
                if action not in self._actions:
                    message = f"unknown action `{action}`{nearest(action, self._actions)}"
                    self._report.add(("tests", index, "given", name), message, "unknown_action", key=True)

    def _unfilled(self) -> None:
        """Expressions at places where nothing fills them in: they would be shown or used as they are written."""
        for found in scan({key: value for key, value in self._raw.items() if key != "tests"}):
            if found.path not in self._report.seen:
                message = found.problem or "an expression is not filled in here: write it out, or move it into `with`"
                self._report.add(found.path, message, "expression_place", offset=found.offset)

    # -- steps -----------------------------------------------------------------------------------------------------

    def _block(self, steps: Any, path: Path, scope: Scope) -> Scope:
        for index, step in enumerate(sequence(steps)):
            scope = self._step(mapping(step), (*path, index), scope)
        return scope

    def _step(self, raw: dict[str, Any], path: Path, scope: Scope) -> Scope:
        kind = step_kind(raw)
        if kind is None:
            return scope
        name = raw.get("id") if isinstance(raw.get("id"), str) else None
        self._report.steps.append(StepSite(path, kind, name or "", _action_of(raw, kind)))
        self._fill(raw.get("if"), (*path, "if"), scope, "condition")
        inner, facts = self._kind(raw, kind, path, scope)
        handler = raw.get("on_failure")
        # A step that may be skipped, or whose failure is passed over, leaves only its own entry behind for certain.
        sure = "if" not in raw and handler in {None, "fail", "stop"} if not isinstance(handler, list) else False
        after = scope.after(inner, sure=sure).having(name, facts)
        if isinstance(handler, list):
            failed = inner.doubtful(scope).having(name, facts).knowing("failure")
            handled = self._block(handler, (*path, "on_failure"), failed)
            after = after.after(handled, sure=False)
        self._undo(raw, kind, path, scope)
        return after

    def _kind(self, raw: dict[str, Any], kind: str, path: Path, scope: Scope) -> tuple[Scope, StepFacts]:
        """Check what is particular to the kind. Gives the scope at the step's end, and what is known of the step."""
        facts = StepFacts(kind, _action_of(raw, kind), _OUTPUTS.get(kind), empty=kind not in _WITH_OUTPUT)
        match kind:
            case "uses" | "verify":
                check = self._uses if kind == "uses" else self._verify
                return scope, check(raw, path, scope, facts)
            case "parallel":
                return self._parallel(raw, path, scope), facts
            case "switch":
                return self._switch(mapping(raw["switch"]), (*path, "switch"), scope), facts
            case "set":
                return self._set(mapping(raw["set"]), (*path, "set"), scope), facts
            case _:
                self._plain(raw, kind, path, scope)
                return scope, facts

    def _plain(self, raw: dict[str, Any], kind: str, path: Path, scope: Scope) -> None:
        """The kinds that leave nothing behind for the steps after them."""
        match kind:
            case "for_each":
                self._for_each(mapping(raw["for_each"]), (*path, "for_each"), scope)
            case "playbook":
                self._fill(raw.get("inputs"), (*path, "inputs"), scope)
            case "stop":
                self._fill(mapping(raw["stop"]).get("reason"), (*path, "stop", "reason"), scope)
            case "approve":
                self._gate(path)
            case _:
                pass

    def _uses(self, raw: dict[str, Any], path: Path, scope: Scope, facts: StepFacts) -> StepFacts:
        schema = self._action(raw, path, scope)
        return replace(facts, output=schema.output, empty=schema.changes) if schema else facts

    def _verify(self, raw: dict[str, Any], path: Path, scope: Scope, facts: StepFacts) -> StepFacts:
        schema = self._action(mapping(raw["verify"]), (*path, "verify"), scope, reads="verify")
        output = schema.output if schema else None
        self._fill(raw.get("until"), (*path, "until"), replace(scope, result=output).knowing("result"), "condition")
        return replace(facts, output=output)

    def _set(self, raw: dict[str, Any], path: Path, scope: Scope) -> Scope:
        for name, value in raw.items():
            self._fill(value, (*path, name), scope)
            scope = scope.setting(name)
        return scope

    def _parallel(self, raw: dict[str, Any], path: Path, scope: Scope) -> Scope:
        after = scope
        for name, branch in mapping(raw["parallel"]).items():
            own = mapping(branch)
            inner = self._block(own.get("steps"), (*path, "parallel", name, "steps"), scope)
            after = after.after(inner, sure=own.get("on_failure", "fail") == "fail")
        return after

    def _for_each(self, raw: dict[str, Any], path: Path, scope: Scope) -> None:
        self._fill(raw.get("in"), (*path, "in"), scope, "list")
        name = raw.get("as", "item")
        if sum(part == "for_each" for part in path) > MAX_LOOPS:
            self._report.add(path, f"`for_each` is nested more than {MAX_LOOPS} deep", "nested_loops")
        if not isinstance(name, str) or name in (KNOWN_NAMES | RESERVED_NAMES) - {"item"}:
            self._report.add((*path, "as"), f"`{name}` has a meaning already: take another name", "reserved_name")
            return
        self._block(raw.get("steps"), (*path, "steps"), scope.looping(name))

    def _switch(self, raw: dict[str, Any], path: Path, scope: Scope) -> Scope:
        after = scope
        for index, case in enumerate(sequence(raw.get("cases"))):
            own, place = mapping(case), (*path, "cases", index)
            self._fill(own.get("if"), (*place, "if"), scope, "condition")
            after = after.after(self._block(own.get("steps"), (*place, "steps"), scope), sure=False)
        return after.after(self._block(raw.get("default"), (*path, "default"), scope), sure=False)

    def _gate(self, path: Path) -> None:
        if path[0] == "finally":
            message = "`finally` must not wait for people: ask before, in `steps`"
            self._report.add(path, message, "gate_place")
        block: Any = self._raw
        for part in path[:-1]:
            block = block[part]
        if path[-1] == len(sequence(block)) - 1:
            self._report.add(
                path, "this gate stands before nothing: put the steps that it is for behind it", "gate_place"
            )

    # -- actions ---------------------------------------------------------------------------------------------------

    def _action(self, raw: dict[str, Any], path: Path, scope: Scope, reads: str = "") -> ActionSchema | None:
        params = raw.get("with", {})
        self._fill(params, (*path, "with"), scope)
        name = raw.get("uses")
        if not isinstance(name, str):
            return None
        schema = self._actions.get(name)
        if schema is None:
            self._report.add(
                (*path, "uses"), f"unknown action `{name}`{nearest(name, self._actions)}", "unknown_action"
            )
            return None
        if reads and schema.effect.value != "read":
            message = f"`{reads}` takes only actions that read; {name} is of effect `{schema.effect.value}`"
            self._report.add((*path, "uses"), message, "not_a_read")
        if is_object(params):
            for place, message, key in complaints(params, schema.params, scope.locals):
                at = (*path, "with", *place)
                if "with" not in raw:
                    at = (*path, "uses")
                subject = f"`{place[-1]}` " if place and not key else f"{name} " if message.startswith("needs") else ""
                self._report.add(at, f"{subject}{message}", "parameter", key=key and "with" in raw)
        return schema

    def _undo(self, raw: dict[str, Any], kind: str, path: Path, scope: Scope) -> None:
        undo = raw.get("undo")
        if is_object(undo):
            usual = self._resolver
            known = "is what this undoes: only steps before it are known here"
            self._resolver = usual.saying({str(raw.get("id")): known})
            schema = self._action(undo, (*path, "undo"), scope)
            self._resolver = usual
            if schema is not None and not schema.changes:
                told = f"`undo` takes only actions that change something; {undo['uses']} is of effect "
                message = f"{told}`{schema.effect.value}`: say `undo: never`, and tell people in `on_failure`"
                self._report.add((*path, "undo", "uses"), message, "not_a_change")
        if self._may_change(raw, kind):
            return
        for field in ("undo", "expires", "within"):
            if field in raw and not (field == "within" and kind != "uses"):
                message = f"`{field}` is for changes, and this step changes nothing"
                self._report.add((*path, field), message, "changes_nothing", key=True)

    def _may_change(self, raw: dict[str, Any], kind: str) -> bool:
        if kind in {"playbook", "approve"}:
            return kind == "playbook"
        if kind == "uses":
            schema = self._actions.get(str(raw.get("uses")))
            return schema is None or schema.changes
        return any(
            self._may_change(mapping(step), inner) for _, step in _inner_steps(raw, ()) if (inner := step_kind(step))
        )

    # -- expressions -----------------------------------------------------------------------------------------------

    def _fill(self, value: Any, path: Path, scope: Scope, wanted: str = "") -> None:
        """Compile every expression in a value and hold what it names against the scope."""
        if value is None:
            return
        for found in scan(value):
            place = (*path, *found.path)
            self._report.seen.add(place)
            if found.problem:
                self._report.add(place, found.problem, "expression", offset=found.offset, key=not found.offset)
                continue
            try:
                expression = compile_expression(found.source, scope.locals)
            except ExpressionError as error:
                self._report.add(place, str(error), "expression", offset=found.offset + error.offset)
                continue
            self._report.sites.append(Site(place, found.offset, expression))
            for offset, message in self._resolver.problems(expression, scope):
                self._report.add(place, message, "reference", offset=found.offset + offset)
            self._result(expression, place, found.offset, wanted)

    def _result(self, expression: Expression, place: Path, offset: int, wanted: str) -> None:
        expected = {"condition": ("bool", "true or false"), "list": ("list", "a list")}.get(wanted)
        if expected and expression.type not in {expected[0], "dyn"}:
            message = f"must give {expected[1]}, and gives {expression.type}"
            self._report.add(place, message, "expression_type", offset=offset)


def _action_of(raw: dict[str, Any], kind: str) -> str:
    source = mapping(raw["verify"]) if kind == "verify" else raw
    name = source.get("uses")
    return name if isinstance(name, str) else ""


def all_steps(steps: Any, path: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Every step of a block, at any depth, in the order in which they are written."""
    for index, step in enumerate(sequence(steps)):
        raw, place = mapping(step), (*path, index)
        yield place, raw
        yield from _inner_steps(raw, place)
        if isinstance(raw.get("on_failure"), list):
            yield from all_steps(raw["on_failure"], (*place, "on_failure"))


def _inner_steps(raw: dict[str, Any], path: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    for name, branch in mapping(raw.get("parallel")).items():
        yield from all_steps(mapping(branch).get("steps"), (*path, "parallel", name, "steps"))
    yield from all_steps(mapping(raw.get("for_each")).get("steps"), (*path, "for_each", "steps"))
    switch = mapping(raw.get("switch"))
    for index, case in enumerate(sequence(switch.get("cases"))):
        yield from all_steps(mapping(case).get("steps"), (*path, "switch", "cases", index, "steps"))
    yield from all_steps(switch.get("default"), (*path, "switch", "default"))


def mapping(value: Any) -> dict[str, Any]:
    """Take a value for a mapping; what is none has been told with the shape and is passed over as empty."""
    return value if is_object(value) else {}


def sequence(value: Any) -> list[Any]:
    """Take a value for a list, as `mapping` does."""
    return value if is_list(value) else []
