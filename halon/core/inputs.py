"""What a run begins with: the names that its expressions see, and its inputs, checked."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from halon.contracts.base import Json, JsonObject, parse_duration
from halon.contracts.playbook import Input, InputType, Playbook
from halon.contracts.run import RunSpec
from halon.core.frame import Scope, StepFailed, rendered
from halon.core.scope import alert_scope, metadata_scope

_MAX_INPUT = 65_536


def opening_scope(spec: RunSpec, now: datetime) -> dict[str, Any]:
    """The names that every expression of the run sees. Without an alert, `alert` is null."""
    return {
        "alert": alert_scope(spec.alerts[0], now) if spec.alerts else None,
        "incident": {
            "id": spec.incident,
            "alerts": [alert_scope(alert, now) for alert in spec.alerts],
            "count": len(spec.alerts),
        },
        "metadata": metadata_scope(spec.playbook.metadata),
        "run": {"incident": spec.incident, "dry_run": spec.dry_run, "started_by": spec.started_by, "started_at": now},
        "inputs": {},
        "target": "",
    }


def resolve_inputs(book: Playbook, given: JsonObject, scope: Scope, now: datetime) -> dict[str, Any]:
    """The playbook's inputs: what was given, otherwise the default, each of the declared type.

    Raises:
        StepFailed: an input is unknown, missing, of another type, or its default has no answer.
    """
    unknown = sorted(set(given) - set(book.inputs))
    if unknown:
        known = ", ".join(book.inputs) or "none"
        raise StepFailed(
            "inputs", "invalid_input", f"unknown input {unknown[0]}; playbook {book.metadata.name} has {known}"
        )
    values: dict[str, Any] = {}
    for name, declared in book.inputs.items():
        value: Any = given[name] if name in given else _default(name, declared, scope, now, values)
        values[name] = checked_input(name, declared, value)
    return values


def _default(name: str, declared: Input, scope: Scope, now: datetime, earlier: dict[str, Any]) -> Any:
    try:
        return rendered(f"inputs.{name}", declared.default, scope.names(now, inputs=earlier))
    except StepFailed as failure:
        if not declared.required:
            return None
        raise StepFailed(
            failure.step, "invalid_input", f"needs a value, and its default has none: {failure.reason}"
        ) from failure


def checked_input(name: str, declared: Input, value: Any) -> Any:
    """Give the value of an input as expressions see it.

    Raises:
        StepFailed: it is not of the declared type, or not one that may be.
    """
    place = f"inputs.{name}"
    if value is None:
        if declared.required:
            raise StepFailed(place, "invalid_input", f"needs a value of type {declared.type}")
        return None
    if declared.type == "duration":
        value = _duration(place, value)
    elif not _IS[declared.type](value):
        raise StepFailed(place, "invalid_input", f"expected {declared.type}, got {type(value).__name__}")
    if isinstance(value, str) and len(value) > _MAX_INPUT:
        raise StepFailed(place, "invalid_input", f"is longer than {_MAX_INPUT} characters")
    if declared.enum and value not in declared.enum:
        allowed = ", ".join(str(one) for one in declared.enum)
        raise StepFailed(place, "invalid_input", f"must be one of {allowed}")
    return value


def _duration(place: str, value: Json) -> timedelta:
    try:
        return parse_duration(value)
    except ValueError as error:
        raise StepFailed(place, "invalid_input", str(error)) from error


def _integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


_IS: dict[InputType, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "integer": _integer,
    "number": lambda value: _integer(value) or isinstance(value, float),
    "boolean": lambda value: isinstance(value, bool),
    "list": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}
