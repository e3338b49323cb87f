"""YAML as data and nothing else: core types of YAML 1.2, no tags, no aliases, every size bounded, every node placed.

Built from libyaml's event stream with a stack of its own. The composer that PyYAML offers recurses in C and takes the
process down on deep nesting, keeps the last of two equal keys without a word, and reads `no` as false.
"""

import re
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import yaml

from halon.documents.document import Document, DocumentError, Node, Position, Problem
from halon.documents.scalars import plain_scalar

MAX_BYTES = 256 * 1024
MAX_DEPTH = 40
MAX_NODES = 20_000
MAX_PROBLEMS = 100


class Limits(NamedTuple):
    """How much one file may hold."""

    bytes: int = MAX_BYTES
    nodes: int = MAX_NODES
    documents: int = 1


_ONE_DOCUMENT = Limits()

_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]")
"""Control characters, lone surrogates, and marks that change the order in which text is shown to who approves it."""


class _Mark(Protocol):
    """A place in the text, as both of PyYAML's parsers give it."""

    index: int
    line: int
    column: int


def parse(text: str | bytes, file: str) -> Document:
    """Read a file's text. An empty file is a document whose value is null.

    Raises:
        DocumentError: with all problems that were found.
    """
    document, problems = read(text, file)
    if document is None or problems:
        raise DocumentError(file, problems)
    return document


def read(text: str | bytes, file: str) -> tuple[Document | None, list[Problem]]:
    """Read a file's text as far as possible. Without a document there is at least one problem."""
    documents, problems = read_stream(text, file, _ONE_DOCUMENT)
    return documents[0] if documents else None, problems


def read_stream(text: str | bytes, file: str, limits: Limits) -> tuple[list[Document], list[Problem]]:
    """Read a file of several documents as far as possible; an empty one holds a document whose value is null.

    Documents that end before a problem which stops the reading are given all the same.
    """
    return _Reader(file, limits).read(text)


class _Fatal(Exception):  # noqa: N818  # stops the reading of one file; never leaves this module
    """Reading cannot go on; the problem has been noted."""


