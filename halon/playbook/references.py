"""Whether what an expression takes from its scope is there: one sentence for what is not."""

from collections.abc import Mapping

from halon.contracts.base import JsonObject
from halon.core.expressions import Expression, Reference
from halon.documents import nearest
from halon.playbook.params import lacking
from halon.playbook.scopes import FIELDS, Scope, StepFacts

_WHERE = {
    "failure": "`failure` is known only in `on_failure` and `finally`",
    "result": "`result` is known only in `until`",
    "item": "`item` is known only within a `for_each` without `as`",
}


class Resolver:
    """Holds references of one playbook against the scope that they stand in."""

    def __init__(self, inputs: frozenset[str], elsewhere: dict[str, str]) -> None:
        self._inputs = inputs
        self._elsewhere = elsewhere
        """Every step of the playbook by id, with words for where it is."""

    def saying(self, elsewhere: Mapping[str, str]) -> "Resolver":
        """The same with other words for where some steps are."""
        return Resolver(self._inputs, {**self._elsewhere, **elsewhere})

    def problems(self, expression: Expression, scope: Scope) -> list[tuple[int, str]]:
        """Give what is not there: offset within the expression, and the sentence."""
        found: dict[tuple[int, str], None] = {}
        for use in expression.uses:
            message = self._problem(use, scope)
            if message:
                found[use.offset, message] = None
        return list(found)

    def _problem(self, use: Reference, scope: Scope) -> str | None:
        root = use.path[0]
        if root in scope.locals:
            return None
        if root not in scope.names:
            known = ", ".join(sorted(scope.names | scope.locals))
            return f"{_WHERE.get(root, f'`{root}` is not known here')}; known here: {known}"
        ask = {"steps": self._step, "inputs": self._input, "vars": self._var}.get(root, _field)
        return ask(use, scope)

    def _step(self, use: Reference, scope: Scope) -> str | None:
        if len(use.path) == 1:
            return "write out which step is meant: steps.<id>"
        name, rest = use.path[1], use.path[2:]
        facts = scope.steps.get(name) or scope.maybe.get(name)
        if facts is None:
            where = self._elsewhere.get(name)
            if where:
                return f"step `{name}` {where}"
            return f"there is no step `{name}`{nearest(name, {*scope.steps, *scope.maybe})}"
        if name not in scope.steps and use.sure > 1:
            return (
                f"step `{name}` has not run on every way that leads here: "
                f"write steps.?{name} and end it with .orValue(…)"
            )
        return _of_step(name, rest, facts) if rest else None

    def _input(self, use: Reference, scope: Scope) -> str | None:
        if len(use.path) == 1:
            return None
        name = use.path[1]
        if name not in self._inputs:
            return f"there is no input `{name}`{nearest(name, self._inputs)}"
        if scope.inputs is not None and name not in scope.inputs:
            return f"input `{name}` has no value yet here: inputs are filled in from top to bottom"
        return None

    def _var(self, use: Reference, scope: Scope) -> str | None:
        if len(use.path) == 1:
            return None
        name = use.path[1]
        if name in scope.vars or (name in scope.maybe_vars and use.sure == 1):
            return None
        if name in scope.maybe_vars:
            return (
                f"`vars.{name}` is not set on every way that leads here: write vars.?{name} and end it with .orValue(…)"
            )
        return f"no step before sets `vars.{name}`{nearest(name, scope.vars | scope.maybe_vars)}"


def _of_step(name: str, rest: tuple[str, ...], facts: StepFacts) -> str | None:
    if rest[0] not in FIELDS["steps.*"]:
        return f"`steps.{name}` has no `{rest[0]}`{nearest(rest[0], FIELDS['steps.*'])}"
    if rest[0] != "output" or len(rest) == 1:
        return None
    if facts.empty:
        more = "; a change has `before` and `after`" if facts.kind == "uses" else ""
        return f"step `{name}` has no output{more}"
    return _output(f"steps.{name}.output", rest[1:], facts.output) if facts.output is not None else None


def _field(use: Reference, scope: Scope) -> str | None:
    root, rest = use.path[0], use.path[1:]
    if root == "result" and scope.result is not None:
        return _output("result", rest, scope.result)
    fields = FIELDS.get(root)
    if fields is not None and rest and rest[0] not in fields:
        return f"`{root}` has no `{rest[0]}`{nearest(rest[0], fields)}"
    return None


def _output(prefix: str, path: tuple[str, ...], schema: JsonObject) -> str | None:
    found = lacking(path, schema)
    if found is None:
        return None
    index, hint = found
    so_far = ".".join((prefix, *path[:index]))
    return f"`{so_far}` has no `{path[index]}`{hint}"
