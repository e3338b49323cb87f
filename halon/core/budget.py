"""What an expression may cost: refused at load when it can be told from the text, otherwise before it is evaluated.

CEL terminates, but it does not stay small: text can be doubled, `map` copies its list on every step, and the binding
can be neither bounded nor interrupted. So the size of every intermediate value is bounded from above, from the sizes
of the values that go in, and an expression that might come out too large is not begun.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

from halon.core.checked import Call, Const, Literal, Loop, Name, Node, Select, parts
from halon.errors import InvalidInput, PermanentError

MAX_SOURCE = 2000
MAX_LOOPS = 4
MAX_NESTING = 2
MAX_BINDS = 8
MAX_TEXT_CALLS = 4
MAX_PATTERN = 200
MAX_REPEATS = 1000
MAX_WORK = 50_000_000
"""Bytes touched. At about one a nanosecond this is a twentieth of a second, far below the two seconds that Temporal
gives a workflow before it calls it stuck."""
MAX_ITERATIONS = 10_000
"""What the binding allows in one evaluation."""

_CELL = 16
"""Bytes of one element of a list."""
_TEXT_CALLS = frozenset({"replace", "join", "split", "format"})
_SMALL = frozenset({"bool", "int", "uint", "double", "null", "timestamp", "duration", "type"})
_TAKE_OPTIONAL = frozenset({"orValue", "hasValue", "value", "_?._", "_[?_]", "_[_]"})
"""Functions whose first argument may be an optional."""
_MAKE_OPTIONAL = frozenset({"_?._", "_[?_]", "optional.of", "optional.none", "optional.ofNonZeroValue", "or"})
_KEEP_PARTS = frozenset({"list", "keys", "orValue", "or", "value", "optional.of", "optional.ofNonZeroValue", "dyn"})
"""Functions that give what goes in, or parts of it."""
_REPEAT = re.compile(r"\{(\d+)(?:,(\d*))?\}")


class ExpressionError(InvalidInput):
    """An expression that cannot be used. `line` and `column` count from 1 within the expression, `offset` from 0."""

    def __init__(self, message: str, *, line: int = 1, column: int = 1, offset: int = 0) -> None:
        super().__init__(message)
        self.line = line
        self.column = column
        self.offset = offset


class EvaluationError(PermanentError):
    """An expression has no answer for the values at hand; the message says why."""


class Refused(Exception):  # noqa: N818  # becomes an ExpressionError with line and column
    """A guard's reason, and where in the source it applies."""

    def __init__(self, reason: str, offset: int) -> None:
        super().__init__(reason)
        self.offset = offset


class Size(NamedTuple):
    """Upper bounds of a value: its bytes, its elements, the bytes of its largest element."""

    bytes: int
    length: int
    element: int


SMALL = Size(_CELL, 0, 0)


def inspect(root: Node) -> tuple[bool, int]:
    """Ask the guards. Answers whether the cost must be bounded before every evaluation, and the number of leaves.

    Raises:
        Refused: by the first guard that says no.
    """
    guard = _Guard()
    guard.visit(root, 0, frozenset())
    if _optional(root, frozenset()):
        raise Refused("the result may be missing: end it with .orValue(…)", root.offset)
    return guard.costly, guard.leaves


