import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halon.contracts.alert import Alert, AlertStatus
from halon.contracts.base import Json
from halon.core.expressions import (
    EvaluationError,
    ExpressionError,
    compile_expression,
    condition,
    evaluate,
    fill,
    render,
    scan,
)
from halon.core.scope import alert_scope

NOW = datetime(2026, 1, 31, 10, 0, tzinfo=UTC)
SCOPE: dict[str, Any] = {
    "inputs": {"name": "cart", "count": 3, "items": ["b", "a"], "none": None, "share": 0.25, "on": True},
    "vars": {
        "map": {"b": 1, "a": 2},
        "wait": timedelta(minutes=90),
        "rows": [{"pod": "x", "n": 1}, {"pod": "y", "n": 2}],
    },
    "now": NOW,
    "alert": {"labels": {"pod": "cart-1", "namespace": "shop"}, "age": timedelta(hours=1), "name": "Down"},
    "steps": {"look": {"output": {"at": NOW, "value": 2.5}}},
}


def complaint(source: str) -> str | None:
    try:
        answer(source)
    except (ExpressionError, EvaluationError) as error:
        return str(error)
    return None


def answer(source: str) -> Any:
    return evaluate(compile_expression(source), SCOPE)


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("inputs.count + 1", 4),
        ("inputs.name + '-x'", "cart-x"),
        ("inputs.share < 1", True),
        ("alert.age < duration('6h')", True),
        ("alert.labels.?deployment.orValue('none')", "none"),
        ("has(alert.labels.pod) && alert.labels.pod.startsWith('cart')", True),
        ("inputs.items.size() == 2 && 'a' in list(inputs.items)", True),
        ("keys(vars.map)", ["a", "b"]),
        ("list(inputs.items).map(x, x + '!')", ["b!", "a!"]),
        ("list(vars.rows).filter(r, r.n > 1).map(r, r.pod)", ["y"]),
        ("keys(vars.map).map(k, vars.map[k])", [2, 1]),
        ("inputs.on ? 'yes' : 'no'", "yes"),
        ("now - duration('1h')", NOW - timedelta(hours=1)),
        ("steps.look.output.at", NOW),
        ("'%d of %s'.format([inputs.count, inputs.name])", "3 of cart"),
        ("math.greatest(inputs.count, 7)", 7),
        ("cel.bind(n, inputs.count, n * n)", 9),
        ("{'b': 1, 'a': {'d': 2, 'c': 3}}", {"a": {"c": 3, "d": 2}, "b": 1}),
    ],
)
def test_expressions_give_values(source: str, value: Any) -> None:
    assert answer(source) == value


@pytest.mark.parametrize(
    ("source", "column", "words"),
    [
        ("", 1, "empty"),
        ("inputs.a +", 11, "syntax error"),
        ("alrt.name == 'x'", 1, "unknown name `alrt`; did you mean `alert`?"),
        ("alert.lables.pod", 1, "`alert` has no `lables`; did you mean `labels`?"),
        ("alert.age < 5", 11, "`<` cannot be used with duration and int"),
        ("inputs.x.startWith('a')", 10, "did you mean `startsWith`?"),
        ("join(['a'], ',')", 1, "`join` follows a value, as in value.join(…)"),
        ("alert.labels.keys()", 14, "`keys` takes a value, as in keys(value)"),
        ("duration('1d') > alert.age", 10, "a day is 24h"),
        ("timestamp('today') < now", 11, "is no time"),
        ("alert.labels.all(k, k != '')", 17, "loop over keys(…), which sorts"),
        ("vars.map.map(k, k)", 13, "write list(…) around it, or keys(…) for a map"),
        ("inputs.?x", 7, "end it with .orValue(…)"),
        ("[1].map(a, [1].map(b, [1].map(c, a + b + c)))", 30, "nested more than 2 deep"),
        ("inputs.name.matches(inputs.pattern)", 20, "must be written out as text"),
        ("inputs.name.matches('(a{900}){900}')", 21, "repeats"),
        ("b'bytes'", 1, "of type bytes"),
        ("x" * 2001, 1, "longer than 2000 characters"),
        ("(" * 400 + "1" + ")" * 400, 1, "nested too deep"),
        ("a\x00b", 2, "forbidden character U+0000"),
    ],
)
def test_what_cannot_work_is_refused_when_it_is_compiled(source: str, column: int, words: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_expression(source)
    assert words in str(caught.value)
    assert (caught.value.line, caught.value.column) == (1, column), caught.value


def test_a_run_without_an_alert_says_so_where_one_is_asked_for() -> None:
    with pytest.raises(EvaluationError, match="a person started the run without an alert") as caught:
        evaluate(compile_expression("alert.labels.pod"), {**SCOPE, "alert": None})
    assert "there is no alert.labels: give it one, or use an input" in str(caught.value)


def test_an_error_knows_its_line() -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_expression("${{ inputs.a == 1 &&\n  nope == 2 }}")
    assert (caught.value.line, caught.value.column, caught.value.offset) == (2, 3, 23)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("alert.labels.deployment", "alert.labels has no `deployment`; it has namespace, pod"),
        ("steps.look.output.valu > 1.0", "steps.look.output has no `valu`; it has at, value"),
        ("steps.gone.output", "steps has no `gone`"),
        ("result.value > 1", "`result` has no value here"),
        ("inputs.none.x == 1", "inputs.none is null, so it has no `x`"),
        ("inputs.none.?x.orValue('') == ''", "inputs.none is null, so it has no `x`, and `.?` does not help"),
        ("inputs.?none.?x.orValue('') == ''", "inputs.none is null, so it has no `x`, and `.?` does not help"),
        ("inputs.none > 1", "inputs.none is null"),
        ("inputs.count / 0 == 1", "divide by zero"),
        ("list(inputs.name).size() == 1", "list(…) needs a list, not string"),
        ("duration(inputs.name) > alert.age", "the units are h, m, s, ms, us and ns"),
        ("9007199254740991 + inputs.count", "larger than JSON can carry"),
        ("double(inputs.count) / 0.0", "which is no number"),
        ("{1: 2}", "is no text"),
    ],
)
def test_what_has_no_answer_says_why_and_shows_what_there_is(source: str, words: str) -> None:
    with pytest.raises(EvaluationError) as caught:
        answer(source)
    assert words in str(caught.value)