class _Reader:
    def __init__(self, file: str, limits: Limits) -> None:
        self._file = file
        self._limits = limits
        self._problems: list[Problem] = []
        self._built: list[tuple[Any, Node | None]] = []

    def read(self, text: str | bytes) -> tuple[list[Document], list[Problem]]:
        plain = ""
        try:
            plain = self._decoded(text)
            self._build(plain)
            self._built = self._built or [(None, None)]
        except _Fatal:
            pass
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            where = Position(mark.line + 1, mark.column + 1) if mark else Position(1, 1)
            self._note(where, f"not YAML: {_syntax(error, plain, where)}", "syntax")
        except (yaml.YAMLError, UnicodeError) as error:
            self._note(Position(1, 1), f"not YAML: {str(error).splitlines()[0]}", "syntax")
        documents = [Document(self._file, plain, value, root) for value, root in self._built]
        return documents, sorted(self._problems, key=lambda one: (one.line, one.column))

    def _decoded(self, text: str | bytes) -> str:
        plain = (self._from_bytes(text) if isinstance(text, bytes) else text).removeprefix("\ufeff")
        bad = _FORBIDDEN.search(plain)
        if bad:
            index = bad.start()
            where = Position(plain.count("\n", 0, index) + 1, index - plain.rfind("\n", 0, index))
            raise self._fatal(where, f"forbidden character U+{ord(bad.group()):04X}: remove it", "control_character")
        if len(plain) > self._limits.bytes or len(plain.encode()) > self._limits.bytes:
            raise self._too_large()
        return plain

    def _from_bytes(self, text: bytes) -> str:
        if len(text) > self._limits.bytes:
            raise self._too_large()
        try:
            return text.decode("utf-8")
        except UnicodeDecodeError as error:
            line = text.count(b"\n", 0, error.start) + 1
            column = error.start - text.rfind(b"\n", 0, error.start)
            where = Position(line, column)
            raise self._fatal(where, "not UTF-8: save the file in this encoding", "encoding") from error

    def _build(self, text: str) -> None:
        """Make the values from the events. Keys wait on the stack until their value has come."""
        stack: list[_Open] = []
        value: Any = None
        root: Node | None = None
        documents = nodes = 0
        for event in yaml.parse(text, Loader=yaml.CLoader):
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                self._check_document(event, documents)
            elif isinstance(event, yaml.DocumentEndEvent):
                self._built.append((value, root))
            elif isinstance(event, yaml.CollectionEndEvent):
                done = stack.pop()
                done.node.end = _index(event.end_mark)
                value, root = self._take(stack, done.node, done.value) or (value, root)
            elif isinstance(event, yaml.NodeEvent):
                nodes += 1
                self._check_node(event, nodes, len(stack))
                node = _node(event)
                if isinstance(event, yaml.ScalarEvent):
                    value, root = self._take(stack, node, self._text(event, node)) or (value, root)
                else:
                    stack.append(_opened(node, mapping=isinstance(event, yaml.MappingStartEvent)))

    def _check_document(self, event: yaml.DocumentStartEvent, documents: int) -> None:
        where = _position(event)
        if documents > self._limits.documents:
            message = "a second document begins here: one file holds one document"
            if self._limits.documents > 1:
                message = f"more than {self._limits.documents} documents in one file"
            raise self._fatal(where, message, "documents")
        if event.tags:
            raise self._fatal(where, "a %TAG directive is not allowed", "tag")

    def _check_node(self, event: yaml.NodeEvent, nodes: int, depth: int) -> None:
        if isinstance(event, yaml.AliasEvent):
            raise self._fatal(
                _position(event), f"an alias (*{event.anchor}) is not allowed: write the value out", "alias"
            )
        if nodes > self._limits.nodes:
            raise self._fatal(_position(event), f"more than {self._limits.nodes} values in one file", "too_many_nodes")
        if depth >= MAX_DEPTH and isinstance(event, yaml.CollectionStartEvent):
            raise self._fatal(_position(event), f"nested more than {MAX_DEPTH} deep", "too_deep")
        if event.anchor is not None:
            self._note(_position(event), f"an anchor (&{event.anchor}) is not allowed: leave it out", "anchor")
        if isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent) and event.tag is not None:
            self._note(_position(event), f"a tag ({event.tag}) is not allowed: leave it out", "tag")

    def _text(self, event: yaml.ScalarEvent, node: Node) -> Any:
        """The value of a scalar, which only a plain one may have other than text."""
        node.style = event.style or ""
        bad = _FORBIDDEN.search(event.value)
        if bad:
            message = f"forbidden character U+{ord(bad.group()):04X} in this text"
            self._note(node.position, message, "control_character")
        plain = not node.style and event.implicit[0]
        try:
            return plain_scalar(event.value) if plain else event.value
        except ValueError as error:
            self._note(node.position, str(error), "number")
            return None

    def _take(self, stack: "list[_Open]", node: Node, value: Any) -> tuple[Any, Node] | None:
        """Put a value where it belongs; gives it back when it is the document."""
        if not stack:
            return value, node
        self._place(stack[-1], node, value)
        return None

    def _place(self, parent: "_Open", node: Node, value: Any) -> None:
        if parent.node.items is not None:
            parent.node.items.append(node)
            parent.value.append(value)
        elif parent.key is None:
            parent.key = node
            parent.name = self._key(node, value)
        else:
            name, key = parent.name, parent.key
            parent.key = parent.name = None
            fields = parent.node.fields
            if name is None or fields is None:
                return
            if name in fields:
                first = fields[name][0].position
                self._note(key.position, f"`{name}` is there already, in line {first.line}", "duplicate_key")
                return
            fields[name] = (key, node)
            parent.value[name] = value

    def _key(self, node: Node, value: Any) -> str | None:
        if isinstance(value, str):
            return value
        what = "a list or mapping" if isinstance(value, dict | list) else "a number, a truth value or nothing"
        self._note(node.position, f"a key must be text, this is {what}: put it in quotes", "key")
        return None

    def _too_large(self) -> _Fatal:
        return self._fatal(Position(1, 1), f"larger than {self._limits.bytes // 1024} kB", "too_large")

    def _note(self, where: Position, message: str, code: str) -> None:
        self._problems.append(Problem(self._file, where.line, where.column, message, code))
        if len(self._problems) >= MAX_PROBLEMS:
            raise _Fatal

    def _fatal(self, where: Position, message: str, code: str) -> _Fatal:
        self._note(where, message, code)
        return _Fatal()


@dataclass(slots=True)
class _Open:
    """A mapping or list whose end has not come yet."""

    node: Node
    value: Any
    key: Node | None = None
    name: str | None = None


def _opened(node: Node, *, mapping: bool) -> _Open:
    node.fields, node.items = ({}, None) if mapping else (None, [])
    return _Open(node, {} if mapping else [])


def _node(event: yaml.NodeEvent) -> Node:
    start, end = event.start_mark, event.end_mark
    if start is None or end is None:
        return Node(1, 1, 0, 0)
    return Node(start.line + 1, start.column + 1, start.index, end.index)


def _position(event: yaml.Event) -> Position:
    mark = event.start_mark
    return Position(mark.line + 1, mark.column + 1) if mark else Position(1, 1)


def _index(mark: _Mark | None) -> int:
    return mark.index if mark else 0


def _syntax(error: yaml.MarkedYAMLError, text: str, where: Position) -> str:
    """What the parser says, with a hint where people stumble."""
    said = error.problem or "it cannot be read"
    lines = text.split("\n")
    line = lines[where.line - 1] if where.line <= len(lines) else ""
    if "\t" in line[: where.column]:
        return f"{said}; indent with blanks, not with tabs"
    if any("${{" in one for one in lines[max(0, where.line - 2) : where.line]):
        return f'{said}; put text with `${{{{ }}}}` in quotes: "${{{{ … }}}}"'
    return said
