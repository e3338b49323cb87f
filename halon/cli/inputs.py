"""`--input NAME=VALUE`, read as the type that the playbook declares."""

import json
from collections.abc import Sequence

from halon.contracts.base import Json, JsonObject, parse_duration
from halon.contracts.playbook import Input, Playbook
from halon.documents import nearest
from halon.errors import InvalidInput


def parse_inputs(playbook: Playbook, given: Sequence[str]) -> JsonObject:
    """Give the inputs of a run started by hand.

    Raises:
        InvalidInput: a name is unknown or given twice, a value is not of its type, or a needed one is missing.
    """
    values: JsonObject = {}
    problems: list[str] = []
    for text in given:
        name, equals, value = text.partition("=")
        declared = playbook.inputs.get(name)
        if not equals:
            problems.append(f"--input {text}: expected NAME=VALUE")
        elif declared is None:
            known = nearest(name, playbook.inputs) or f"; it has {', '.join(playbook.inputs) or 'none'}"
            problems.append(f"--input {name}: playbook {playbook.metadata.name} has no such input{known}")
        elif name in values:
            problems.append(f"--input {name}: is given twice")
        else:
            try:
                values[name] = _value(declared, value)
            except ValueError as error:
                problems.append(f"--input {name}: {error}")
    missing = [name for name, one in playbook.inputs.items() if one.required and one.default is None]
    problems += [f"--input {name}=… is missing" for name in missing if name not in values]
    if problems:
        raise InvalidInput("; ".join(problems))
    return values


def _value(declared: Input, text: str) -> Json:
    value: Json = text
    if declared.type == "duration":
        parse_duration(text)
    elif declared.type != "string":
        value = _json(declared.type, text)
    if declared.enum and value not in declared.enum:
        raise ValueError(f"must be one of {', '.join(str(one) for one in declared.enum)}")
    return value


def _json(kind: str, text: str) -> Json:
    try:
        value: Json = json.loads(text)
    except ValueError:
        value = None
    fits = {
        "integer": isinstance(value, int) and not isinstance(value, bool),
        "number": isinstance(value, int | float) and not isinstance(value, bool),
        "boolean": isinstance(value, bool),
        "list": isinstance(value, list),
        "object": isinstance(value, dict),
    }
    if not fits[kind]:
        example = {"boolean": " (true or false)", "list": " as JSON", "object": " as JSON"}.get(kind, "")
        raise ValueError(f"'{text}' is no {kind}{example}")
    return value
