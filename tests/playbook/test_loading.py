import json
import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from halon.playbook.actions import ActionSchemas
from halon.playbook.loader import LoadResult, load

Load = Callable[[str], LoadResult]

HEAD = """\
apiVersion: halon/v1
kind: Playbook
metadata: {name: some, title: Some, owner: team}
trigger: {alerts: [Down], labels: {cluster: "*"}}
inputs:
  count: {type: integer, default: 3}
  name: {default: cart}
steps:
"""


def said(loaded: Load, steps: str) -> list[str]:
    """The problems of a playbook with these steps, without the file's name; the steps begin in line 9."""
    return [str(one).removeprefix("x.yaml:") for one in loaded(HEAD + steps).problems]


def test_a_playbook_comes_out_as_it_was_written(loaded: Load) -> None:
    result = loaded(HEAD + "  - wait: 1h30m\n  - set: {a: 1}\n")
    assert result.problems == ()
    assert result.playbook is not None
    assert [type(step).__name__ for step in result.playbook.steps] == ["WaitStep", "SetStep"]
    assert result.playbook.timeout == timedelta(hours=1)


@pytest.mark.parametrize(
    ("once", "line"),
    [
        ("maybe", ['4:57: `once` must be until_resolved, not "maybe"']),
        ("{within: soon}", ['4:66: `within` must be a duration such as 90s, 10m, 1h30m or 2d, not "soon"']),
        ("3", ["4:57: `once` must be until_resolved, or {within: 1h}"]),
        ("until_resolved", []),
        ("{within: 1h}", []),
    ],
)
def test_how_often_a_group_may_act_is_a_word_or_a_time(loaded: Load, once: str, line: list[str]) -> None:
    text = HEAD.replace('cluster: "*"}}', f'cluster: "*"}}, once: {once}}}') + "  - wait: 1m\n"
    assert [str(one).removeprefix("x.yaml:") for one in loaded(text).problems] == line


def test_an_expression_without_braces_is_no_label_to_group_by(loaded: Load) -> None:
    """Every alert would lack that label, so that all of them would be one incident."""
    text = (
        HEAD.replace('cluster: "*"}}', 'cluster: "*"}, group_by: [alert.labels.pod, service.name]}') + "  - wait: 1m\n"
    )
    expected = (
        "`alert.labels.pod` would be taken for a label's name: write the label's alone, or ${{ alert.labels.pod }}"
    )
    assert [str(one).removeprefix("x.yaml:") for one in loaded(text).problems] == [f"4:62: {expected}"]


QUERY = "uses: prometheus.query, with: {query: up}"
SCALE = "uses: kubernetes.scale_deployment, with: {namespace: a, name: b, replicas:"
SET = "  - {set: {x: '${{ %s }}'}}\n"


