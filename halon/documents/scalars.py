"""Scalars: their values by the core schema of YAML 1.2, where `no` is text, and the places of their characters."""

import math
import re

MAX_INTEGER = 2**53 - 1
"""The largest integer that JSON carries without losing digits (RFC 8785, which digests are made with, refuses more)."""

_MAX_DIGITS = 30
"""More than 64 bit in any base. Asked before the digits are read, which takes quadratic time."""
_SHOWN = 30
"""Characters of a number that a message repeats whole."""
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_LEADING_ZERO = re.compile(r"[-+]?0[0-9]+(?:\.[0-9]*)?")
_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


def plain_scalar(text: str) -> bool | float | str | None:
    """Give the value of a scalar that is written without quotes.

    Raises:
        ValueError: it looks like a number, and is none that can be used; with the reason.
    """
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "-+.0123456789":
        return text
    if _NOT_FINITE.fullmatch(text):
        raise ValueError(f"{text} is not a number that can be used here")
    if _LEADING_ZERO.fullmatch(text):
        hint = "octal to some and decimal to others: put text in quotes, or drop the zero"
        raise ValueError(f"{text} begins with a zero, which is {hint}")
    if _INTEGER.fullmatch(text):
        return _integer(text)
    return _float(text) if _FLOAT.fullmatch(text) else text


def aligned(text: str, span: tuple[int, int], style: str, before: str) -> int:
    """Give the index in the file's text of the character of a scalar that comes after `before`.

    Counts what is not blank, because YAML folds and strips blanks.
    """
    index = span[0] + (1 if style in {"'", '"'} else 0)
    if style in {"|", ">"}:
        index = text.find("\n", index) + 1
    wanted = sum(not char.isspace() for char in before)
    seen = 0
    while index < span[1]:
        width = 1
        if style == "'" and text.startswith("''", index):
            width = 2
        elif style == '"' and text[index] == "\\":
            width = {"x": 4, "u": 6, "U": 10}.get(text[index + 1], 2)
            if text[index + 1] in "tn\n ":
                index += width
                continue
        elif text[index].isspace():
            index += 1
            continue
        if seen == wanted:
            break
        seen += 1
        index += width
    return index


def _integer(text: str) -> int:
    base = {"0o": 8, "0x": 16}.get(text[:2], 10)
    number = int(text, base) if len(text) <= _MAX_DIGITS else MAX_INTEGER + 1
    if abs(number) > MAX_INTEGER:
        raise ValueError(f"{_short(text)} is larger than JSON can carry ({MAX_INTEGER}): put it in quotes")
    return number


def _float(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{_short(text)} is too large for a number")
    return number


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:20]}… ({len(text)} characters)"
