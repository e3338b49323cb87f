"""What an expression takes from its scope: paths such as `alert.labels.pod`, and where each stands."""

from collections.abc import Iterator
from dataclasses import dataclass

from halon.core.budget import path_of
from halon.core.checked import Call, Const, Literal, Loop, Name, Node, Select

_CHECKED_CONSTANTS = frozenset({"duration", "timestamp"})


@dataclass(frozen=True, slots=True)
class Reference:
    """A way into the scope. The first `sure` parts must exist; the others are asked for with `.?` or `has`."""

    path: tuple[str, ...]
    sure: int
    offset: int
    variable: str
    """The variable that the binding reads, such as `alert.labels`: the first part, or more of them where types are known."""


def references(root: Node) -> Iterator[Reference]:
    """Give every way into the scope, in the order in which they are written, repeats included."""
    return _walk(root, frozenset())


def _walk(node: Node, local: frozenset[str]) -> Iterator[Reference]:
    base = _base(node)
    if base is not None:
        path = _path(node)
        if path is not None:
            if base.name not in local:
                yield Reference(path, _sure(node), base.offset, base.name)
            return
    match node:
        case Const():
            return
        case Name():
            return
        case Select():
            yield from _walk(node.operand, local)
        case Literal():
            for part in node.parts:
                yield from _walk(part, local)
        case Call():
            for arg in node.args:
                yield from _walk(arg, local)
        case Loop():
            yield from _walk(node.range, local)
            yield from _walk(node.init, local)
            inner = local | {node.variable, node.accumulator}
            yield from _walk(node.step, inner)
            yield from _walk(node.result, inner)


def _base(node: Node) -> Name | None:
    while True:
        match node:
            case Name():
                return node
            case Select():
                node = node.operand
            case Call() if node.function in {"_[_]", "_?._", "_[?_]"}:
                node = node.args[0]
            case _:
                return None


def _path(node: Node) -> tuple[str, ...] | None:
    if isinstance(node, Select) and node.test:
        rest = path_of(node.operand)
        return None if rest is None else (*rest, node.field)
    return path_of(node)


def _sure(node: Node) -> int:
    """How many leading parts are taken without asking whether they exist."""
    parts: list[bool] = []
    while True:
        match node:
            case Name():
                asked = [*parts, *[False] * (node.name.count(".") + 1)]
                asked.reverse()
                return asked.index(True) if True in asked else len(asked)
            case Select():
                parts.append(node.test)
                node = node.operand
            case Call():
                parts.append(node.function != "_[_]")
                node = node.args[0]
            case _:
                return 0


def constants(node: Node) -> Iterator[tuple[str, str, int]]:
    """Give the constants whose form only their function knows: function, text, place."""
    match node:
        case Call():
            first = node.args[0] if len(node.args) == 1 else None
            if node.function in _CHECKED_CONSTANTS and isinstance(first, Const) and first.text is not None:
                yield node.function, first.text, first.offset
            for arg in node.args:
                yield from constants(arg)
        case Select():
            yield from constants(node.operand)
        case Literal():
            for part in node.parts:
                yield from constants(part)
        case Loop():
            for part in (node.range, node.init, node.step, node.result):
                yield from constants(part)
        case _:
            return
