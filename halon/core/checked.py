"""A checked CEL expression as a tree: types, places, and what refers to what.

The binding gives no tree, but serialises one as a `cel.expr.CheckedExpr` (cel-spec, `proto/cel/expr/checked.proto`).
Only the fields that are read here are declared; protobuf skips the others.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

from google.protobuf import any_pb2, descriptor_pb2, descriptor_pool, message_factory

_LABEL = descriptor_pb2.FieldDescriptorProto
_SCALARS = {
    "bool": _LABEL.TYPE_BOOL,
    "int64": _LABEL.TYPE_INT64,
    "int32": _LABEL.TYPE_INT32,
    "double": _LABEL.TYPE_DOUBLE,
    "string": _LABEL.TYPE_STRING,
    "uint64": _LABEL.TYPE_UINT64,
}
_MESSAGES: dict[str, str] = {
    "Empty": "",
    "Checked": "types 3 *TypeAt, expr 4 Expr, source 5 Source",
    "TypeAt": "id 1 int64, type 2 Type",
    "Type": "dyn 1 Empty, null 2 int32, primitive 3 int32, wrapper 4 int32, known 5 int32, list 6 Empty, map 7 Empty, "
    "message 9 string, param 10 string, type 11 Empty, abstract 14 Abstract",
    "Abstract": "name 1 string",
    "Source": "positions 4 *OffsetAt",
    "OffsetAt": "id 1 int64, offset 2 int32",
    "Expr": "id 2 int64, const 3 Const, ident 4 Ident, select 5 Select, call 6 Call, list 7 List, struct 8 Struct, "
    "loop 9 Comprehension",
    "Const": "text 6 string",
    "Ident": "name 1 string",
    "Select": "operand 1 Expr, field 2 string, test 3 bool",
    "Call": "target 1 Expr, function 2 string, args 3 *Expr",
    "List": "elements 1 *Expr",
    "Struct": "message 1 string, entries 2 *Entry",
    "Entry": "key 3 Expr, value 4 Expr",
    "Comprehension": "variable 1 string, range 2 Expr, accumulator 3 string, init 4 Expr, condition 5 Expr, "
    "step 6 Expr, result 7 Expr",
}
_PRIMITIVES = ("", "bool", "int", "uint", "double", "string", "bytes")
_KNOWN = ("", "any", "timestamp", "duration")


def _declare() -> Any:
    file = descriptor_pb2.FileDescriptorProto(name="halon/checked.proto", package="halon.checked", syntax="proto3")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        choice = name in {"Type", "Expr", "Const"}
        if choice:
            message.oneof_decl.add(name="kind")
        for spec in filter(None, fields.split(", ")):
            label, number, kind = spec.split()
            field = message.field.add(name=label, number=int(number))
            field.label = _LABEL.LABEL_REPEATED if kind.startswith("*") else _LABEL.LABEL_OPTIONAL
            kind = kind.removeprefix("*")
            if kind in _SCALARS:
                field.type = _SCALARS[kind]
            else:
                field.type, field.type_name = _LABEL.TYPE_MESSAGE, f".halon.checked.{kind}"
            if choice and label != "id":
                field.oneof_index = 0
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("halon.checked.Checked"))


_Checked = _declare()


@dataclass(frozen=True, slots=True)
class Const:
    """A constant; `text` only for strings."""

    type: str
    offset: int
    text: str | None


@dataclass(frozen=True, slots=True)
class Name:
    """A variable, possibly one that is declared with dots."""

    type: str
    offset: int
    name: str


@dataclass(frozen=True, slots=True)
class Select:
    """`operand.field`, or `has(operand.field)` when `test`."""

    type: str
    offset: int
    operand: "Node"
    field: str
    test: bool


@dataclass(frozen=True, slots=True)
class Call:
    """A function or operator. The receiver of a method is the first argument."""

    type: str
    offset: int
    function: str
    args: "tuple[Node, ...]"


@dataclass(frozen=True, slots=True)
class Literal:
    """A list, a map (`parts` are keys and values) or a message, which `message` names."""

    type: str
    offset: int
    parts: "tuple[Node, ...]"
    message: str


@dataclass(frozen=True, slots=True)
class Loop:
    """A comprehension; or, with `bind`, only a name for a value (`cel.bind`, `optMap`)."""

    type: str
    offset: int
    variable: str
    range: "Node"
    accumulator: str
    init: "Node"
    step: "Node"
    result: "Node"
    bind: bool


Node: TypeAlias = Const | Name | Select | Call | Literal | Loop


def parts(node: Node) -> tuple[tuple[Node, ...], tuple[Node, ...]]:
    """What a node is made of: what is evaluated outside of it, and what a loop evaluates with its own names."""
    match node:
        case Select():
            return (node.operand,), ()
        case Literal():
            return node.parts, ()
        case Call():
            return node.args, ()
        case Loop():
            return (node.range, node.init), (node.step, node.result)
        case _:
            return (), ()


def decode(serialized: bytes) -> Node:
    """Read what `Expression.serialize()` gives."""
    wrapper = any_pb2.Any.FromString(serialized)
    message: Any = _Checked.FromString(wrapper.value)
    types = {entry.id: _type(entry.type) for entry in message.types}
    offsets = {entry.id: entry.offset for entry in message.source.positions}
    return _Decoder(types, offsets).node(message.expr)


def _type(message: Any) -> str:
    kind: str | None = message.WhichOneof("kind")
    if kind == "primitive":
        return _PRIMITIVES[int(message.primitive)]
    if kind == "wrapper":
        return _PRIMITIVES[int(message.wrapper)]
    if kind == "known":
        return _KNOWN[int(message.known)]
    if kind == "abstract":
        return "optional" if message.abstract.name == "optional_type" else str(message.abstract.name)
    return kind if kind in {"null", "list", "map", "message", "type"} else "dyn"


class _Decoder:
    """Makes nodes. One method for each kind of CEL's own tree, found by the name of its field."""

    def __init__(self, types: dict[int, str], offsets: dict[int, int]) -> None:
        self._types = types
        self._offsets = offsets
        self._kinds: dict[str | None, Callable[[Any, str, int], Node]] = {
            "const": self._const,
            "ident": self._ident,
            "select": self._select,
            "call": self._call,
            "list": self._list,
            "struct": self._struct,
            "loop": self._loop,
        }

    def node(self, expr: Any) -> Node:
        which: str | None = expr.WhichOneof("kind")
        make = self._kinds.get(which, self._const)
        return make(expr, self._types.get(expr.id, "dyn"), self._offsets.get(expr.id, 0))

    def _nodes(self, exprs: Iterable[Any]) -> tuple[Node, ...]:
        return tuple(self.node(one) for one in exprs)

    def _const(self, expr: Any, kind: str, offset: int) -> Node:
        text: str | None = expr.const.text if expr.const.HasField("text") else None
        return Const("string" if text is not None else kind, offset, text)

    def _ident(self, expr: Any, kind: str, offset: int) -> Node:
        return Name(kind, offset, expr.ident.name)

    def _select(self, expr: Any, kind: str, offset: int) -> Node:
        return Select(kind, offset, self.node(expr.select.operand), expr.select.field, expr.select.test)

    def _call(self, expr: Any, kind: str, offset: int) -> Node:
        receiver = (expr.call.target,) if expr.call.HasField("target") else ()
        return Call(kind, offset, expr.call.function, self._nodes((*receiver, *expr.call.args)))

    def _list(self, expr: Any, kind: str, offset: int) -> Node:
        return Literal(kind, offset, self._nodes(expr.list.elements), "")

    def _struct(self, expr: Any, kind: str, offset: int) -> Node:
        parts = [one for entry in expr.struct.entries for one in (entry.key, entry.value)]
        return Literal(kind, offset, self._nodes(parts), expr.struct.message)

    def _loop(self, expr: Any, kind: str, offset: int) -> Node:
        loop = expr.loop
        over, init, step, result = self._nodes((loop.range, loop.init, loop.step, loop.result))
        bind = loop.variable == "#unused"
        return Loop(kind, offset, loop.variable, over, loop.accumulator, init, step, result, bind)
