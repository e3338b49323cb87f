"""Tests of a playbook that are wrong themselves are told at their line; what is printed is meant to be read."""

import json
from collections.abc import Callable

import pytest

from halon.playbook.actions import ActionSchemas
from halon.playbook.loader import LoadResult
from halon.playbook.results import TestResult, exit_status, format_results
from halon.playbook.testing import run_tests

BOOK = """\
apiVersion: halon/v1
kind: Playbook
metadata: {name: roll, title: Roll back, owner: team}
inputs: {name: {}}
steps:
  - id: history
    uses: kubernetes.get_rollout_history
    with: {namespace: shop, name: "${{ inputs.name }}"}
  - id: rollback
    if: ${{ steps.history.output.age < duration('2h') }}
    uses: kubernetes.rollback_deployment
    with: {namespace: shop, name: "${{ inputs.name }}"}
tests:
  - name: it
    inputs: {name: cart}
"""

Run = Callable[[str], TestResult]


@pytest.fixture
def run(loaded: Callable[[str], LoadResult], actions: ActionSchemas) -> Run:
    def one(test: str) -> TestResult:
        found = loaded(BOOK + test)
        assert found.playbook is not None, found.problems
        (result,) = run_tests(found.playbook, {}, actions, found.document)
        return result

    return one


GIVEN = "    given: {kubernetes.get_rollout_history: {age: 3m}}\n"


@pytest.mark.parametrize(
    ("test", "said"),
    [
        ("    expect: {}\n", "x.yaml:16:5: expects nothing: say at least `outcome`"),
        (
            "    expect: {outcome: unverified}\n",
            (
                "x.yaml:14:5: history: the test gives no answer of kubernetes.get_rollout_history: "
                "add `kubernetes.get_rollout_history: {…}` under `given`"
            ),
        ),
        (
            "    given:\n      kubernetes.get_rollout_history: {agee: 3m}\n    expect: {outcome: unverified}\n",
            (
                "x.yaml:17:7: kubernetes.get_rollout_history cannot answer this at agee: it has no field `agee`; "
                "did you mean `age`?"
            ),
        ),
        (
            "    given:\n      kubernetes.get_rollout_history: {age: long}\n    expect: {outcome: unverified}\n",
            (
                "x.yaml:17:7: kubernetes.get_rollout_history cannot answer this at age: "
                "must be a duration such as 10m, not 'long'"
            ),
        ),
        (
            "    given:\n      kubernetes.get_rollout_history@histry: {age: 3m}\n    expect: {outcome: unverified}\n",
            "x.yaml:17:7: there is no step histry; did you mean `history`?",
        ),
        (
            "    given:\n      kubernetes.rollback_deployment: {confirm: {brken: x}}\n    expect: {outcome: undone}\n",
            "x.yaml:17:50: unknown field `brken`; did you mean `broken`?",
        ),
        (
            "    given:\n      http.check: {ok: true}\n    expect: {outcome: unverified}\n",
            (
                "x.yaml:17:7: no step of this playbook uses http.check; "
                "known: kubernetes.get_rollout_history, kubernetes.rollback_deployment"
            ),
        ),
        (
            f"{GIVEN}    decide:\n      - {{step: rolback, approve: true, by: ana}}\n    expect: {{outcome: denied}}\n",
            "x.yaml:18:10: there is no step rolback; did you mean `rollback`?",
        ),
        (
            f"{GIVEN}    expect:\n      applied: [rollback, rolback]\n",
            "x.yaml:18:27: there is no step rolback; did you mean `rollback`?",
        ),
        (
            f"{GIVEN}    alert: {{name: Crash}}\n    expect: {{outcome: unverified}}\n",
            "x.yaml:17:5: the playbook has no trigger: leave `alert` out, and give `inputs`",
        ),
        (
            f"{GIVEN}    repeat: 2\n    expect: {{outcome: unverified}}\n",
            "x.yaml:17:5: `repeat` and `every` repeat an alert, and there is none",
        ),
    ],
    ids=range(11),
)
def test_a_test_that_cannot_be_meant_is_wrong_at_its_line(run: Run, test: str, said: str) -> None:
    result = run(test)
    assert (result.status, result.differences) == ("wrong", ())
    assert said in [str(one) for one in result.problems]


