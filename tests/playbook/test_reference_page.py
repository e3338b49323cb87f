import re
from pathlib import Path

import pytest

from halon.contracts.outcome import Outcome
from halon.contracts.playbook import Guard, Playbook
from halon.contracts.steps import STEP_KINDS, Approve, StepBase
from halon.playbook.actions import ActionSchemas
from halon.playbook.catalogue import assemble
from halon.playbook.lint import RULES, WAIVER_RULES, lint
from halon.playbook.loader import load

PAGE = (Path(__file__).parents[2] / "docs" / "playbooks.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
HEAD = "apiVersion: halon/v1\nkind: Playbook\nmetadata: {name: example, title: Example, owner: docs}\n"
INPUTS = "inputs: {count: {type: integer, default: 1}, name: {default: cart}}\n"


def completed(example: str) -> str:
    """The page shows whole playbooks, top-level fields, and lists of steps."""
    if example.startswith("apiVersion:"):
        return example
    if example.startswith("- "):
        return f"{HEAD}{INPUTS}steps:\n{example}"
    return HEAD + example + ("" if "\nsteps:" in f"\n{example}" else "steps: [{wait: 1m}]\n")


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.strip().splitlines()[0][:30])
def test_every_example_of_the_page_loads(actions: ActionSchemas, example: str) -> None:
    assert [str(one) for one in load(completed(example), "x.yaml", actions).problems] == []


def test_the_first_example_has_no_findings(actions: ActionSchemas) -> None:
    assert lint(assemble([load(EXAMPLES[0], "x.yaml", actions)]), actions) == []


def test_every_rule_stands_on_the_page_with_its_reason() -> None:
    for rule in RULES:
        assert f"| `{rule.id}` | {rule.severity} | {rule.why} |" in PAGE
        assert f"- `{rule.id}`:" in PAGE
    for name, why in WAIVER_RULES.items():
        assert f"| `{name}` |" in PAGE
        assert why in PAGE


def test_every_field_and_kind_and_outcome_stands_on_the_page() -> None:
    for kind in STEP_KINDS:
        assert f"\n### {kind}\n" in PAGE
    for model in (Playbook, Guard, StepBase, Approve):
        for name, field in model.model_fields.items():
            assert f"`{field.alias or name}`" in PAGE, (model.__name__, name)
    for outcome in Outcome:
        assert f"| `{outcome.value}` |" in PAGE