@pytest.mark.parametrize(
    ("steps", "line"),
    [
        ("  - uzes: prometheus.query\n", "9:5: a step is exactly one of uses, verify, wait"),
        ("  - wait: 1m\n    set: {a: 1}\n", "9:5: a step is exactly one of"),
        ("  - wait: 1m\n    tiemout: 3m\n", "10:5: unknown field `tiemout`; did you mean `timeout`?"),
        ("  - wait: soon\n", "9:11: `wait` must be a duration"),
        ("  - wait: {until: resolvd, within: 1m}\n", "9:19: `until` must be resolved"),
        ("  - stop: {outcome: remedied, reason: x}\n", "did you mean `remediated`?"),
        ("  - wait: 1m\n    on_failure: ignore\n", "10:17: `on_failure` must be one of fail, continue, stop"),
        ("  - for_each: {in: '${{ [1] }}', steps: [{wait: 1m}]}\n", "needs a field `max_items`"),
        ("  - uses: prometheus.qery\n", "9:11: unknown action `prometheus.qery`; did you mean `prometheus.query`?"),
        (
            "  - uses: prometheus.query\n    with: {qury: up}\n",
            "10:12: unknown parameter `qury`; did you mean `query`?",
        ),
        ("  - uses: prometheus.query\n    with: {qury: up}\n", "10:5: prometheus.query needs a parameter `query`"),
        ("  - {uses: prometheus.query}\n", "9:12: prometheus.query needs a parameter `query`"),
        ("  - uses: prometheus.query\n    with: {query: 3}\n", "10:19: `query` must be text, not 3"),
        ("  - {" + SCALE + " 101}}\n", "`replicas` must be at most 100"),
        ("  - {" + SCALE + " '${{ now }}'}}\n", "`replicas` must be a whole number, and this gives timestamp"),
        ("  - verify: {" + SCALE + " 1}}\n    until: ${{ true }}\n", "9:20: `verify` takes only actions that read"),
        (
            "  - {" + SCALE + " 1}, undo: {uses: prometheus.query, with: {query: up}}}\n",
            "`undo` takes only actions that change something; prometheus.query is of effect `read`",
        ),
        ("  - wait: 1m\n    undo: never\n", "10:5: `undo` is for changes, and this step changes nothing"),
        ("  - {id: a, wait: 1m}\n  - {id: a, wait: 1m}\n", "10:10: step id `a` is used already in line 9"),
        ("  - set: {a: 1}\n  - approve: {}\n", "10:5: this gate stands before nothing"),
        ("  - {id: Upper, wait: 1m}\n", "9:10: `id` must be a name of lower-case letters"),
        ("  - wait: 1m\n    name: ${{ inputs.name }}\n", "10:15: an expression is not filled in here"),
        ("  - for_each: {in: '${{ [1] }}', as: alert, max_items: 1, steps: [{wait: 1m}]}\n", "has a meaning already"),
        ("  - for_each: {in: '${{ [1] }}', as: namespace, max_items: 1, steps: [{wait: 1m}]}\n", "take another name"),
    ],
)
def test_a_mistake_is_told_where_it_stands_with_what_was_meant(loaded: Load, steps: str, line: str) -> None:
    found = said(loaded, steps)
    assert any(line in one for one in found), found


@pytest.mark.parametrize(
    ("steps", "line"),
    [
        (SET % "steps.b.outcome" + "  - {id: b, wait: 1m}\n", "9:20: step `b` does not come before this one"),
        ("  - {id: a, set: {x: '${{ steps.a.outcome }}'}}\n", "9:27: step `a` does not come before this one"),
        (
            f"  - {{id: a, {SCALE} 1}}, undo: {{{SCALE} '${{{{ steps.a.before.replicas }}}}'}}}}}}\n",
            "step `a` is what this undoes: only steps before it are known here",
        ),
        (SET % "steps.lok.outcome", "9:20: there is no step `lok`"),
        (
            "  - {id: look, " + QUERY + "}\n" + SET % "steps.look.output.valu",
            "10:20: `steps.look.output` has no `valu`; did you mean `value`?",
        ),
        (
            "  - switch: {cases: [{if: '${{ true }}', steps: [{id: deep, wait: 1m}]}]}\n" + SET % "steps.deep.outcome",
            "10:20: step `deep` has not run on every way that leads here: write steps.?deep",
        ),
        (
            "  - for_each: {in: '${{ [1] }}', max_items: 1, steps: [{id: each, wait: 1m}]}\n"
            + SET % "steps.each.outcome",
            "10:20: step `each` is inside a `for_each`, and known only there",
        ),
        (SET % "inputs.cuont", "9:20: there is no input `cuont`; did you mean `count`?"),
        (SET % "vars.y", "9:20: no step before sets `vars.y`"),
        (SET % "failure.reason", "`failure` is known only in `on_failure` and `finally`"),
        (SET % "item", "`item` is known only within a `for_each`"),
        (SET % "metadata.titel", "`metadata` has no `titel`; did you mean `title`?"),
        ("  - {if: '${{ \"x\" }}', wait: 1m}\n", "must give true or false, and gives string"),
        (
            "  - for_each: {in: '${{ alert.labels }}', max_items: 3, steps: [{wait: 1m}]}\n",
            "must give a list, and gives map",
        ),
    ],
)
def test_an_expression_may_name_only_what_is_there_before_it(loaded: Load, steps: str, line: str) -> None:
    found = said(loaded, steps)
    assert len(found) == 1
    assert line in found[0]