class _Guard:
    def __init__(self) -> None:
        self.costly = False
        self.leaves = 0
        self._loops = self._binds = self._text_calls = 0

    def visit(self, node: Node, nesting: int, maybe: frozenset[str]) -> None:
        """Look at a node and all below it. `maybe` are the local names of what may be missing."""
        for part in _taken(node):
            if _optional(part, maybe):
                raise Refused(
                    "this may be missing and is used as if it were there: end it with .orValue(…)", part.offset
                )
        match node:
            case Const() | Name():
                self.leaves += 1
            case Literal() if node.message:
                raise Refused(f"`{node.message}` cannot be made in an expression", node.offset)
            case Call():
                self._call(node)
            case _:
                pass
        for part in parts(node)[0]:
            self.visit(part, nesting, maybe)
        if isinstance(node, Loop):
            self._loop(node, nesting, maybe)

    def _loop(self, node: Loop, nesting: int, maybe: frozenset[str]) -> None:
        self.costly = True
        if node.bind:
            self._binds += 1
            if self._binds > MAX_BINDS:
                raise Refused(f"more than {MAX_BINDS} uses of bind and optMap", node.offset)
            self.visit(node.result, nesting, _bound(node, maybe))
            return
        self._loops += 1
        if self._loops > MAX_LOOPS:
            raise Refused(f"more than {MAX_LOOPS} loops (all, exists, filter, map) in one expression", node.offset)
        if nesting >= MAX_NESTING:
            raise Refused(f"loops nested more than {MAX_NESTING} deep", node.offset)
        if node.range.type == "map":
            raise Refused("the order of a map is not the same twice: loop over keys(…), which sorts", node.offset)
        if node.range.type != "list":
            raise Refused(
                "it is not known that this is a list: write list(…) around it, or keys(…) for a map", node.offset
            )
        inner = maybe - {node.variable}
        self.visit(node.step, nesting + 1, inner)
        self.visit(node.result, nesting + 1, inner)

    def _call(self, node: Call) -> None:
        name = node.function
        if name in _TEXT_CALLS:
            self.costly = True
            self._text_calls += 1
            if self._text_calls > MAX_TEXT_CALLS:
                raise Refused(f"more than {MAX_TEXT_CALLS} uses of replace, join, split and format", node.offset)
        if name == "matches":
            self.costly = True
            self._pattern(node)

    def _pattern(self, node: Call) -> None:
        pattern = node.args[-1]
        if not isinstance(pattern, Const) or pattern.text is None:
            raise Refused("the pattern of matches() must be written out as text", node.offset)
        if len(pattern.text) > MAX_PATTERN:
            raise Refused(f"a pattern longer than {MAX_PATTERN} characters", pattern.offset)
        if _repeats(pattern.text) > MAX_REPEATS:
            raise Refused(f"a pattern with more than {MAX_REPEATS} repeats", pattern.offset)


def _taken(node: Node) -> tuple[Node, ...]:
    """The parts of a node that must not be optionals: what CEL does not take apart, the binding crashes on."""
    match node:
        case Literal():
            return node.parts
        case Call() if node.function in _TAKE_OPTIONAL:
            return node.args[1:]
        case Call() if node.function == "_?_:_":
            return node.args[:1]
        case Call() if node.function != "or":
            return node.args
        case Loop():
            return (node.range,) if node.bind else (node.range, node.init, node.step, node.result)
        case _:
            return ()


def _optional(node: Node, maybe: frozenset[str]) -> bool:
    """Whether a value may be an optional. The type alone does not tell: `x[?0]` of an untyped list is untyped."""
    return node.type == "optional" or _made_optional(node, maybe)


def _made_optional(node: Node, maybe: frozenset[str]) -> bool:
    match node:
        case Name():
            return node.name in maybe
        case Select():
            return not node.test and _optional(node.operand, maybe)
        case Call():
            through = {"_[_]": node.args[:1], "_?_:_": node.args[1:]}.get(node.function, ())
            return node.function in _MAKE_OPTIONAL or any(_optional(arg, maybe) for arg in through)
        case Loop():
            return node.bind and _optional(node.result, _bound(node, maybe))
        case _:
            return False


def _bound(node: Loop, maybe: frozenset[str]) -> frozenset[str]:
    name = frozenset({node.accumulator})
    return maybe | name if _optional(node.init, maybe) else maybe - name


def _repeats(pattern: str) -> int:
    product = 1
    for low, high in _REPEAT.findall(pattern):
        product *= max(1, min(int(low[:6]), MAX_REPEATS + 1), min(int(high[:6] or 0), MAX_REPEATS + 1))
    return product


def afford(root: Node, sizes: Mapping[tuple[str, ...], Size]) -> None:
    """Bound the cost of one evaluation from the sizes of the values that go in.

    Raises:
        EvaluationError: it might need too much.
    """
    estimate = _Estimate(sizes)
    estimate.of(root, {})


