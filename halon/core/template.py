"""Finding `${{ … }}` in text. `$${{` stands for itself; a `}}` inside CEL's own text or maps does not end it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from halon.contracts.base import Json, is_list, is_object

OPEN = "${{"
CLOSE = "}}"
_QUOTES = ('"""', "'''", '"', "'")
_NOTABLE = re.compile("[\"'{}]|//")
"""What the end of an expression hangs on; everything else is passed over."""


@dataclass(frozen=True, slots=True)
class Found:
    """One expression in a value.

    `path` leads to the text that holds it, `offset` is where `source` begins in that text, counted in characters, and
    `lone` says that the text holds nothing else. With a `problem` there is no expression, only that sentence.
    """

    path: tuple[str | int, ...]
    source: str
    offset: int
    lone: bool
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Hole:
    """An expression between pieces of text."""

    source: str
    offset: int
    problem: str = ""


def scan(value: Json) -> list[Found]:
    """Find every expression in a value, however deep, in the order in which they are written."""
    return list(_scan(value, ()))


def _scan(value: Any, path: tuple[str | int, ...]) -> Iterator[Found]:
    if isinstance(value, str):
        pieces = split(value)
        alone = lone(pieces)
        for piece in pieces:
            if isinstance(piece, Hole):
                yield Found(path, piece.source, piece.offset, alone is not None, piece.problem)
    elif is_object(value):
        for key, inner in value.items():
            if OPEN in key:
                yield Found((*path, key), "", 0, lone=False, problem="an expression cannot stand in a name")
            yield from _scan(inner, (*path, key))
    elif is_list(value):
        for index, inner in enumerate(value):
            yield from _scan(inner, (*path, index))


def lone(pieces: tuple[str | Hole, ...]) -> Hole | None:
    """Give the hole when the text is one expression with nothing but blanks around it, so that it keeps its type."""
    holes = [piece for piece in pieces if isinstance(piece, Hole)]
    if len(holes) != 1 or any(isinstance(piece, str) and piece.strip() for piece in pieces):
        return None
    return holes[0]


@lru_cache(maxsize=4096)
def split(text: str) -> tuple[str | Hole, ...]:
    """Cut text into literal pieces and holes. A hole that is never closed takes the rest and has a problem."""
    if OPEN not in text:
        return (text,) if text else ()
    pieces: list[str | Hole] = []
    literal = ""
    index = 0
    while True:
        start = text.find(OPEN, index)
        if start < 0:
            literal += text[index:]
            break
        if start > index and text[start - 1] == "$":
            literal += text[index : start - 1] + OPEN
            index = start + len(OPEN)
            continue
        literal += text[index:start]
        if literal:
            pieces.append(literal)
            literal = ""
        begin = start + len(OPEN)
        end = _end(text, begin)
        if end < 0:
            pieces.append(Hole(text[begin:], begin, "`${{` is never closed by `}}`"))
            break
        pieces.append(Hole(text[begin:end], begin))
        index = end + len(CLOSE)
    if literal:
        pieces.append(literal)
    return tuple(pieces)


def _end(text: str, index: int) -> int:
    """Where the `}}` stands that closes an expression, or -1."""
    depth = 0
    while found := _NOTABLE.search(text, index):
        index = found.start()
        if depth == 0 and text.startswith(CLOSE, index):
            return index
        quote = next((one for one in _QUOTES if text.startswith(one, index)), None)
        if quote is not None:
            index = _after_text(text, index, quote)
            continue
        if text.startswith("//", index):
            newline = text.find("\n", index)
            if newline < 0:
                return text.find(CLOSE, index) if depth == 0 else -1
            index = newline
        depth += {"{": 1, "}": -1}.get(text[index], 0)
        index += 1
    return -1


def _after_text(text: str, index: int, quote: str) -> int:
    raw = index > 0 and text[index - 1] in "rR"
    index += len(quote)
    while index < len(text):
        if text.startswith(quote, index):
            return index + len(quote)
        index += 2 if text[index] == "\\" and not raw else 1
    return len(text)
