"""Every playbook that Halon comes with loads, has no finding, and passes its own tests."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

import worker
from halon.contracts.outcome import Outcome
from halon.contracts.playbook import Playbook
from halon.playbook.catalogue import load_catalogue
from halon.playbook.lint import lint
from halon.playbook.results import format_results
from halon.playbook.testing import run_tests

ACTIONS = worker.registry().schemas
CATALOGUE = load_catalogue([Path(__file__).parents[2] / "playbooks"], ACTIONS)
each_playbook = pytest.mark.parametrize("book", CATALOGUE.playbooks.values(), ids=CATALOGUE.playbooks.keys())


def test_they_load_and_have_no_findings() -> None:
    assert CATALOGUE.problems == ()
    assert lint(CATALOGUE, ACTIONS) == []
    assert len(CATALOGUE.playbooks) == len(CATALOGUE.results) >= 3


@each_playbook
def test_its_own_tests_pass(book: Playbook) -> None:
    documents = {one.file: one.document for one in CATALOGUE.results}
    document = documents[CATALOGUE.files[book.metadata.name]]
    results = run_tests(book, CATALOGUE.playbooks, ACTIONS, document)
    assert [one for one in results if one.status != "passed"] == [], format_results(results, colour=False)


def _used(value: object) -> Iterator[str]:
    """Every action that stands anywhere in a part of a playbook."""
    if isinstance(value, Mapping):
        if isinstance(value.get("uses"), str):
            yield value["uses"]
        value = list(value.values())
    if isinstance(value, Sequence) and not isinstance(value, str):
        for one in value:
            yield from _used(one)


@each_playbook
def test_its_tests_try_the_bad_ends_too(book: Playbook) -> None:
    tried = {test.expect.outcome for test in book.tests}
    changes = [ACTIONS[one] for one in _used(book.model_dump(by_alias=True)["steps"]) if ACTIONS[one].changes]
    if not changes:
        assert Outcome.DIAGNOSED in tried
        return
    wanted = {Outcome.REMEDIATED, Outcome.DENIED, Outcome.EXPIRED, Outcome.UNNECESSARY, Outcome.FAILED}
    if any(one.undoable for one in changes):
        wanted.add(Outcome.UNDONE)
    assert wanted - tried == set()
    if book.trigger is not None:
        assert any(test.expect.matched is False for test in book.tests), "no alert that it leaves alone"