class _Estimate:
    def __init__(self, sizes: Mapping[tuple[str, ...], Size]) -> None:
        self._sizes = sizes
        self._work = 0
        self._times = 1

    def of(self, node: Node, local: Mapping[str, Size]) -> Size:
        size = self._size(node, local)
        self._charge(size.bytes)
        return size

    def _charge(self, amount: int) -> None:
        self._work += amount * self._times
        if self._work > MAX_WORK:
            raise EvaluationError("it might need too much time or memory for these values: use shorter lists or texts")

    def _size(self, node: Node, local: Mapping[str, Size]) -> Size:
        match node:
            case Const():
                return Size(len(node.text or "") * 4 + _CELL, 0, 0)
            case Name() | Select():
                return self._value(node, local)
            case Literal():
                inner = [self.of(part, local) for part in node.parts]
                largest = max((part.bytes for part in inner), default=0)
                return Size(sum(part.bytes + _CELL for part in inner), len(inner), largest)
            case Call():
                known = self._known(node, local)
                if known is not None:
                    return known
                args = [self.of(arg, local) for arg in node.args]
                self._charge(sum(arg.bytes for arg in args))
                return self._called(node, args)
            case Loop():
                return self._loop(node, local)

    def _value(self, node: Name | Select, local: Mapping[str, Size]) -> Size:
        known = self._known(node, local)
        if known is not None:
            return known
        if isinstance(node, Name):
            return local.get(node.name, SMALL)
        if node.test:
            self.of(node.operand, local)
            return SMALL
        return _inside(self.of(node.operand, local))

    def _known(self, node: Node, local: Mapping[str, Size]) -> Size | None:
        path = path_of(node)
        if path is None or path[0] in local:
            return None
        for length in range(len(path), 0, -1):
            size = self._sizes.get(path[:length])
            if size is not None:
                return size
        return SMALL

    def _called(self, node: Call, args: list[Size]) -> Size:
        if node.function == "matches":
            pattern = node.args[-1]
            text = pattern.text or "" if isinstance(pattern, Const) else ""
            self._charge((args[0].bytes + 8) * (len(text) + 8) * _repeats(text))
            return SMALL
        if node.function in _TEXT_CALLS:
            return _text_size(node.function, args)
        return _other_size(node, args)

    def _loop(self, node: Loop, local: Mapping[str, Size]) -> Size:
        if node.bind:
            return self.of(node.result, {**local, node.accumulator: self.of(node.init, local)})
        over = self.of(node.range, local)
        count = min(over.length, MAX_ITERATIONS)
        each = Size(over.element, over.element, over.element)
        before = self._times
        self._times *= max(count, 1)
        inner = {**local, node.variable: each, node.accumulator: Size(0, 0, 0)}
        added = self.of(node.step, inner)
        self._times = before
        if node.type != "list":
            return SMALL
        # The list is copied on every step.
        self._charge(count * count * _CELL)
        return Size(count * (added.bytes + _CELL), count, added.element)


def _text_size(function: str, args: list[Size]) -> Size:
    """What may come out of the functions that make text longer."""
    subject, second = args[0], args[1] if len(args) > 1 else SMALL
    match function:
        case "replace":
            return Size((subject.bytes + 1) * (args[2].bytes + 1), 0, 0)
        case "join":
            return Size(subject.bytes + subject.length * second.bytes, 0, 0)
        case "split":
            return Size(subject.bytes * (2 * _CELL + 1), subject.bytes + 1, subject.bytes)
        case _:
            # format: a directive of seven characters, such as %.1000f, can write some 1,300.
            return Size(subject.bytes * 200 + second.bytes * 8, 0, 0)


def _other_size(node: Call, args: list[Size]) -> Size:
    total = sum(arg.bytes for arg in args)
    match node.function:
        case "_?_:_":
            return Size(*(max(arg[part] for arg in args[1:]) for part in range(3)))
        case "_+_" if node.type not in _SMALL:
            return Size(total, sum(arg.length for arg in args), max(arg.element for arg in args))
        case "_[_]" | "_[?_]" | "_?._":
            return _inside(args[0])
        case function if function in _KEEP_PARTS:
            return Size(total, max(arg.length for arg in args), max(arg.element for arg in args))
        case _:
            return SMALL if node.type in _SMALL else Size(total * 4 + 64, total, total)


def _inside(size: Size) -> Size:
    """A part of a value: an element when those are known, otherwise at most all of it."""
    part = size.element or size.bytes
    return Size(part, part, part)


def path_of(node: Node) -> tuple[str, ...] | None:
    """Names and keys of a plain way into the values, such as `alert.labels.pod`; None for anything else."""
    if isinstance(node, Name):
        return tuple(node.name.split("."))
    if isinstance(node, Select) and not node.test:
        rest, key = path_of(node.operand), node.field
    elif isinstance(node, Call) and node.function in {"_[_]", "_?._", "_[?_]"}:
        argument = node.args[1]
        if not isinstance(argument, Const) or argument.text is None:
            return None
        rest, key = path_of(node.args[0]), argument.text
    else:
        return None
    return None if rest is None else (*rest, key)
