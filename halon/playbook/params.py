"""Values against JSON Schema, as far as it can be told before expressions have values; and paths into an output."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from halon.contracts.base import Json, JsonObject, is_list, is_mapping, is_object
from halon.core.expressions import ExpressionError, compile_expression, scan
from halon.documents import nearest

Path: TypeAlias = tuple[str | int, ...]
Complaint: TypeAlias = tuple[Path, str, bool]
"""Where, what, and whether it is about the key rather than its value."""

_NAMES = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
    "null": "nothing",
}
_PYTHON: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
}
_GIVES = {
    "string": {"string"},
    "int": {"integer", "number"},
    "uint": {"integer", "number"},
    "double": {"number", "integer"},
    "bool": {"boolean"},
    "list": {"array"},
    "map": {"object"},
    "null": {"null"},
    "duration": {"string"},
    "timestamp": {"string"},
}
_MAX_DEPTH = 32


def complaints(value: Json, schema: JsonObject, names: frozenset[str]) -> list[Complaint]:
    """Hold `value` against `schema`. An expression may stand for anything that its type allows."""
    return list(_complaints(value, schema, schema, (), names))


def _complaints(value: Any, schema: Any, root: JsonObject, path: Path, names: frozenset[str]) -> Iterator[Complaint]:
    schema = resolved(schema, root)
    if not is_mapping(schema) or len(path) > _MAX_DEPTH:
        return
    options = _options(schema)
    allowed = _types(schema)
    if options is not None:
        found = [list(_complaints(value, option, root, path, names)) for option in options]
        if found and all(found):
            # The option that fits best is the one that was meant.
            yield from min(found, key=lambda one: (-max(len(place) for place, _, _ in one), len(one)))
    elif isinstance(value, str) and "${{" in value:
        yield from _expression(value, schema, path, names)
    elif allowed and not any(_is(value, kind) for kind in allowed):
        yield path, f"must be {_expected(allowed)}, not {_shown(value)}", False
    else:
        yield from _choices(value, schema, path)
        yield from _bounds(value, schema, path)
        yield from _within(value, schema, root, path, names)


def _choices(value: Any, schema: Mapping[str, Any], path: Path) -> Iterator[Complaint]:
    if "const" in schema and value != schema["const"]:
        yield path, f"must be {schema['const']!r}", False
    choices = schema.get("enum")
    if is_list(choices) and value not in choices:
        hint = nearest(value, [one for one in choices if isinstance(one, str)]) if isinstance(value, str) else ""
        yield path, f"must be one of {', '.join(map(str, choices))}{hint if 'mean' in hint else ''}", False


def _within(
    value: Any, schema: Mapping[str, Any], root: JsonObject, path: Path, names: frozenset[str]
) -> Iterator[Complaint]:
    if is_object(value):
        yield from _fields(value, schema, root, path, names)
    elif is_list(value) and "items" in schema:
        for index, item in enumerate(value):
            yield from _complaints(item, schema["items"], root, (*path, index), names)


def _expression(text: str, schema: Mapping[str, Any], path: Path, names: frozenset[str]) -> Iterator[Complaint]:
    allowed = _types(schema)
    found = scan(text)
    if not allowed or not found or any(one.problem for one in found):
        return
    if not found[0].lone:
        gives = {"string"}
        kind = "string"
    else:
        try:
            kind = compile_expression(found[0].source, names).type
        except ExpressionError:
            return
        gives = _GIVES.get(kind, set())
    if gives and not gives & set(allowed):
        yield path, f"must be {_expected(allowed)}, and this gives {_NAMES.get(kind, kind)}", False


def _fields(
    value: dict[str, Any], schema: Mapping[str, Any], root: JsonObject, path: Path, names: frozenset[str]
) -> Iterator[Complaint]:
    properties = schema.get("properties", {})
    more = schema.get("additionalProperties", True)
    for key, inner in value.items():
        if key in properties:
            yield from _complaints(inner, properties[key], root, (*path, key), names)
        elif more is False:
            yield (*path, key), f"unknown parameter `{key}`{nearest(key, properties)}", True
        elif is_mapping(more):
            yield from _complaints(inner, more, root, (*path, key), names)
    for key in schema.get("required", []):
        if key not in value:
            yield path, f"needs a parameter `{key}`", True


def _bounds(value: Any, schema: Mapping[str, Any], path: Path) -> Iterator[Complaint]:
    if isinstance(value, int | float) and not isinstance(value, bool):
        low, high = schema.get("minimum"), schema.get("maximum")
        if low is not None and value < low:
            yield path, f"must be at least {low}", False
        if high is not None and value > high:
            yield path, f"must be at most {high}", False
    if isinstance(value, str):
        if len(value) < schema.get("minLength", 0):
            yield (
                path,
                "must not be empty" if schema["minLength"] == 1 else f"is too short: {schema['minLength']}",
                False,
            )
        if len(value) > schema.get("maxLength", len(value)):
            yield path, f"must have at most {schema['maxLength']} characters", False
        pattern = schema.get("pattern")
        if isinstance(pattern, str) and not re.search(pattern, value):
            examples = schema.get("examples")
            form = f"be like {examples[0]}" if examples else f"have the form {pattern}"
            yield path, f"must {form}, not {_shown(value)}", False


def resolved(schema: Any, root: JsonObject) -> Any:
    """Follow `$ref` within the schema."""
    for _ in range(_MAX_DEPTH):
        reference: Any = schema.get("$ref") if is_mapping(schema) else None
        if not isinstance(reference, str):
            return schema
        target: Any = root
        for part in reference.removeprefix("#/").split("/"):
            target = target.get(part) if is_mapping(target) else None
        schema = target
    return None


def lacking(path: tuple[str, ...], schema: JsonObject) -> tuple[int, str] | None:
    """Say which part of a path an output does not have: its index and what is there instead; None when all is well."""
    here: Any = schema
    for index, part in enumerate(path):
        kinds = list(_flat(here, schema, 0))
        if not kinds or any(not _closed(kind) for kind in kinds):
            return None
        fields = [kind["properties"][part] for kind in kinds if part in kind.get("properties", {})]
        if not fields:
            known = sorted({name for kind in kinds for name in kind.get("properties", {})})
            return index, nearest(part, known)
        here = {"anyOf": fields}
    return None


def _flat(schema: Any, root: JsonObject, depth: int) -> Iterator[Mapping[str, Any]]:
    """What a schema may be, without null."""
    schema = resolved(schema, root)
    if not is_mapping(schema) or depth > _MAX_DEPTH:
        return
    options = _options(schema)
    if options is not None:
        for option in options:
            yield from _flat(option, root, depth + 1)
    elif schema.get("type") != "null":
        yield schema


def _closed(schema: Mapping[str, Any]) -> bool:
    """Whether the names of its fields are all known."""
    return schema.get("type") == "object" and "properties" in schema and not schema.get("additionalProperties", False)


def _options(schema: Mapping[str, Any]) -> list[Any] | None:
    options = schema.get("anyOf", schema.get("oneOf"))
    return options if is_list(options) else None


def _types(schema: Mapping[str, Any]) -> list[str]:
    kind = schema.get("type")
    return [kind] if isinstance(kind, str) else kind if is_list(kind) else []


def _is(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    kinds = _PYTHON.get(kind)
    return isinstance(value, kinds) if kinds else value is None


def _expected(kinds: list[str]) -> str:
    return " or ".join(_NAMES.get(kind, kind) for kind in kinds)


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    text = f'"{value}"' if isinstance(value, str) else str(value)
    return text if len(text) <= 40 else f"{text[:36]}…"  # noqa: PLR2004  # what reads well
