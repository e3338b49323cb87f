"""`halon test`: what a playbook's own tests can say, and that a run that goes another way fails them."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from halon.playbook.actions import ActionSchemas
from halon.playbook.loader import LoadResult
from halon.playbook.results import Difference, TestResult
from halon.playbook.testing import run_tests

BOOK = """\
apiVersion: halon/v1
kind: Playbook
metadata: {name: roll, title: Roll back, owner: team}
trigger:
  alerts: [Crash]
  labels: {namespace: ["*", "!kube-*"], pod: "*"}
  if: ${{ alert.age < duration('6h') }}
  after: {count: 2, within: 10m}
resolve:
  - id: owner
    uses: kubernetes.get_owner
    with: {namespace: "${{ alert.labels.namespace }}", pod: "${{ alert.labels.pod }}"}
inputs:
  namespace: {default: "${{ alert.labels.namespace }}"}
  deployment: {default: "${{ steps.owner.output.deployment }}"}
steps:
  - id: rollback
    uses: kubernetes.rollback_deployment
    with: {namespace: "${{ inputs.namespace }}", name: "${{ inputs.deployment }}"}
    approve: {within: 10m}
  - id: told
    if: ${{ inputs.namespace == 'shop' }}
    uses: notify.page
    with: {to: team, summary: rolled back}
  - id: healthy
    verify: {uses: http.check, with: {url: "https://${{ inputs.deployment }}.example.com"}}
    until: ${{ result.ok }}
    every: 15s
    within: 5m
tests:
  - name: it
"""
HAPPY = """\
    alert: {name: Crash, labels: {namespace: shop, pod: cart-1}}
    repeat: 2
    given:
      kubernetes.get_owner: {deployment: cart}
      http.check: [{ok: false}, {ok: true}]
    decide: [{step: rollback, approve: true, by: ana@example.com, after: 3m}]