def test_all_mistakes_of_a_test_are_told_at_once_in_the_order_of_the_file(run: Run) -> None:
    result = run("""\
    given:
      kubernetes.get_rollout_history: {agee: 3m}
      kubernetes.rollback_deployment@rolback: {plan: nothing}
    expect: {applied: [rolback]}
""")
    assert [one.line for one in result.problems] == [17, 18, 19]


def test_the_exit_status_tells_failed_tests_from_wrong_ones(run: Run) -> None:
    passed = run(f"{GIVEN}    expect: {{outcome: unverified}}\n")
    failed = run(f"{GIVEN}    expect: {{outcome: denied}}\n")
    wrong = run("    expect: {}\n")
    assert [exit_status(one) for one in ([], [passed], [passed, failed], [failed, wrong, passed])] == [0, 0, 1, 2]


def test_what_failed_is_shown_beside_what_was_expected_and_what_happened(run: Run) -> None:
    result = run(f"{GIVEN}    expect: {{outcome: remediated, applied: [], within: 1m}}\n")
    assert format_results([result], colour=False).splitlines() == [
        "roll",
        "  FAIL  it (0s)",
        "        x.yaml:14",
        "        outcome  expected remediated",
        "                 got      unverified: changed and confirmed, but nothing verified the effect",
        "        applied  expected []",
        "                 got      [rollback]",
        "        what happened:",
        "        +0s        run.started        Run of playbook roll started by halon test",
        "        +0s        read               history: Looked: kubernetes.get_rollout_history",
        "        +0s        planned            rollback: kubernetes.rollback_deployment(namespace=shop, name=cart)",
        "        +0s        attempted          rollback: kubernetes.rollback_deployment(namespace=shop, name=cart)",
        "        +0s        applied            rollback: kubernetes.rollback_deployment(namespace=shop, name=cart)",
        (
            "        +0s        confirmed          rollback: "
            "Confirmed: kubernetes.rollback_deployment(namespace=shop, name=cart)"
        ),
        (
            "        +0s        run.finished       Ended as unverified: changed and confirmed, "
            "but nothing verified the effect"
        ),
        "0 passed, 1 failed",
    ]


def test_what_passed_is_one_line_and_untested_playbooks_are_told(run: Run) -> None:
    passed = run(f"{GIVEN}    expect: {{outcome: unverified}}\n")
    assert format_results([passed], colour=False, untested=["drain"]).splitlines() == [
        "roll",
        "  ok    it (0s)",
        "no tests  playbook drain has none: add some under `tests:`",
        "1 passed, 0 failed, 1 without tests",
    ]
    assert "\033[32m" in format_results([passed], colour=True)


def test_machines_get_everything(run: Run) -> None:
    shown = run(f"{GIVEN}    expect: {{outcome: denied}}\n").to_json()
    assert json.loads(json.dumps(shown)) == shown
    assert shown["status"] == "failed"
    assert shown["differences"] == [
        {
            "field": "outcome",
            "expected": "denied",
            "got": "unverified",
            "why": "changed and confirmed, but nothing verified the effect",
        }
    ]


def test_the_id_of_a_step_within_another_is_answered_with_its_path(
    loaded: Callable[[str], LoadResult], actions: ActionSchemas
) -> None:
    later = BOOK.replace("tests:", "on_failure: [{id: later, wait: 1m}]\ntests:")
    found = loaded(f"{later}{GIVEN}    expect:\n      applied: [later]\n")
    assert found.playbook is not None, found.problems
    (result,) = run_tests(found.playbook, {}, actions, found.document)
    assert [one.message for one in result.problems] == ["there is no step later; its path is `on_failure.later`"]
