"""What an expression takes from its scope: paths such as `alert.labels.pod`, and where each stands."""

from collections.abc import Iterator
from dataclasses import dataclass

from halon.core.budget import path_of
from halon.core.checked import Call, Const, Loop, Name, Node, Select, parts

_CHECKED_CONSTANTS = frozenset({"duration", "timestamp"})


@dataclass(frozen=True, slots=True)
class Reference:
    """A way into the scope. The first `sure` parts must exist; the others are asked for with `.?` or `has`."""

    path: tuple[str, ...]
    sure: int
    offset: int
    variable: str
    """The variable that the binding reads, such as `alert.labels`: the first part, or more where types are known."""


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
    outer, inner = parts(node)
    for part in outer:
        yield from _walk(part, local)
    if isinstance(node, Loop):
        local |= {node.variable, node.accumulator}
    for part in inner:
        yield from _walk(part, local)


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
    asks: list[bool] = []
    while True:
        match node:
            case Name():
                asked = [*asks, *[False] * (node.name.count(".") + 1)]
                asked.reverse()
                return asked.index(True) if True in asked else len(asked)
            case Select():
                asks.append(node.test)
                node = node.operand
            case Call():
                asks.append(node.function != "_[_]")
                node = node.args[0]
            case _:
                return 0


def constants(node: Node) -> Iterator[tuple[str, str, int]]:
    """Give the constants whose form only their function knows: function, text, place."""
    if isinstance(node, Call) and node.function in _CHECKED_CONSTANTS and len(node.args) == 1:
        first = node.args[0]
        if isinstance(first, Const) and first.text is not None:
            yield node.function, first.text, first.offset
    outer, inner = parts(node)
    for part in (*outer, *inner):
        yield from constants(part)


def comparisons(node: Node) -> Iterator[tuple[tuple[str, ...], str, int]]:
    """Give the ways into the scope that are held against a constant text: way, text, place of the text."""
    if isinstance(node, Call) and node.function in {"_==_", "_!=_"}:
        for one, other in (node.args, node.args[::-1]):
            path = path_of(_without_default(one))
            if path is not None and isinstance(other, Const) and other.text is not None:
                yield path, other.text, other.offset
    outer, inner = parts(node)
    for part in (*outer, *inner):
        yield from comparisons(part)


def _without_default(node: Node) -> Node:
    return node.args[0] if isinstance(node, Call) and node.function == "orValue" else node
