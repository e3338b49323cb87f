"""Whether the output that a test gives for an action is one that the action could answer, by the action's JSON Schema.

A test that was written for another version of an action must fail instead of proving nothing. A given output may leave
fields out: a test says only what matters to it. What it does say must be declared, and of the declared type.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeAlias, cast

from halon.contracts.base import Json
from halon.documents import nearest
from halon.documents.parsing import Path

Schema: TypeAlias = Mapping[str, Any]

_MAX_DEPTH = 30

_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
    "null": (type(None),),
}
_SAID = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
    "null": "null",
}


def mismatches(value: Json, schema: Schema, path: Path = ()) -> list[tuple[Path, str]]:
    """Where `value` is not what `schema` declares, each with a sentence. Missing fields are no mismatch."""
    return _check(value, schema, schema, path, 0)


def no_data(schema: Schema) -> Json:
    """Give what an action of this schema answers when there is no data: `no_data: true` where it has that, or null."""
    fields = _fields(schema)
    if "no_data" not in fields:
        return None
    empty: dict[str, Json] = {name: None for name in sorted(fields) if _nullable(fields[name], schema)}
    return {**empty, "no_data": True}


def _check(value: Json, declared: Any, root: Schema, path: Path, depth: int) -> list[tuple[Path, str]]:
    schema = _resolved(declared, root)
    if depth > _MAX_DEPTH:
        return []
    choices = schema.get("anyOf") or schema.get("oneOf")
    if choices:
        found = [_check(value, one, root, path, depth + 1) for one in choices]
        # The choice that came furthest tells most: its problems lie deepest.
        return [] if [] in found else max(found, key=lambda some: max(len(place) for place, _ in some))
    said = _wrong_value(value, schema) or _wrong_text(value, schema)
    if said:
        return [(path, said)]
    if isinstance(value, dict):
        return _check_object(value, schema, root, path, depth)
    if isinstance(value, list):
        rest = schema.get("items", {})
        entries = enumerate(value)
        return [each for index, item in entries for each in _check(item, rest, root, (*path, index), depth + 1)]
    return []


def _check_object(
    value: dict[str, Json], schema: Schema, root: Schema, path: Path, depth: int
) -> list[tuple[Path, str]]:
    declared: dict[str, Any] = schema.get("properties", {})
    others = schema.get("additionalProperties", True)
    problems: list[tuple[Path, str]] = []
    for name, item in value.items():
        if name in declared:
            problems += _check(item, declared[name], root, (*path, name), depth + 1)
        elif others is False:
            problems.append(((*path, name), f"the action's output has no field `{name}`{nearest(name, declared)}"))
        else:
            problems += _check(item, others, root, (*path, name), depth + 1)
    return problems


def _wrong_value(value: Json, schema: Schema) -> str:
    """Why a value itself, apart from what is in it, does not fit; empty when it does."""
    if "const" in schema and value != schema["const"]:
        return f"must be {schema['const']!r}, not {value!r}"
    if "enum" in schema and value not in schema["enum"]:
        return f"must be one of {', '.join(str(one) for one in schema['enum'])}, not {value!r}"
    kinds = schema.get("type")
    names: list[str] = [kinds] if isinstance(kinds, str) else list(kinds or ())
    if names and not any(_is(value, name) for name in names):
        expected = " or ".join(_SAID.get(name, name) for name in names)
        return f"must be {expected}{_such_as(schema)}, not {value!r}"
    return ""


def _wrong_text(value: Json, schema: Schema) -> str:
    """Why a text does not have its form; empty when it does."""
    if not isinstance(value, str):
        return ""
    pattern = schema.get("pattern")
    if isinstance(pattern, str) and (re.search(pattern, value) is None or not value):
        return f"must be text{_such_as(schema) or f' of the form {pattern}'}, not {value!r}"
    if schema.get("format") == "date-time":
        try:
            datetime.fromisoformat(value)
        except ValueError:
            return f"must be a time such as 2026-01-31T10:00:00Z, not {value!r}"
    return ""


def _such_as(schema: Schema) -> str:
    examples = schema.get("examples")
    return f" such as {examples[0]}" if isinstance(examples, list) and examples else ""


def _is(value: Json, name: str) -> bool:
    if isinstance(value, bool):
        return name == "boolean"
    return isinstance(value, _TYPES.get(name, (object,)))


def _fields(schema: Schema) -> dict[str, Any]:
    found: dict[str, Any] = _resolved(schema, schema).get("properties", {})
    return found


def _nullable(declared: Any, root: Schema) -> bool:
    choices = _resolved(declared, root).get("anyOf", ())
    return any(_resolved(one, root).get("type") == "null" for one in choices)


def _resolved(schema: Any, root: Schema) -> Schema:
    """Follow references within the schema. A schema that is no mapping declares nothing."""
    for _ in range(_MAX_DEPTH):
        if not isinstance(schema, dict):
            return {}
        known = cast("Schema", schema)
        reference = known.get("$ref")
        if not isinstance(reference, str):
            return known
        found: Any = root
        for part in reference.removeprefix("#/").split("/"):
            found = cast("Schema", found).get(part) if isinstance(found, dict) else None
        schema = found
    return {}
