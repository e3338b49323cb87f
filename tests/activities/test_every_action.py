"""Facts that hold for every action of this installation. A new action is checked here without being named."""

import re
from pathlib import Path

import pytest
import yaml

import worker
from halon.contracts.base import parse_duration
from halon.contracts.plan import ActionCall
from halon.kit.action import Change
from halon.kit.reference import reference
from halon.kit.registry import output_of

ROOT = Path(__file__).parents[2]
REGISTRY = worker.registry()
every_action = pytest.mark.parametrize("name", REGISTRY.names)


def test_the_families_that_playbooks_lean_on_are_there() -> None:
    assert {"http.check", "notify.page", "notify.send", "prometheus.query"} <= set(REGISTRY.names)


@every_action
def test_its_name_is_its_path_and_reads_as_verb_and_noun(name: str) -> None:
    action = REGISTRY.action(name)
    assert action.__module__ == f"activities.{name}"
    assert action.__name__ == "".join(word.capitalize() for word in name.partition(".")[2].split("_"))


@every_action
def test_its_example_is_a_call_that_travels_and_names_its_target(name: str) -> None:
    action = REGISTRY.action(name)
    assert yaml.safe_load(yaml.safe_dump(action.example)) == action.example
    parsed = REGISTRY.parse(ActionCall(action=name, params=action.example))
    assert (
        REGISTRY.parse(ActionCall(action=name, params=parsed.model_dump(mode="json", exclude_defaults=True))) == parsed
    )
    assert parsed.target()


@every_action
def test_it_and_everything_that_it_takes_and_gives_is_described(name: str) -> None:
    schema = REGISTRY.documented[name]
    assert re.match(r"[A-Z].+\.", REGISTRY.action(name).__doc__ or "")
    undescribed = [field for field, about in schema.params["properties"].items() if "description" not in about]
    assert undescribed == []
    if schema.output is not None:
        undescribed = [field for field, about in schema.output["properties"].items() if "description" not in about]
        assert undescribed == []


@every_action
def test_what_it_takes_is_bounded(name: str) -> None:
    for field, about in REGISTRY.schemas[name].params["properties"].items():
        for one in about.get("anyOf", [about]):
            if (
                one.get("type") == "string"
                and not {"enum", "const"} & set(one)
                and not one.get("pattern", "").startswith(r"^(\d+d)?")
            ):
                assert "maxLength" in one, field
            if one.get("type") in {"array", "object"}:
                assert {"maxItems", "maxProperties"} & set(one), field


@every_action
def test_a_read_says_what_it_answers_and_writes_durations_as_expressions_read_them(name: str) -> None:
    action = REGISTRY.action(name)
    output = output_of(action)
    if issubclass(action, Change):
        assert output is None
        return
    assert output is not None
    assert '"format": "duration"' not in str(REGISTRY.schemas[name].output).replace("'", '"')


@every_action
def test_it_says_what_its_credentials_must_be_allowed(name: str) -> None:
    action = REGISTRY.action(name)
    family = name.partition(".")[0]
    assert action.permissions
    for one in action.permissions:
        assert one.verbs
        assert one.resource
        if family in {"kubernetes", "aws"}:
            assert one.system == family
        if one.system == "kubernetes":
            assert re.fullmatch(r"[a-z0-9.]*/[a-z]+(/[a-z]+)?", one.resource), one.resource


@every_action
def test_a_default_that_is_a_duration_is_one_in_the_schema(name: str) -> None:
    for about in REGISTRY.schemas[name].params["properties"].values():
        if about.get("pattern", "").startswith(r"^(\d+d)?") and "default" in about:
            parse_duration(about["default"])


def test_the_page_of_actions_is_what_the_code_says() -> None:
    written = (ROOT / "docs" / "actions.md").read_text()
    assert written == reference(REGISTRY), "docs/actions.md is old: run `halon schema --actions > docs/actions.md`"
