"""The reference of actions that people read, written from the code: what an action takes, gives, needs and undoes."""

import inspect
import json
from collections.abc import Iterator
from typing import Any

import yaml

from halon.contracts.base import JsonObject
from halon.contracts.plan import Effect
from halon.kit.action import Action, Change, Permission
from halon.kit.registry import Registry

_INTRODUCTION = """\
# Actions

Every action of this installation, by name. `halon schema --actions` writes this page from the code; do not edit it.

An action that reads or notifies is one call. One that changes or destroys is planned, perhaps approved, applied once,
and confirmed; what it did can be taken back where 'Undo' says so. A dry run reads and plans, and does nothing else.
A word after a failure, such as `not_found`, is what `failure.kind` holds.
"""
_EFFECTS = {
    Effect.READ: "reads",
    Effect.NOTIFY: "notifies",
    Effect.CHANGE: "changes",
    Effect.DESTROY: "destroys",
}


def reference(registry: Registry) -> str:
    """Give the text of `docs/actions.md`."""
    parts = [_INTRODUCTION, _overview(registry)]
    parts += ["\n".join(_action(name, registry)) for name in registry.names]
    return "\n".join(parts)


def _overview(registry: Registry) -> str:
    rows: list[str] = []
    for name in registry.names:
        action = registry.action(name)
        first = _cell(_docs(action).split("\n\n")[0])
        rows.append(f"| [`{name}`](#{name.replace('.', '')}) | {_EFFECTS[action.effect]} | {first} |")
    return "\n".join(["| action | effect | |", "|---|---|---|", *rows, ""])


def _action(name: str, registry: Registry) -> Iterator[str]:
    action, schema = registry.action(name), registry.documented[name]
    yield f"## {name}\n"
    yield f"{_docs(action)}\n"
    yield f"**Effect:** {_EFFECTS[action.effect]}.{_undo(action)}\n"
    yield from _table("Parameters", schema.params, "It takes no parameters.")
    if schema.output is not None:
        yield from _table("Output", schema.output, "It gives nothing.")
    yield from _permissions(action.permissions)
    example = {"uses": name, "with": action.example}
    yield "**Example**\n"
    yield f"```yaml\n{yaml.safe_dump(example, sort_keys=False, allow_unicode=True, width=110)}```\n"


def _undo(action: type[Action]) -> str:
    if not issubclass(action, Change):
        return ""
    return " **Undo:** puts back what was there before." if action.undoable else " **Undo:** none."


def _permissions(permissions: tuple[Permission, ...]) -> Iterator[str]:
    if not permissions:
        return
    yield "**Permissions**\n"
    yield "| system | what | on | why |\n|---|---|---|---|"
    for one in permissions:
        why = ", ".join([one.why, *(_condition(*each) for each in one.when)])
        yield f"| {one.system} | {', '.join(one.verbs)} | {_cell(one.resource)} | {_cell(why)} |"
    yield ""


def _condition(field: str, value: str) -> str:
    if not value:
        return f"without `{field}`"
    return f"with `{field}`" if value == "*" else f"for {field} {value}"


def _table(title: str, schema: JsonObject, empty: str) -> Iterator[str]:
    fields: dict[str, Any] = _object(schema.get("properties"))
    if not fields:
        yield f"{empty}\n"
        return
    required: Any = schema.get("required", ())
    optional = title == "Parameters"
    yield f"**{title}**\n"
    yield f"| name | type | {'default | ' if optional else ''}|\n|---|---|{'---|' if optional else ''}---|"
    for name, field in fields.items():
        default = "required" if name in required else f"`{json.dumps(field.get('default'), ensure_ascii=False)}`"
        about = _cell(str(field.get("description", "")))
        yield f"| `{name}` | {_cell(_type(field, schema))} | {f'{default} | ' if optional else ''}{about} |"
    yield ""


def _type(field: dict[str, Any], root: JsonObject) -> str:
    """Give a type in words: `text`, `list of object (labels, value)`, `number, or null`."""
    if "$ref" in field:
        return _type(_definition(str(field["$ref"]), root), root)
    if "enum" in field or "const" in field:
        return " or ".join(f"`{value}`" for value in field.get("enum", (field.get("const"),)))
    if "anyOf" in field:
        return ", or ".join(_type(one, root) for one in field["anyOf"])
    if field.get("type") == "array":
        return f"list of {_type(_object(field.get('items')), root)}"
    return _single(field)


def _single(field: dict[str, Any]) -> str:
    kind = field.get("type")
    if kind == "object":
        names = ", ".join(_object(field.get("properties")))
        return f"object ({names})" if names else "map"
    if kind == "string":
        return _text(field)
    return str(kind or "anything") + _bounds(field)


def _text(field: dict[str, Any]) -> str:
    if str(field.get("pattern", "")).startswith(r"^(\d+d)?"):
        return "duration"
    if field.get("format") == "date-time":
        return "time"
    longest = field.get("maxLength")
    return f"text (up to {longest:,})" if longest else "text"


def _bounds(field: dict[str, Any]) -> str:
    least, most = field.get("minimum"), field.get("maximum")
    if least is not None and most is not None:
        return f" ({least:,} to {most:,})"
    if least is not None:
        return f" (at least {least:,})"
    return f" (at most {most:,})" if most is not None else ""


def _definition(reference_: str, root: JsonObject) -> dict[str, Any]:
    return _object(_object(root.get("$defs")).get(reference_.rpartition("/")[2]))


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}  # pyright: ignore[reportUnknownVariableType]  # raw JSON Schema


def _docs(action: type[Action]) -> str:
    return inspect.cleandoc(action.__doc__ or "")


def _cell(text: str) -> str:
    """Put a text into one cell of a table."""
    return " ".join(text.replace("|", r"\|").split())
