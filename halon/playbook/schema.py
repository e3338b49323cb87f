"""JSON Schema of a playbook file, for editors: completion and the same findings at the same places while typing."""

import json
from typing import Any

from pydantic import BaseModel

from halon.contracts import playbook, steps
from halon.contracts.base import JsonObject
from halon.contracts.playbook import Playbook
from halon.playbook.field_docs import field_docs


def playbook_schema() -> JsonObject:
    """Give the schema. Descriptions are the docstrings of the models and of their fields."""
    schema: dict[str, Any] = Playbook.model_json_schema(by_alias=True)
    documented = {name: model for name, model in {**vars(steps), **vars(playbook)}.items() if _is_model(model)}
    for name, model in documented.items():
        target = schema if name == "Playbook" else schema.get("$defs", {}).get(name)
        if target is None:
            continue
        for field, text in field_docs(model).items():  # which pydantic does not put on a union's members
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
