"""JSON Schema of a playbook file, for editors: completion and the same findings at the same places while typing."""

import inspect
import json
from typing import Any

from pydantic import BaseModel

from halon.contracts import playbook, steps
from halon.contracts.base import JsonObject
from halon.contracts.playbook import Playbook


def playbook_schema() -> JsonObject:
    """Give the schema. Descriptions are the docstrings of the models and of their fields."""
    schema: dict[str, Any] = Playbook.model_json_schema(by_alias=True)
    documented = {name: model for name, model in {**vars(steps), **vars(playbook)}.items() if _is_model(model)}
    for name, model in documented.items():
        target = schema if name == "Playbook" else schema.get("$defs", {}).get(name)
        if target is None:
            continue
        for field, text in _field_docs(model).items():
            alias = model.model_fields[field].alias or field
            if alias in target.get("properties", {}):
                target["properties"][alias].setdefault("description", text)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Halon playbook, halon/v1",
        **{key: value for key, value in schema.items() if key != "title"},
    }


def schema_text() -> str:
    """Give the text of `playbooks/schema.json`."""
    return json.dumps(playbook_schema(), indent=2, ensure_ascii=False, sort_keys=True) + "\n"


def _is_model(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, BaseModel)


def _field_docs(model: type[BaseModel]) -> dict[str, str]:
    """The texts below the fields of a model and its parents: pydantic does not read them from a union's members."""
    docs: dict[str, str] = {}
    for owner in reversed(model.__mro__):
        if not _is_model(owner) or owner is BaseModel:
            continue
        previous = ""
        lines = inspect.getsource(owner).splitlines()
        for line in lines:
            stripped = line.strip()
            name = stripped.split(":", 1)[0]
            if name in model.model_fields and line.startswith("    ") and not line.startswith("     "):
                previous = name
            elif previous and stripped.startswith('"""'):
                text = stripped.strip('"')
                docs[previous] = text
                previous = ""
    return docs
