"""Whether the output that a test gives for an action is one that the action could answer, by the action's JSON Schema.

A test that was written for another version of an action must fail instead of proving nothing. A given output may leave
fields out: a test says only what matters to it. What it does say must be declared, and of the declared type.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast

from halon.contracts.base import Json, JsonObject, is_list, is_mapping, is_object, parse_duration
from halon.documents.document import Path
from halon.playbook.actions import ActionSchema
from halon.playbook.params import complaints, resolved


def mismatches(value: Json, action: ActionSchema) -> list[tuple[Path, str]]:
    """Where `value` is not what the action can answer, each with a sentence. Missing fields are no mismatch."""
    if action.output is None:
        return []
    partial = cast("JsonObject", _without_required(action.output))
    # Complaints are worded for parameters; here they are about what an action answers.
    found = [
        (path, message.replace("unknown parameter", "it has no field", 1))
        for path, message, _ in complaints(value, partial, frozenset())
    ]
    if found:
        return found
    # What the schema cannot say: that text at these places is read as a duration or a time.
    return [one for place, kind in action.hints.items() for one in _unreadable(value, _parts(place), kind, ())]


def as_answered(value: Json, action: ActionSchema) -> Json:
    """Give `value` with the numbers that the action itself would give: `3` for a field that may be 3.5 is `3.0`.

    Expressions tell the two apart, so a test with the other one would take another way than production.
    """
    schema = action.output or {}
    answered: Json = _as_numbers(value, schema, schema)
    return answered


def _as_numbers(value: Any, schema: Any, root: JsonObject) -> Any:
    known = resolved(schema, root)
    if not is_mapping(known):
        return value
    if "anyOf" in known:
        for option in known["anyOf"]:
            value = _as_numbers(value, option, root)
    elif is_object(value):
        fields, more = known.get("properties", {}), known.get("additionalProperties")
        return {name: _as_numbers(inner, fields.get(name, more), root) for name, inner in value.items()}
    elif is_list(value):
        return [_as_numbers(inner, known.get("items"), root) for inner in value]
    elif known.get("type") == "number" and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return value


def no_data(action: ActionSchema) -> Json:
    """Give what the action answers when there is no data: `no_data: true` where it has that, otherwise null."""
    schema = action.output or {}
    fields: Any = resolved(schema, schema).get("properties", {})
    if "no_data" not in fields:
        return None
    return {**{name: None for name in fields if _nullable(fields[name], schema)}, "no_data": True}


def _without_required(schema: Any) -> Any:
    if isinstance(schema, Mapping):
        known = cast("Mapping[str, Any]", schema)
        return {key: _without_required(value) for key, value in known.items() if key != "required"}
    if isinstance(schema, list):
        return [_without_required(one) for one in schema]  # pyright: ignore[reportUnknownVariableType]  # any JSON
    return schema


def _nullable(schema: Any, root: JsonObject) -> bool:
    known = resolved(schema, root)
    return any(resolved(one, root).get("type") == "null" for one in known.get("anyOf", ()))


def _parts(place: str) -> list[str]:
    return [part for part in place.replace("[]", ".[]").split(".") if part]


def _unreadable(value: Any, parts: list[str], kind: str, path: Path) -> list[tuple[Path, str]]:
    if value is None:
        return []
    if parts and parts[0] == "[]":
        items: list[Any] = value if isinstance(value, list) else []  # pyright: ignore[reportUnknownVariableType]
        return [one for index, item in enumerate(items) for one in _unreadable(item, parts[1:], kind, (*path, index))]
    if parts:
        inner = cast("dict[str, Any]", value).get(parts[0]) if isinstance(value, dict) else None
        return _unreadable(inner, parts[1:], kind, (*path, parts[0]))
    try:
        parse_duration(value) if kind == "duration" else datetime.fromisoformat(value)
    except (TypeError, ValueError):
        example = "a duration such as 10m" if kind == "duration" else "a time such as 2026-01-31T10:00:00Z"
        return [(path, f"must be {example}, not {value!r}")]
    return []