def test_a_missing_label_is_an_error_with_the_labels_that_the_alert_has() -> None:
    alert = Alert(
        name="Down",
        source="test",
        fingerprint="f",
        status=AlertStatus.FIRING,
        labels={"pod": "cart-1", "cluster": "eu-1"},
        starts_at=NOW,
    )
    with pytest.raises(EvaluationError) as caught:
        render("k8s/${{ alert.labels.namespace }}", {"alert": alert_scope(alert, NOW)})
    assert "alert.labels has no `namespace`; it has cluster, pod" in str(caught.value)


def test_a_lone_expression_keeps_its_type_and_text_around_it_makes_text() -> None:
    value: Json = {
        "n": "${{ inputs.count }}",
        "t": "n=${{ inputs.count }}",
        "l": ["${{ inputs.on }}"],
        "m": " ${{ vars.map }} ",
    }
    assert render(value, SCOPE) == {"n": 3, "t": "n=3", "l": [True], "m": {"a": 2, "b": 1}}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("${{ inputs.on }}!", "true!"),
        ("${{ 2.0 }}|${{ 0.25 }}", "2|0.25"),
        ("in ${{ vars.wait }}", "in 1h30m"),
        ("at ${{ now }}", "at 2026-01-31T10:00:00Z"),
        ("${{ vars.map }}.", '{"a":2,"b":1}.'),
        ("$${{ not this }}", "${{ not this }}"),
        ("${{ '}}' }}-${{ {'a': {'b': '}}'}}.a.b }}", "}}-}}"),
    ],
)
def test_values_become_text_within_text(text: str, said: str) -> None:
    assert render(text, SCOPE) == said


def test_null_within_text_is_an_error() -> None:
    with pytest.raises(EvaluationError, match="is null inside text"):
        render("x ${{ inputs.none }}", SCOPE)


def test_filling_in_keeps_durations_that_rendering_writes_out() -> None:
    assert fill("${{ vars.wait }}", SCOPE) == timedelta(minutes=90)
    assert render("${{ vars.wait }}", SCOPE) == "1h30m"


def test_a_condition_must_be_true_or_false() -> None:
    assert condition("${{ inputs.count == 3 }}", SCOPE) is True
    with pytest.raises(EvaluationError, match="neither true nor false"):
        condition("${{ inputs.count }}", SCOPE)


def test_an_expression_that_is_never_closed_is_told() -> None:
    assert scan("a ${{ b")[0].problem == "`${{` is never closed by `}}`"
    assert scan({"${{ a }}": 1})[0].problem == "an expression cannot stand in a name"


def test_an_expression_is_given_only_what_it_names() -> None:
    references = compile_expression("steps.owner.output.deployment + alert.labels.?pod.orValue('')").references
    assert references == {("steps", "owner", "output", "deployment"), ("alert", "labels", "pod")}
    # What it does not name may be of any type and size.
    assert evaluate(compile_expression("inputs.a"), {"inputs": {"a": 1, "b": object()}}) == 1