"""

Run = Callable[[str], TestResult]


@pytest.fixture
def run(loaded: Callable[[str], LoadResult], actions: ActionSchemas) -> Run:
    """Run one test of the playbook above, written as in its file."""

    def one(test: str) -> TestResult:
        found = loaded(BOOK + test)
        assert found.playbook is not None, found.problems
        (result,) = run_tests(found.playbook, {}, actions, found.document)
        return result

    return one


def test_a_run_that_goes_as_expected_passes(run: Run) -> None:
    expect = "outcome: remediated, applied: [rollback], undone: [], skipped: [], asked: [rollback], within: 4m"
    result = run(f"{HAPPY}    expect: {{{expect}, matched: true, reason: verified}}")
    assert (result.status, result.differences, result.problems) == ("passed", (), ())
    assert result.took == timedelta(minutes=3, seconds=15)


@pytest.mark.parametrize(
    ("expect", "difference"),
    [
        ("outcome: denied", Difference("outcome", "denied", "remediated", "changed, confirmed and verified")),
        ("reason: by itself", Difference("reason", "… by itself …", "changed, confirmed and verified")),
        ("applied: []", Difference("applied", [], ["rollback"])),
        (
            "applied: [rollback, told]",
            Difference("applied", ["rollback", "told"], ["rollback"], "told was done"),
        ),
        ("undone: [rollback]", Difference("undone", ["rollback"], [], "rollback was applied")),
        ("skipped: [told]", Difference("skipped", ["told"], [], "told was done")),
        ("asked: []", Difference("asked", [], ["rollback"])),
        ("within: 3m", Difference("within", "3m", "3m15s")),
        ("matched: false", Difference("matched", expected=False, got=True)),
    ],
)
def test_a_run_that_goes_another_way_fails_and_says_how(run: Run, expect: str, difference: Difference) -> None:
    result = run(f"{HAPPY}    expect: {{{expect}}}")
    assert (result.status, result.differences) == ("failed", (difference,))


@pytest.mark.parametrize(
    ("alert", "why"),
    [
        ("{name: Crash, labels: {namespace: kube-system, pod: dns-1}}", "label namespace"),
        ("{name: Crash, labels: {namespace: shop}}", "label pod is missing"),
        ("{name: Crash, labels: {namespace: shop, pod: cart-1}, age: 7h}", "alert.age"),
        ("{name: Crush, labels: {namespace: shop, pod: cart-1}}", "Crush"),
    ],
)
def test_an_alert_that_the_trigger_leaves_alone_is_told_with_the_reason(run: Run, alert: str, why: str) -> None:
    assert run(f"    alert: {alert}\n    expect: {{matched: false}}").status == "passed"
    result = run(f"    alert: {alert}\n    expect: {{outcome: remediated}}")
    assert [one.field for one in result.differences] == ["matched"]
    assert why in result.differences[0].why


def test_fewer_alerts_than_the_trigger_asks_for_are_suppressed(run: Run) -> None:
    once = HAPPY.replace("repeat: 2", "repeat: 1").partition("    decide")[0]
    assert run(f"{once}    expect: {{outcome: refused}}").status == "passed"
    seldom = HAPPY.replace("    repeat: 2", "    repeat: 2\n    every: 11m")
    result = run(f"{seldom}    expect: {{outcome: remediated}}")
    assert result.differences[0].why.endswith("alerts that the trigger asks for came within 10m")


def test_people_may_say_no_or_nothing_or_come_too_late(run: Run) -> None:
    denied = HAPPY.replace("approve: true", "approve: false, comment: not now")
    assert run(f"{denied}    expect: {{outcome: denied, reason: not now, applied: []}}").status == "passed"
    silent = HAPPY.partition("    decide")[0]
    assert run(f"{silent}    expect: {{outcome: expired, within: 10m}}").status == "passed"
    late = HAPPY.replace("after: 3m", "after: 11m")
    assert run(f"{late}    expect: {{outcome: expired, asked: [rollback]}}").status == "passed"


def test_a_decision_that_nobody_asks_for_fails_the_test(run: Run) -> None:
    nothing = HAPPY.replace("    decide", "      kubernetes.rollback_deployment: {plan: nothing}\n    decide")
    result = run(f"{nothing}    expect: {{outcome: unnecessary}}")
    assert [(one.field, one.expected, one.got) for one in result.differences] == [
        ("decide", "rollback", "nobody asked")
    ]


def test_the_alert_may_clear_and_the_run_may_be_cancelled(run: Run) -> None:
    clears = HAPPY.replace("pod: cart-1}}", "pod: cart-1}, resolves_after: 2m}")
    assert run(f"{clears}    expect: {{outcome: resolved, applied: []}}").status == "passed"
    cancelled = run(f"{HAPPY}    cancel_after: 190s\n    expect: {{outcome: cancelled, undone: [rollback]}}")
    assert cancelled.status == "passed"


def test_a_run_by_hand_takes_inputs_instead_of_an_alert(run: Run) -> None:
    result = run("""\
    inputs: {namespace: web, deployment: cart}
    given: {http.check: {ok: true}}
    decide: [{step: rollback, approve: true, by: ana@example.com}]
    expect: {outcome: remediated, skipped: [owner, told]}