@pytest.mark.parametrize(
    "steps",
    [
        "  - uses: prometheus.query\n    with: {query: '${{ inputs.count }}'}\n",
        "  - {id: look, if: '${{ inputs.count > 1 }}', " + QUERY + "}\n" + SET % "steps.look.outcome",
        "  - {set: {a: 1}}\n" + SET % "vars.a + 1",
        "  - for_each: {in: '${{ [1] }}', as: pod, max_items: 1, steps: [{set: {a: '${{ pod }}'}}]}\n",
    ],
)
def test_what_can_only_be_told_when_it_runs_is_let_through(loaded: Load, steps: str) -> None:
    assert said(loaded, steps) == []


@pytest.mark.parametrize(
    ("written", "place"),
    [
        ("    with: {query: 'up ${{ alert.age < 5 }}'}\n", "10:37"),
        ('    with:\n      query: "up ${{ alert.age < 5 }}"\n', "11:32"),
        ("    with:\n      query: |\n        up\n        and ${{ alert.age < 5 }}\n", "13:27"),
        ("    with:\n      query: >-\n        up and\n\n        down ${{\n          alert.age < 5 }}\n", "15:21"),
    ],
)
def test_an_error_in_cel_is_told_at_its_character(loaded: Load, written: str, place: str) -> None:
    found = said(loaded, "  - uses: prometheus.query\n" + written)
    assert found == [f"{place}: `<` cannot be used with duration and int"]


def test_a_loop_over_a_map_is_refused_with_the_way_out(loaded: Load) -> None:
    found = said(loaded, "  - {set: {x: '${{ alert.labels.map(k, k) }}'}}\n")
    assert "loop over keys(…), which sorts" in found[0]


def test_all_problems_of_shape_and_meaning_are_told_together(loaded: Load) -> None:
    found = said(
        loaded, "  - {wait: soon}\n  - {uses: no.such}\n  - {set: {x: '${{ nope }}'}}\n  - {wait: 1m, tries: 3}\n"
    )
    assert [one.split(":")[0] for one in found] == ["9", "10", "11", "12"]


@pytest.mark.parametrize("name", ["010", "99999999999999999999", "!!str up", "!!seq [up]", ".nan"])
def test_what_cannot_be_read_is_told_once_and_nothing_is_said_of_its_type(loaded: Load, name: str) -> None:
    found = said(loaded, f"  - wait: 1m\n    name: {name}\n")
    assert len(found) == 1, found
    assert found[0].startswith("10:11: ")


def test_hostile_files_are_refused_quickly(loaded: Load) -> None:
    began = time.perf_counter()
    assert said(loaded, "  - " + "{parallel: {a: {steps: [" * 2000)[0].endswith("nested more than 40 deep")
    assert len(said(loaded, "  - {id: x, wait: 1m}\n" * 3000)) <= 302
    assert time.perf_counter() - began < 3


FIELDS = (
    *(
        "a",
        "apiVersion",
        "approve",
        "cases",
        "default",
        "finally",
        "for_each",
        "given",
        "group_by",
        "guard",
        "id",
        "if",
    ),
    *("in", "inputs", "kind", "lock", "metadata", "on_failure", "parallel", "playbook", "resolve", "set", "steps"),
    *("stop", "switch", "tests", "trigger", "undo", "until", "uses", "verify", "wait", "with"),
)
leaves = st.none() | st.integers(-5, 5) | st.sampled_from(["", "a", "10m", "${{ inputs.a }}", "${{ 1", "auto"])
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=5),
    max_leaves=25,
)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(values)
def test_no_value_makes_the_loader_raise(actions: ActionSchemas, value: object) -> None:
    result = load(json.dumps(value), "x.yaml", actions)  # JSON is YAML
    assert result.playbook is None
    assert result.problems