HOSTILE = [
    "list(inputs.big).map(x, list(inputs.big).map(y, x + y))",
    "list(inputs.big).all(x, list(inputs.big).all(y, x != y || true))",
    "inputs.text.replace('a', inputs.text)",
    "inputs.text.replace('', inputs.text).replace('', inputs.text)",
    "list(inputs.texts).join(inputs.text)",
    "'%s%s'.format([inputs.text, inputs.text.replace('a', inputs.text)])",
    "inputs.text.split('').map(x, inputs.text)",
    "inputs.text.matches('(a+)+b(a+)+c{0,900}')",
    "inputs.deep == 1",
    "inputs.huge + inputs.huge",
    "list(inputs.big).map(x, [x, x]).map(x, [x, x]).map(x, [x, x]).size() > 0",
]


def test_hostile_expressions_cost_little_time_and_memory() -> None:
    program = f"""
import json, resource, time
from halon.core.expressions import EvaluationError, ExpressionError, compile_expression, evaluate
deep = 1
for _ in range(5000):
    deep = [deep]
scope = {{"inputs": {{"big": list(range(5000)), "text": "a" * 100_000, "texts": ["a"] * 5000, "deep": deep,
    "huge": "x" * 3_000_000}}}}
evaluate(compile_expression("inputs.a"), {{"inputs": {{"a": 1}}}})
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
slowest = 0.0
for source in {HOSTILE!r}:
    began = time.perf_counter()
    try:
        evaluate(compile_expression(source), scope)
    except (EvaluationError, ExpressionError):
        pass
    slowest = max(slowest, time.perf_counter() - began)
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({{"seconds": slowest, "kilobytes": after - before}}))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)  # noqa: S603  # our own text
    cost = json.loads(done.stdout)
    assert cost["seconds"] < 1
    assert cost["kilobytes"] < 100_000


def test_maps_come_out_sorted_whatever_the_seed_of_hashes_is() -> None:
    program = (
        "from halon.core.expressions import render;"
        "print(render({'a': '${{ keys(vars.m) }}', 'b': '${{ vars.m }}', 'c': 'x${{ vars.m }}'},"
        " {'vars': {'m': {c: i for i, c in enumerate('zyxwvutsrqponm')}}}))"
    )
    outputs = {
        subprocess.run(  # noqa: S603  # our own text
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(filter(None, sys.path))},
        ).stdout
        for seed in ("0", "1", "2")
    }
    assert len(outputs) == 1


letters = st.characters(exclude_characters="\x00", exclude_categories=("Cs",))
names = st.text("abc", min_size=1, max_size=3)
plain = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(letters, max_size=8)
)
values = st.recursive(
    plain, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3), max_leaves=8
)


@given(values)
def test_a_value_that_is_only_named_comes_out_as_it_went_in(value: Any) -> None:
    once = render("${{ inputs.v }}", {"inputs": {"v": value}})
    again = render("${{ inputs.v }}", {"inputs": {"v": value}})
    assert json.dumps(once) == json.dumps(again)
    assert once == value


@given(st.text(max_size=60))
def test_no_text_makes_the_compiler_raise_anything_else(source: str) -> None:
    said = complaint(source)
    assert said is None or (said and "\n" not in said)


tokens = st.sampled_from(
    [
        "inputs",
        ".count",
        ".items",
        ".?x",
        ".map(x, ",
        "list(",
        ")",
        "[",
        "]",
        "{",
        "}",
        "1",
        "'a'",
        " + ",
        " == ",
        " ? ",
        " : ",
        "optional.of(",
        ".orValue(",
        "keys(",
        "has(",
        "vars.map",
        ",",
        "x",
        "duration('1h')",
        "now",
        " - ",
        "!",
    ]
)


@given(st.lists(tokens, max_size=12).map("".join))
def test_no_heap_of_words_of_the_language_takes_the_process_down(source: str) -> None:
    assert complaint(source) != ""


TOGETHER = """
import builtins, faulthandler, threading, time
from datetime import UTC, datetime, timedelta
from halon.core.expressions import compile_expression, evaluate

faulthandler.dump_traceback_later(20, exit=True)
original = builtins.__import__

def slow(*args, **kwargs):
    time.sleep(0.05)
    return original(*args, **kwargs)

builtins.__import__ = slow
scope = {"alert": {"age": timedelta(seconds=3), "labels": {"b": "c"}}, "now": datetime(2026, 1, 1, tzinfo=UTC)}

def ask():
    for source in ("alert.age < duration('5m')", "now", "keys(alert.labels)", "{'at': [now, alert.age]}"):
        evaluate(compile_expression(source), scope)

threads = [threading.Thread(target=ask) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


def test_threads_that_ask_for_the_first_time_together_do_not_wait_for_each_other_for_ever() -> None:
    """The binding imports modules at first use under a lock of its own, and an import lets other threads on."""
    subprocess.run([sys.executable, "-c", TOGETHER], check=True, timeout=60)  # noqa: S603  # our own text