""")
    assert result.status == "passed", result


def test_a_run_is_the_same_every_time(run: Run) -> None:
    test = f"{HAPPY}    expect: {{outcome: remediated}}"
    assert run(test) == run(test)
    assert run(test).timeline == run(test).timeline != ()


def test_a_whole_number_is_what_the_action_would_give(
    loaded: Callable[[str], LoadResult], actions: ActionSchemas
) -> None:
    """`value` is a number that may be 3.5, so `3` in a test is `3.0`, and what mixes it up with whole ones fails."""
    found = loaded(
        "apiVersion: halon/v1\nkind: Playbook\nmetadata: {name: lag, title: Lag, owner: team}\nsteps:\n"
        "  - {id: before, uses: prometheus.query, with: {query: lag}}\n"
        "  - {id: falls, verify: {uses: prometheus.query, with: {query: lag}}, "
        "until: '${{ result.value < steps.before.output.value * 0.5 }}'}\n"
        "tests:\n  - {name: it, given: {prometheus.query@before: {value: 100}, prometheus.query@falls: {value: 3}}, "
        "expect: {outcome: unnecessary}}\n"
    )
    assert found.playbook is not None, found.problems
    (result,) = run_tests(found.playbook, {}, actions, found.document)
    assert result.status == "passed", result.differences


SECOND_WAY = """\
apiVersion: halon/v1
kind: Playbook
metadata: {name: two-ways, title: Two ways, owner: team}
steps:
  - {id: more, uses: kubernetes.scale_deployment, with: {namespace: shop, name: cart, replicas: 8}}
  - id: enough
    verify: {uses: http.check, with: {url: https://shop.example.com}}
    until: ${{ result.ok }}
    within: 5m
    on_failure: HANDLER
tests: [{name: it, given: {http.check@enough: {ok: false}, http.check: {ok: true}}, expect: {outcome: OUTCOME}}]
"""
BACK = "{uses: kubernetes.rollback_deployment, with: {namespace: shop, name: cart}}"
SERVES = "{id: serves, verify: {uses: http.check, with: {url: https://shop.example.com}}, until: '${{ result.ok }}'}"


@pytest.mark.parametrize(
    ("handler", "outcome"),
    [
        (f"[{BACK}, {SERVES}]", "remediated"),
        (f"[{{parallel: {{a: {{steps: [{BACK}, {SERVES}]}}}}}}]", "remediated"),
        (f"[{BACK}, {SERVES}, {{stop: {{outcome: remediated, reason: the second way}}}}]", "remediated"),
        (f"[{SERVES}, {BACK}]", "unverified"),
        (f"[{BACK}]", "unverified"),
        (f"continue\n  - {SERVES}", "unverified"),
        (f"[{{wait: 1m}}]\n  - {SERVES}", "unverified"),
        (f"[{BACK}, {SERVES.replace('result.ok', '!result.ok')}]", "undone"),
    ],
)
def test_what_runs_instead_of_a_verification_may_show_that_it_helped(
    loaded: Callable[[str], LoadResult], actions: ActionSchemas, handler: str, outcome: str
) -> None:
    found = loaded(SECOND_WAY.replace("HANDLER", handler).replace("OUTCOME", outcome))
    assert found.playbook is not None, found.problems
    (result,) = run_tests(found.playbook, {}, actions, found.document)
    assert result.status == "passed", (result.differences, result.problems)


def test_a_second_way_confirms_no_change_of_the_first(
    loaded: Callable[[str], LoadResult], actions: ActionSchemas
) -> None:
    scale = "{id: more, uses: kubernetes.scale_deployment, with: {namespace: shop, name: cart, replicas: 8}}"
    fails = SERVES.replace("serves", "enough").replace("}'}", "}', within: 1m}")
    found = loaded(
        "apiVersion: halon/v1\nkind: Playbook\nmetadata: {name: beside, title: Beside, owner: team}\nsteps:\n"
        f"  - parallel: {{a: {{steps: [{scale}]}}, b: {{steps: [{fails}]}}}}\n    on_failure: [{BACK}, {SERVES}]\n"
        "tests:\n  - name: it\n    given:\n      http.check@enough: {ok: false}\n      http.check: {ok: true}\n"
        "      kubernetes.scale_deployment: {confirm: {takes: 5m}}\n    expect: {outcome: unverified}\n"
    )
    assert found.playbook is not None, found.problems
    (result,) = run_tests(found.playbook, {}, actions, found.document)
    assert result.status == "passed", (result.differences, result.problems)
