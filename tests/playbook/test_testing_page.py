"""docs/testing-playbooks.md: its playbooks load, their tests pass and print what the page shows, its words exist."""

import re
from pathlib import Path

import pytest

import worker
from halon.contracts.playbook import Expectation, PlaybookTest
from halon.playbook.catalogue import assemble
from halon.playbook.given import GivenApply, GivenChange, GivenConfirm
from halon.playbook.lint import lint
from halon.playbook.loader import load
from halon.playbook.results import format_results
from halon.playbook.testing import run_tests

PAGE = (Path(__file__).parents[2] / "docs" / "testing-playbooks.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
ACTIONS = worker.registry().schemas


def printed(example: str) -> str:
    loaded = load(example, "playbooks/cart.yaml", ACTIONS)
    assert loaded.playbook is not None, loaded.problems
    assert lint(assemble([loaded]), ACTIONS) == []
    return format_results(run_tests(loaded.playbook, {}, ACTIONS, loaded.document), colour=False)


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_tests_of_its_examples_pass(example: str) -> None:
    assert printed(example).endswith(" passed, 0 failed")


def test_what_it_shows_is_what_is_printed() -> None:
    assert printed(EXAMPLES[0]) in PAGE
    expected = EXAMPLES[0].replace(
        "outcome: undone, applied: [rollback], undone: [rollback]", "outcome: remediated, undone: []"
    )
    shown = printed(expected)
    assert shown[shown.index("  FAIL") :].startswith(PAGE[PAGE.index("  FAIL") : PAGE.index("        …\n```")])


def test_it_names_every_field_of_a_test() -> None:
    fields = {*PlaybookTest.model_fields, *Expectation.model_fields, *GivenChange.model_fields}
    fields |= {*GivenApply.model_fields, *GivenConfirm.model_fields} - {"settled"}
    assert {name for name in fields if not re.search(rf"\b{name}\b", PAGE)} == set()
