"""From a document's value to a pydantic model, with errors in words for people and at the place where they stand.

pydantic puts names of union members and functions into the location of an error. To tell them from the keys of the
file, the location is walked together with the types.
"""

import difflib
import json
import re
import types
from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Any, NamedTuple, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, Tag, ValidationError
from pydantic_core import ErrorDetails

from halon.contracts.base import is_list, is_object
from halon.documents.document import Document, DocumentError, Path, Position, Problem

ModelT = TypeVar("ModelT", bound=BaseModel)

_MAX_NAMES = 12
"""So many known names are listed before the list is cut."""

_KINDS = {
    "string": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "dict": "a mapping",
    "model": "a mapping",
    "model_attributes": "a mapping",
    "tuple": "a list",
    "list": "a list",
    "set": "a list",
    "frozen_set": "a list",
    "datetime": "a date and time such as 2026-01-31T10:00:00Z",
    "date": "a date such as 2026-01-31",
    "url": "a URL",
    "none_required": "nothing",
}
_LIMITS = {
    "greater_than_equal": "must be at least {ge}",
    "greater_than": "must be more than {gt}",
    "less_than_equal": "must be at most {le}",
    "less_than": "must be less than {lt}",
    "multiple_of": "must be a multiple of {multiple_of}",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
    "string_pattern_mismatch": "does not have the form {pattern}",
    "recursion_loop": "is nested in itself",
    "finite_number": "must be a finite number",
}


class _Place(NamedTuple):
    path: Path
    """The part of the location that is in the file."""
    name: str
    """The last key, when it is not in the file or not allowed there."""
    known: tuple[str, ...]
    """Names of the fields around it."""
    on_key: bool


def validate(document: Document, model: type[ModelT]) -> ModelT:
    """Make the model from the document's value. Types are strict: `"3"` is no number, `yes` no truth value.

    Raises:
        DocumentError: with all problems, by position.
    """
    value, problems = check(document, model)
    if value is None:
        raise DocumentError(document.file, problems)
    return value


def check(document: Document, model: type[ModelT]) -> tuple[ModelT | None, list[Problem]]:
    """Make the model from the document's value, or say by position why there is none."""
    if document.value is None:
        return None, [Problem(document.file, 1, 1, "the file is empty", "empty")]
    try:
        # By way of JSON, so that strict types still take a list for a tuple and text for a duration.
        return model.model_validate_json(json.dumps(document.value), strict=True), []
    except ValidationError as error:
        details = error.errors(include_url=False)
    found: dict[Problem, None] = {}
    misspelt: set[tuple[Path, str]] = set()
    missing: list[tuple[Path, str, Problem]] = []
    for one in details:
        if _follows(one):
            continue
        place = _place(model, document.value, one["loc"], missing=one["type"] == "missing")
        problem = _problem(document, one, place)
        if one["type"] == "missing":
            missing.append((place.path, place.name, problem))
            continue
        found[problem] = None
        if one["type"] == "extra_forbidden":
            misspelt.update((place.path[:-1], name) for name in _close(place.name, place.known))
    # A field that is misspelt is not missing as well.
    found |= {problem: None for path, name, problem in missing if (path, name) not in misspelt}
    return None, sorted(found, key=lambda one: (one.line, one.column, one.message))


def nearest(name: str, known: Iterable[str]) -> str:
    """Give `; did you mean …?` for a misspelt name, or `; known: …`, or nothing when there is nothing to offer."""
    names = sorted(set(known))
    close = _close(name, names)
    if close:
        return f"; did you mean `{close[0]}`?"
    if not names:
        return ""
    listed = ", ".join(names[:_MAX_NAMES])
    return f"; known: {listed}" + (f" and {len(names) - _MAX_NAMES} more" if len(names) > _MAX_NAMES else "")


def _follows(error: ErrorDetails) -> bool:
    """Whether the error only says that a list is short because its entries have errors, which are told anyway."""
    return error["type"] == "too_short" and len(error["input"]) >= error.get("ctx", {}).get("min_length", 0)


def _close(name: str, known: Iterable[str]) -> list[str]:
    return difflib.get_close_matches(name, sorted(set(known)), n=1, cutoff=0.6)


def _problem(document: Document, error: ErrorDetails, place: _Place) -> Problem:
    where = _position(document, place, error["type"])
    return Problem(document.file, where.line, where.column, _message(error, place), error["type"])


def _position(document: Document, place: _Place, kind: str) -> Position:
    if place.on_key or kind in {"extra_forbidden", "missing"}:
        return document.key_position(place.path)
    return document.position(place.path)


