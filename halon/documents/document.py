"""A document that was read: its value as plain JSON, where each part of it stands, and what is wrong with it."""

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

from halon.documents.scalars import aligned
from halon.errors import InvalidInput

Path: TypeAlias = tuple[str | int, ...]
"""Keys and indices from the top of a document to a value."""


class Position(NamedTuple):
    """A place in a file. Lines and columns count from 1, columns in characters."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong at a place. `message` is one sentence that says what was expected or how to mend it."""

    file: str
    line: int
    column: int
    message: str
    code: str
    """Machine word, such as `duplicate_key`."""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.message}"


class DocumentError(InvalidInput):
    """A file cannot be read. `found` has its problems by position; `problems` are the same as lines of text."""

    def __init__(self, file: str, found: Sequence[Problem]) -> None:
        count = "a problem" if len(found) == 1 else f"{len(found)} problems"
        super().__init__(f"{file} has {count}", [str(problem) for problem in found])
        self.found = tuple(found)


@dataclass(frozen=True, slots=True)
class Comment:
    """A `# comment`, without its sign, and where the sign stands."""

    position: Position
    text: str


@dataclass(slots=True)
class Node:
    """Where a value stands. `fields` holds the children of a mapping with the node of each key, `items` of a list."""

    line: int
    column: int
    start: int
    end: int
    """Slice of the text, in characters."""
    style: str = ""
    """How a scalar is written: empty for plain, otherwise its sign."""
    fields: "dict[str, tuple[Node, Node]] | None" = None
    items: "list[Node] | None" = None

    @property
    def position(self) -> Position:
        """Made when it is asked for: a file has thousands of nodes, and problems with a few of them."""
        return Position(self.line, self.column)


@dataclass(frozen=True, slots=True)
class Document:
    """A file's value as plain JSON, and where each part of it stands."""

    file: str
    text: str = field(repr=False)
    value: Any
    root: Node | None = field(repr=False)

    def position(self, path: Path) -> Position:
        """Where the value at `path` stands. A path that leads nowhere gives the last part of it that exists."""
        return self._find(path)[1].position

    def key_position(self, path: Path) -> Position:
        """Where the key that `path` ends with stands; for an item of a list, the item."""
        return self._find(path)[0].position

    def locate(self, path: Path, offset: int) -> Position:
        """Where the character at `offset` of the text at `path` stands in the file, whatever way it is quoted."""
        node = self._find(path)[1]
        value: Any = self.value
        try:
            for part in path:
                value = value[part]
        except (LookupError, TypeError):
            return node.position
        if not isinstance(value, str) or node.fields is not None or node.items is not None:
            return node.position
        index = aligned(self.text, (node.start, node.end), node.style, value[:offset])
        before = self.text[node.start : index]
        line = node.position.line + before.count("\n")
        if "\n" in before:
            return Position(line, len(before) - before.rindex("\n"))
        return Position(line, node.position.column + len(before))

    def comments(self) -> Iterator[Comment]:
        """Every comment. A `#` inside text is none."""
        if self.root is None:
            return
        spans = sorted(_scalars(self.root))
        begins = [begin for begin, _ in spans]
        start = 0
        for number, line in enumerate(self.text.split("\n"), 1):
            for match in re.finditer(r"(?:^|(?<=[ \t]))#", line):
                index = start + match.start()
                last = bisect_right(begins, index) - 1
                if last < 0 or index >= spans[last][1]:
                    yield Comment(Position(number, match.start() + 1), line[match.end() :].strip())
                    break
            start += len(line) + 1

    def _find(self, path: Path) -> tuple[Node, Node]:
        nowhere = Node(1, 1, 0, 0)
        node = self.root or nowhere
        key = node
        for part in path:
            if node.fields is not None and isinstance(part, str) and part in node.fields:
                key, node = node.fields[part]
            elif node.items is not None and isinstance(part, int) and 0 <= part < len(node.items):
                key = node = node.items[part]
            else:
                break
        return key, node


def _scalars(root: Node) -> list[tuple[int, int]]:
    spans: list[tuple[int, int]] = []
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if node.fields is not None:
            waiting.extend(one for pair in node.fields.values() for one in pair)
        elif node.items is not None:
            waiting.extend(node.items)
        else:
            spans.append((node.start, node.end))
    return spans
