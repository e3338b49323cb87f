"""CEL expressions: compiled, checked and guarded once, evaluated often, the same everywhere and on every replay.

An expression is given only the values that it names, as Google's binding needs them. Maps come out sorted, times and
durations may stand anywhere in what goes in, and what might not stay small is refused before it is begun (`budget.py`).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, TypeAlias

from halon.contracts.base import Json, format_duration, is_object, is_row
from halon.core.binding import (
    ALERT_FIELDS,
    FUNCTIONS,
    KNOWN_NAMES,
    RESERVED_NAMES,
    Program,
    environment,
    is_constant_valid,
    is_error,
)
from halon.core.budget import MAX_SOURCE, EvaluationError, ExpressionError, Refused, Size, afford, inspect
from halon.core.checked import Node, decode
from halon.core.reasons import compile_reason, evaluation_reason, nearest
from halon.core.references import Reference, constants, references
from halon.core.template import CLOSE, OPEN, Found, Hole, lone, scan, split
from halon.core.values import MAX_RESULT, UNFIT, Trie, measured, prune, text_of, to_scope, wire

__all__ = [
    "FUNCTIONS",
    "KNOWN_NAMES",
    "RESERVED_NAMES",
    "EvaluationError",
    "Expression",
    "ExpressionError",
    "Found",
    "Reference",
    "ScopeValue",
    "compile_expression",
    "condition",
    "evaluate",
    "fill",
    "render",
    "scan",
]

ScopeValue: TypeAlias = Any
"""JSON, with `datetime` and `timedelta` anywhere in it."""

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_FREE_WORK = 4_000_000
"""Bytes that an expression without loops may come to without a closer look."""
_BINDING_ERRORS = (RuntimeError, TypeError, ValueError, OverflowError, SystemError)
"""What the binding raises; SystemError for an optional inside a list, which it cannot turn into a value."""


@dataclass(frozen=True, slots=True)
class Expression:
    """A checked expression."""

    source: str
    references: frozenset[tuple[str, ...]]
    """What it takes from its scope, such as `("steps", "owner", "output", "deployment")`."""
    uses: tuple[Reference, ...] = field(compare=False)
    """The same with the place of each and how much of it must exist."""
    type: str = field(compare=False)
    """Type of the result: `bool`, `string`, `int`, `double`, `duration`, `timestamp`, `list`, `map`, `null`, `dyn`."""
    program: Program = field(compare=False, repr=False)
    tree: Node = field(compare=False, repr=False)
    roots: tuple[tuple[str, tuple[str, ...], Trie], ...] = field(compare=False, repr=False)
    costly: bool = field(compare=False, repr=False)
    leaves: int = field(compare=False, repr=False)


def compile_expression(source: str, names: frozenset[str] = frozenset()) -> Expression:
    """Compile CEL, with or without its `${{ }}`. `names` are known besides the usual ones, such as the one after `as`.

    Raises:
        ExpressionError: it is not CEL, has wrong types or unknown names, or a guard refuses it.
    """
    bare, shift = _bare(source)
    try:
        return _compiled(bare, names - KNOWN_NAMES)
    except ExpressionError as error:
        if not shift:
            raise
        raise _error(source, str(error), error.offset + shift) from error


def evaluate(expression: Expression, scope: Mapping[str, ScopeValue]) -> ScopeValue:
    """Evaluate against the values in `scope`. Maps in the result are sorted by key.

    Raises:
        EvaluationError: it has no answer for these values, or might need too much time or memory.
    """
    data: dict[str, Any] = {}
    sizes: dict[tuple[str, ...], Size] = {}
    for name, path, trie in expression.roots:
        found = prune(scope, path, trie, sizes)
        if found is not None:
            data[name] = found[0]
    total = sum(size.bytes for size in sizes.values())
    if expression.costly or total * expression.leaves > _FREE_WORK:
        afford(expression.tree, sizes)
    try:
        value = expression.program.eval(data=data)
        plain = value.plain_value()
    except _BINDING_ERRORS as error:
        raise EvaluationError(evaluation_reason(expression.uses, scope, str(error))) from error
    if is_error(value):
        raise EvaluationError(evaluation_reason(expression.uses, scope, str(plain)))
    return to_scope(plain)


def condition(source: str, scope: Mapping[str, ScopeValue]) -> bool:
    """Ask a condition.

    Raises:
        EvaluationError: it has no answer, or one that is neither true nor false.
    """
    answer = _answer(source, scope)
    if not isinstance(answer, bool):
        raise EvaluationError(f"`{_bare(source)[0].strip()}` is {_shown(answer)}, neither true nor false")
    return answer


def render(value: Json, scope: Mapping[str, ScopeValue]) -> Json:
    """Fill in every expression of a value that goes over a wire: durations become `10m`, times RFC 3339.

    A lone `${{ }}` keeps its type, inside text it becomes text, `$${{` stands for `${{`.

    Raises:
        EvaluationError: an expression has no answer, or the whole becomes larger than 256 kB.
    """
    result: Json = wire(fill(value, scope))
    return result


def fill(value: Json, scope: Mapping[str, ScopeValue]) -> ScopeValue:
    """Fill in every expression of a value as `render` does, but keep durations and times as such.

    Raises:
        EvaluationError: an expression has no answer, or the whole becomes larger than 256 kB.
    """
    filled = _filled(value, scope)
    if measured(filled) > MAX_RESULT:
        raise EvaluationError(f"the result is larger than {MAX_RESULT // 1024} kB")
    return filled


def _filled(value: Any, scope: Mapping[str, ScopeValue]) -> Any:
    if isinstance(value, str):
        pieces = split(value)
        alone = lone(pieces)
        if alone is not None:
            return _hole(alone, scope)
        return "".join(
            piece if isinstance(piece, str) else text_of(_hole(piece, scope), piece.source) for piece in pieces
        )
    if is_object(value):
        return {key: _filled(inner, scope) for key, inner in value.items()}
    if is_row(value):
        return [_filled(inner, scope) for inner in value]
    return value


def _hole(hole: Hole, scope: Mapping[str, ScopeValue]) -> ScopeValue:
    if hole.problem:
        raise EvaluationError(hole.problem)
    return _answer(hole.source, scope)


def _answer(source: str, scope: Mapping[str, ScopeValue]) -> ScopeValue:
    names = frozenset(name for name in scope if name not in KNOWN_NAMES and _IDENTIFIER.fullmatch(name))
    try:
        return evaluate(compile_expression(source, names), scope)
    except ExpressionError as error:
        raise EvaluationError(f"`{_bare(source)[0].strip()}`: {error}") from error


def _bare(source: str) -> tuple[str, int]:
    """The CEL within `${{ }}`, and how many characters stand before it."""
    stripped = source.strip()
    if not (stripped.startswith(OPEN) and stripped.endswith(CLOSE)):
        return source, 0
    return stripped[len(OPEN) : -len(CLOSE)], source.index(OPEN) + len(OPEN)


@lru_cache(maxsize=4096)
def _compiled(source: str, names: frozenset[str]) -> Expression:
    if len(source) > MAX_SOURCE:
        raise ExpressionError(f"longer than {MAX_SOURCE} characters: compute parts of it in `set` steps")
    unfit = UNFIT.search(source)
    if unfit:
        raise _error(source, f"forbidden character U+{ord(unfit.group()):04X}", unfit.start())
    if not source.strip():
        raise ExpressionError("empty: an expression was expected")
    try:
        program = environment(names).compile(source)
    except _BINDING_ERRORS as error:
        message, line, column, name = compile_reason(str(error), KNOWN_NAMES | names)
        offset = _offset(source, line, column)
        if name and not source.startswith(name, offset):
            offset = max(source.rfind(name, 0, offset), 0)
        raise _error(source, message, offset) from error
    tree = decode(program.serialize())
    try:
        costly, leaves = inspect(tree)
    except Refused as refused:
        raise _error(source, str(refused), refused.offset) from refused
    _check_constants(source, tree)
    if tree.type in {"bytes", "type", "message"}:
        raise _error(source, f"the result is of type {tree.type}: turn it into text or a number", tree.offset)
    uses = tuple(replace(use, offset=_start(source, use)) for use in references(tree))
    for use in uses:
        if use.path[0] == "alert" and len(use.path) > 1 and use.path[1] not in ALERT_FIELDS:
            message = f"`alert` has no `{use.path[1]}`{nearest(use.path[1], ALERT_FIELDS)}"
            raise _error(source, message, use.offset)
    return Expression(
        source=source,
        references=frozenset(use.path for use in uses),
        uses=uses,
        type=tree.type,
        program=program,
        tree=tree,
        roots=_roots(uses),
        costly=costly,
        leaves=leaves,
    )


def _check_constants(source: str, tree: Node) -> None:
    for function, text, offset in constants(tree):
        if not is_constant_valid(function, text):
            if function == "duration":
                message = f"`{text}` is no duration here: CEL has the units h, m, s, ms, us and ns; a day is 24h"
            else:
                message = f"`{text}` is no time: write 2026-01-31T10:00:00Z"
            raise _error(source, message, offset)


def _start(source: str, use: Reference) -> int:
    """Where the first name of a path begins: a variable that is declared with dots is placed at its last dot."""
    if source.startswith(use.path[0], use.offset):
        return use.offset
    return max(source.rfind(use.path[0], 0, use.offset), 0)


def _roots(uses: tuple[Reference, ...]) -> tuple[tuple[str, tuple[str, ...], Trie], ...]:
    """For each variable of the binding the parts of its value that are looked at; an empty trie is all of it."""
    roots: dict[str, tuple[tuple[str, ...], list[tuple[str, ...]]]] = {}
    for use in uses:
        depth = use.variable.count(".") + 1
        roots.setdefault(use.variable, (use.path[:depth], []))[1].append(use.path[depth:])
    return tuple((name, path, _trie(tails)) for name, (path, tails) in sorted(roots.items()))


def _trie(tails: list[tuple[str, ...]]) -> Trie:
    if not all(tails):
        return {}
    heads: dict[str, list[tuple[str, ...]]] = {}
    for tail in tails:
        heads.setdefault(tail[0], []).append(tail[1:])
    return {head: _trie(rest) for head, rest in heads.items()}


def _error(source: str, message: str, offset: int) -> ExpressionError:
    before = source[:offset]
    line = before.count("\n") + 1
    return ExpressionError(message, line=line, column=offset - before.rfind("\n"), offset=offset)


def _offset(source: str, line: int, column: int) -> int:
    lines = source.split("\n")
    return sum(len(one) + 1 for one in lines[: line - 1]) + column - 1


def _shown(value: ScopeValue) -> str:
    if isinstance(value, timedelta):
        return format_duration(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    text = repr(value) if value is not None else "null"
    return text if len(text) <= 60 else f"{text[:60]}…"  # noqa: PLR2004  # what reads well
