import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from halon.playbook.schema import playbook_schema, schema_text

ROOT = Path(__file__).parents[2]
SHIPPED = sorted((ROOT / "playbooks").rglob("*.yaml"))
VALIDATOR = Draft202012Validator(playbook_schema())


def wrong(value: Any) -> list[str]:
    return [error.message for error in VALIDATOR.iter_errors(value)]  # pyright: ignore[reportUnknownMemberType]  # untyped


def example() -> dict[str, Any]:
    page = (ROOT / "docs" / "playbooks.md").read_text(encoding="utf-8")
    value: dict[str, Any] = yaml.safe_load(page.split("```yaml\n")[1].split("```")[0])
    return value


def test_the_schema_is_a_schema_and_the_file_is_up_to_date() -> None:
    Draft202012Validator.check_schema(playbook_schema())
    written = (ROOT / "playbooks" / "schema.json").read_text(encoding="utf-8")
    assert written == schema_text(), "run: halon schema > playbooks/schema.json"


def test_the_example_of_the_reference_is_valid() -> None:
    assert wrong(example()) == []


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_every_playbook_that_is_shipped_is_valid(file: Path) -> None:
    assert wrong(yaml.safe_load(file.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "Playbok"},
        {"metadata": {"name": "Upper Case", "title": "t", "owner": "o"}},
        {"unknown": 1},
        {"steps": []},
        {"steps": [{"wait": "soon"}]},
        {"steps": [{"uses": "no_dot"}]},
        {"timeout": 30},
        {"trigger": {"alerts": ["A"], "if": "no expression"}},
    ],
    ids=lambda change: json.dumps(change)[:40],
)
def test_a_mistake_of_shape_is_one_for_the_schema_too(change: dict[str, Any]) -> None:
    assert wrong({**example(), **change})


def test_fields_are_described_for_editors() -> None:
    definitions: Any = playbook_schema()["$defs"]
    assert "durable pause" in definitions["WaitStep"]["description"]
    assert definitions["Trigger"]["properties"]["alerts"]["description"] == "Names or globs of alerts."
    assert "lease on the change" in definitions["UsesStep"]["properties"]["expires"]["description"]