def _message(error: ErrorDetails, place: _Place) -> str:
    kind, said = error["type"], error["msg"]
    if kind == "extra_forbidden":
        return f"unknown field `{place.name}`{nearest(place.name, place.known)}"
    if kind == "value_error":
        said = str(error.get("ctx", {}).get("error", said))
    subject = f"`{place.path[-1]}` " if place.path and isinstance(place.path[-1], str) else ""
    expected = f"needs a field `{place.name}`" if kind == "missing" else _expected(error, said)
    if expected:
        return subject + expected
    if said.startswith("`") or kind == "step_kind":
        return said
    return subject + (said if kind == "value_error" else said[0].lower() + said[1:])


def _expected(error: ErrorDetails, said: str) -> str:
    """What was expected instead, to follow the name of the field; nothing when only the message can say it."""
    kind, value, context = error["type"], error["input"], error.get("ctx", {})
    if kind in {"literal_error", "enum"}:
        return _choice(value, str(context.get("expected", "")))
    if kind == "value_error" and said.startswith("expected "):
        return f"must be {said.removeprefix('expected ')}, not {_shown(value)}"
    if kind in {"too_short", "too_long"}:
        limit, what = context.get("min_length", context.get("max_length")), "least" if kind == "too_short" else "most"
        return f"must have at {what} {limit} {'entry' if limit == 1 else 'entries'}"
    if kind in _LIMITS:
        return _LIMITS[kind].format_map(context)
    base = kind.removesuffix("_type").removesuffix("_parsing").removesuffix("_from_float")
    quotes = "; put it in quotes" if base == "string" and isinstance(value, bool | int | float) else ""
    return f"must be {_KINDS[base]}, not {_shown(value)}{quotes}" if base in _KINDS else ""


def _choice(value: Any, expected: str) -> str:
    allowed = re.findall(r"'([^']*)'", expected)
    close = difflib.get_close_matches(str(value), allowed, n=1)
    hint = f"; did you mean `{close[0]}`?" if close else ""
    return f"must be {'one of ' if len(allowed) > 1 else ''}{', '.join(allowed) or expected}, not {_shown(value)}{hint}"


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if value is None:
        return "nothing"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 40 else f"{text[:36]}…"  # noqa: PLR2004  # what reads well


def _place(model: type[BaseModel], value: Any, loc: Sequence[int | str], *, missing: bool) -> _Place:
    """Walk an error's location along types and value: parts that only name a type are left out."""
    path: list[str | int] = []
    candidates: list[Any] = [model]
    known: tuple[str, ...] = ()
    for index, part in enumerate(loc):
        last = index == len(loc) - 1
        if part == "[key]" and last:
            return _Place(tuple(path), str(path[-1]) if path else "", (), on_key=True)
        members = list(_members(candidates))
        tagged = [kind for tag, kind in members if tag is not None and tag == part]
        if tagged:
            candidates = tagged
            continue
        kinds = [kind for _, kind in members]
        names = tuple(name for kind in kinds for name in _names(kind))
        if missing and last:
            return _Place(tuple(path), str(part), names, on_key=True)
        if not _has(value, part):
            # What a validator put around the value is in the types and not in the file.
            candidates = [child for kind in kinds for child in _children(kind, part)] or candidates
            continue
        known = names
        candidates = [child for kind in kinds for child in _children(kind, part)]
        value = value[part]
        path.append(part)
    return _Place(tuple(path), str(path[-1]) if path else "", known, on_key=False)


def _has(value: Any, part: int | str) -> bool:
    if is_list(value):
        return isinstance(part, int) and 0 <= part < len(value)
    return is_object(value) and part in value


def _members(kinds: Iterable[Any]) -> Iterator[tuple[str | None, Any]]:
    """The types that a union is made of, each with its tag."""
    for kind in kinds:
        tag: str | None = None
        inner = kind
        while get_origin(inner) is Annotated:
            tag = next((one.tag for one in inner.__metadata__ if isinstance(one, Tag)), tag)
            inner = get_args(inner)[0]
        if get_origin(inner) in {Union, types.UnionType}:
            yield from _members(get_args(inner))
        else:
            yield tag, inner


def _names(kind: Any) -> Iterator[str]:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        for name, field in kind.model_fields.items():
            yield field.alias or name


def _children(kind: Any, part: int | str) -> Iterator[Any]:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        for name, field in kind.model_fields.items():
            if part in {name, field.alias}:
                yield field.annotation
    elif get_origin(kind) in {tuple, list, set, frozenset} and get_args(kind):
        if isinstance(part, int):
            yield get_args(kind)[0]
    elif get_origin(kind) is dict:
        yield get_args(kind)[1]
