from collections.abc import Sequence

import pytest

from halon.contracts.people import Person
from halon.core.directory import NOBODY, Directory
from halon.playbook.actions import ActionSchemas
from halon.playbook.catalogue import assemble
from halon.playbook.lint import Finding, lint
from halon.playbook.lint_rules import RULES, Severity
from halon.playbook.loader import load

HEAD = """\
apiVersion: halon/v1
kind: Playbook
metadata: {name: NAME, title: T, owner: o}
"""
TESTS = "tests: [{name: t, expect: {}}]\n"
SCALE = "{uses: kubernetes.scale_deployment, with: {namespace: a, name: b, replicas: 1}}"
DELETE = "{uses: kubernetes.delete_pod, undo: never, with: {namespace: a, name: b}}"
RESTART = "{uses: kubernetes.restart_deployment, with: {namespace: a, name: b}}"
LOOK = "{verify: {uses: prometheus.query, with: {query: up}}, until: '${{ result.value > 0.0 }}'}"
KEEP = "{uses: kubernetes.collect_evidence, with: {namespace: a, selector: b}}"
CALL = "{playbook: child}"
GATE = "{approve: {from: ana@example.com}}"


def book(*steps: str, more: str = "", tests: str = TESTS) -> str:
    return HEAD + more + tests + "steps:\n" + "".join(f"  - {step}\n" for step in steps)


def linted(actions: ActionSchemas, texts: Sequence[str], directory: str = "") -> list[Finding]:
    results = [load(text.replace("NAME", f"p{n}"), f"{directory}p{n}.yaml", actions) for n, text in enumerate(texts)]
    child = load(book(SCALE, LOOK).replace("NAME", "child"), "child.yaml", actions)
    return [one for one in lint(assemble([*results, child]), actions) if one.file != "child.yaml"]


def rules(actions: ActionSchemas, *texts: str, directory: str = "") -> list[tuple[str, int]]:
    return [(one.rule, one.line) for one in linted(actions, texts, directory)]


def with_(step: str, more: str) -> str:
    return step[:-1] + ", " + more + "}"


def around(kind: str, *steps: str) -> str:
    inner = "[" + ", ".join(steps) + "]"
    return {
        "loop": f"{{for_each: {{in: '${{{{ [1] }}}}', max_items: 3, steps: {inner}}}}}",
        "branch": f"{{parallel: {{a: {{steps: {inner}}}}}}}",
        "case": f"{{switch: {{cases: [{{if: '${{{{ now == now }}}}', steps: {inner}}}]}}}}",
        "failed": f"{{wait: 1m, on_failure: {inner}}}",
    }[kind]


@pytest.mark.parametrize(
    ("steps", "lines"),
    [
        ([DELETE, LOOK], [6]),
        ([with_(DELETE, "approve: {}"), LOOK], []),
        ([GATE, DELETE, LOOK], []),
        ([with_(GATE, "if: '${{ now == now }}'"), DELETE, LOOK], [7]),
        ([SCALE, LOOK, GATE, around("case", DELETE), LOOK], []),
        ([around("branch", GATE, SCALE), DELETE, LOOK], [7]),
        ([with_(around("branch", DELETE), "approve: {}"), LOOK], []),
        ([around("failed", DELETE)], [6]),
    ],
)
def test_who_destroys_asks_before(actions: ActionSchemas, steps: list[str], lines: list[int]) -> None:
    found = linted(actions, [book(*steps)])
    assert [one.line for one in found if one.rule == "destroy-without-approval"] == lines
    assert all(one.severity is Severity.ERROR for one in found if one.rule == "destroy-without-approval")


@pytest.mark.parametrize(
    ("steps", "lines"),
    [
        ([SCALE], [6]),
        ([SCALE, LOOK], []),
        ([LOOK, SCALE], [7]),
        ([SCALE, "wait: {until: resolved, within: 30m}"], []),
        ([SCALE, "wait: 30m"], [6]),
        ([SCALE, around("case", LOOK)], []),
        ([around("branch", SCALE, LOOK)], []),
        ([around("case", SCALE), LOOK], []),
        ([SCALE, around("failed", LOOK)], [6]),
        ([around("failed", SCALE)], []),
    ],
)
def test_a_change_is_looked_at_afterwards(actions: ActionSchemas, steps: list[str], lines: list[int]) -> None:
    assert rules(actions, book(*steps)) == [("change-without-verification", line) for line in lines]


def test_a_look_in_the_other_branch_is_not_afterwards(actions: ActionSchemas) -> None:
    step = f"{{parallel: {{a: {{steps: [{SCALE}]}}, b: {{steps: [{LOOK}]}}}}}}"
    assert rules(actions, book(step)) == [("change-without-verification", 6)]


def test_a_loop_that_changes_has_a_budget(actions: ActionSchemas) -> None:
    budget = "guard: {budget: {scope: all, max_targets: 3, per: 1h}}\n"
    assert rules(actions, book(around("loop", SCALE), LOOK)) == [("loop-without-budget", 6)]
    assert rules(actions, book(around("loop", CALL))) == [("loop-without-budget", 6)]
    assert rules(actions, book(around("loop", SCALE), LOOK, more=budget)) == []
    assert rules(actions, book(around("loop", KEEP))) == []


def test_a_security_playbook_keeps_evidence_before_it_contains(actions: ActionSchemas) -> None:
    late, early = book(SCALE, KEEP, LOOK), book(KEEP, SCALE, LOOK)
    assert rules(actions, late, directory="playbooks/security/") == [("evidence-after-containment", 6)]
    assert rules(actions, early, directory="playbooks/security/") == []
    assert rules(actions, late) == []
    labelled = late.replace("owner: o}", "owner: o, labels: {area: security}}")
    assert rules(actions, labelled) == [("evidence-after-containment", 6)]


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (RESTART, "say `undo: never`"),
        (with_(RESTART, "undo: never"), ""),
        (with_(RESTART, f"undo: {SCALE}"), ""),
        (with_(RESTART, "undo: never, expires: 1h"), "so it cannot expire"),
        (with_(around("branch", RESTART), "undo: never"), ""),
        (with_(SCALE, "expires: 1h"), ""),
    ],
)
def test_what_cannot_be_undone_says_so(actions: ActionSchemas, step: str, words: str) -> None:
    found = linted(actions, [book(step, LOOK)])
    assert [one.rule for one in found] == (["impossible-undo"] if words else [])
    assert all(words in one.message for one in found)


@pytest.mark.parametrize(
    ("step", "timeout", "words"),
    [
        (with_(SCALE, "approve: {within: 1h}"), "1h", "this question may take 1h, and the run ends as failed after 1h"),
        (with_(SCALE, "approve: {}"), "20m", "this question may take 30m"),
        (with_(SCALE, "approve: {within: 1h}"), "90m", ""),
        ("wait: {until: resolved, within: 2h}", "1h", "this wait may take 2h"),
        ("wait: 1h", "1h", "this wait may take 1h"),
        (with_(LOOK, "within: 1h"), "30m", "this verification may take 1h"),
        (around("failed", "wait: 2h"), "1h", "this wait may take 2h"),
    ],
)
def test_a_run_lasts_longer_than_what_it_waits_for(actions: ActionSchemas, step: str, timeout: str, words: str) -> None:
    found = linted(actions, [book(step, LOOK, more=f"timeout: {timeout}\n")])
    told = [one for one in found if one.rule == "wait-beyond-timeout"]
    assert bool(told) == bool(words)
    assert all(words in one.message and one.line >= 6 for one in told)


@pytest.mark.parametrize(
    ("asks", "said"),
    [
        ("escalate: {after: 30m, to: [a]}", "nobody further is ever asked: the question expires after 30m"),
        ("remind: 1h", "nobody is ever reminded: the question expires after 30m"),
        ("within: 31m, remind: 10m, escalate: {after: 30m, to: [a]}", ""),
    ],
)
def test_a_question_does_not_expire_before_others_are_asked(actions: ActionSchemas, asks: str, said: str) -> None:
    found = linted(actions, [book(with_(SCALE, f"approve: {{{asks}}}"), LOOK)])
    assert [(one.line, one.rule, one.message) for one in found] == ([(6, "unreachable-step", said)] if said else [])


STOP = "{stop: {outcome: unnecessary, reason: r}}"
ALWAYS_STOPS = f"{{switch: {{cases: [{{if: '${{{{ now == now }}}}', steps: [{STOP}]}}], default: [{STOP}]}}}}"


@pytest.mark.parametrize(
    ("steps", "lines"),
    [
        ([STOP, "{wait: 1m}", "{wait: 1m}"], [7]),
        ([with_(STOP, "if: '${{ now == now }}'"), "{wait: 1m}"], []),
        (["{wait: 1m, if: '${{ false }}'}"], [6]),
        ([ALWAYS_STOPS, "{wait: 1m}"], [7]),
        ([around("case", STOP), "{wait: 1m}"], []),
        (["{switch: {cases: [{if: '${{ true }}', steps: [{wait: 1m}]}], default: [{wait: 1m}]}}"], [6]),
    ],
)
def test_every_step_can_be_reached(actions: ActionSchemas, steps: list[str], lines: list[int]) -> None:
    assert rules(actions, book(*steps)) == [("unreachable-step", line) for line in lines]


def test_an_input_is_used(actions: ActionSchemas) -> None:
    inputs = "inputs: {used: {default: a}, idle: {default: b}, through: {default: '${{ inputs.used }}'}}\n"
    found = linted(actions, [book("{set: {x: '${{ inputs.through }}'}}", more=inputs)])
    assert [(one.rule, one.message) for one in found] == [("unused-input", "nothing uses the input `idle`")]
    assert (found[0].line, found[0].column) == (4, 36)


@pytest.mark.parametrize(
    ("expression", "labels", "fires"),
    [
        ("alert.labels.pod", "{}", True),
        ("alert.labels.pod", '{pod: "*"}', False),
        ("alert.labels.pod", '{pod: ["*", "!kube-*"]}', False),
        ("alert.labels.pod", '{pod: "!kube-*"}', True),
        ("alert.labels.?pod.orValue('x')", "{}", False),
        ("has(alert.labels.pod) ? alert.labels.pod : 'x'", "{}", False),
        ("alert.annotations.summary", "{}", False),
    ],
)
def test_a_label_that_is_used_is_promised(actions: ActionSchemas, expression: str, labels: str, fires: bool) -> None:  # noqa: FBT001  # a column of the table
    step = f'{{set: {{x: "${{{{ {expression} }}}}", y: "${{{{ {expression} }}}}"}}}}'
    found = rules(actions, book(step, more=f"trigger: {{alerts: [Down], labels: {labels}}}\n"))
    assert found == ([("unpromised-label", 7)] if fires else [])


def test_a_playbook_has_tests(actions: ActionSchemas) -> None:
    assert rules(actions, book("{wait: 1m}", tests="")) == [("missing-tests", 3)]


@pytest.mark.parametrize(
    ("first", "second", "meet"),
    [
        ("alerts: Down", "alerts: Down", True),
        ("alerts: Down", "alerts: Up", False),
        ("alerts: [A, Do*]", "alerts: '*wn'", True),
        ("alerts: 'A*'", "alerts: 'B*'", False),
        ("alerts: 'A[xy]*z'", "alerts: 'Ax?'", True),
        ("alerts: X, sources: a", "alerts: X, sources: b", False),
        ("alerts: X, labels: {s: [a, b]}", "alerts: X, labels: {s: [b, c]}", True),
        ("alerts: X, labels: {s: [a, b]}", "alerts: X, labels: {s: c}", False),
        ("alerts: X, labels: {s: a}", "alerts: X, labels: {s: '!a'}", False),
        ("alerts: X, labels: {s: 'kube-*'}", "alerts: X, labels: {s: '!kube-*'}", False),
        ("alerts: X, labels: {s: a}", "alerts: X, labels: {t: a}", True),
        ("alerts: X, labels: {s: '*'}", "alerts: X, labels: {s: '!*'}", False),
        ("alerts: X, if: '${{ now == now }}'", "alerts: X", True),
        ("alerts: X, if: '${{ now == now }}'", "alerts: X, if: '${{ now != now }}'", False),
    ],
)
def test_triggers_that_take_the_same_alert_are_told_once(
    actions: ActionSchemas, first: str, second: str, meet: bool  # noqa: FBT001  # a column of the table
) -> None:  # fmt: skip
    books = [book("{wait: 1m}", more=f"trigger: {{{trigger}}}\n") for trigger in (first, second)]
    for one, other in (books, reversed(books)):
        found = linted(actions, [one, other])
        assert [(one.file, one.rule) for one in found] == ([("p1.yaml", "overlapping-triggers")] if meet else [])


INPUTS = "inputs: {n: {default: a}}\n"


@pytest.mark.parametrize(
    ("first", "second", "files"),
    [
        ("target: k8s/a\n", "target: k8s/a\n", ["p0.yaml", "p1.yaml"]),
        ("target: k8s/a\nguard: {lock: target}\n", "target: k8s/a\n", ["p1.yaml"]),
        ("target: k8s/a\nguard: {lock: target}\n", "target: k8s/a\nguard: {lock: target}\n", []),
        ("target: k8s/a\nguard: {lock: one}\n", "target: k8s/a\nguard: {lock: two}\n", ["p1.yaml"]),
        ("target: k8s/a\n", "target: k8s/b\n", []),
        ("target: k8s/a\n", "target: 'k8s/${{ inputs.n }}'\n" + INPUTS, ["p0.yaml", "p1.yaml"]),
        ("target: k8s/a/b\n", "target: 'k8s/${{ inputs.n }}'\n" + INPUTS, []),
        ("target: k8s/a/b\n", "target: '${{ inputs.n }}'\n" + INPUTS, ["p0.yaml", "p1.yaml"]),
        ("target: 'k8s/*'\n", "target: 'k8s/a'\n", []),
    ],
)
def test_two_playbooks_that_change_one_target_have_an_order(
    actions: ActionSchemas, first: str, second: str, files: list[str]
) -> None:
    found = linted(actions, [book(SCALE, LOOK, more=one) for one in (first, second)])
    assert [one.file for one in found if one.rule == "unordered-targets"] == files


def test_playbooks_that_change_nothing_or_call_each_other_need_no_order(actions: ActionSchemas) -> None:
    target = "target: k8s/a\n"
    assert rules(actions, book(KEEP, more=target), book(SCALE, LOOK, more=target)) == []
    assert rules(actions, book("{playbook: p1}", more=target), book(SCALE, LOOK, more=target)) == []


def test_every_rule_says_why_in_a_sentence() -> None:
    assert len({rule.id for rule in RULES}) == len(RULES) >= 11
    assert all(rule.why[0].isupper() and rule.why.endswith(".") for rule in RULES)


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (LOOK, ("verified", "unverified", "no_data", "skipped")),
        (with_(SCALE, "undo: never"), ("applied", "unnecessary", "planned", "refused")),
        ("{uses: prometheus.query, with: {query: up}}", ("done", "not_found", "")),
        ("{wait: {until: resolved, within: 5m}}", ("done", "verified")),
        (CALL, ("done", "undone", "cancelled")),
    ],
)
def test_a_word_that_a_step_never_ends_with_is_told(actions: ActionSchemas, step: str, words: tuple[str, ...]) -> None:
    for word in (*words, "ok"):
        asked = f"{{if: \"${{{{ steps.?a.outcome.orValue('') != '{word}' }}}}\", wait: 1m}}"
        found = [one for one in linted(actions, [book(with_(step, "id: a"), asked)]) if one.rule == "unknown-outcome"]
        assert [one.line for one in found] == ([7] if word == "ok" else []), (step, word)
        assert all("step `a` never ends as `ok`, but as" in one.message for one in found)


def test_a_verification_is_never_done(actions: ActionSchemas) -> None:
    asked = "{if: \"${{ steps.a.outcome == 'done' }}\", wait: 1m}"
    assert ("unknown-outcome", 7) in rules(actions, book(with_(LOOK, "id: a"), asked))


def test_whom_the_installation_does_not_know_is_told(actions: ActionSchemas) -> None:
    ana = Directory({"ana": Person(email="ana@example.com")}, {"sre": ["ana"], "night": []}, {})
    asks = "approve: {from: [ANA@example.com, group:sre, group:ser], escalate: {after: 5m, to: [group:night, ben]}}"
    pages = [
        f"{{uses: notify.page, with: {{to: {to}, summary: s}}}}" for to in ("team", "tame", "'${{ metadata.owner }}'")
    ]
    unknown = "{uses: notify.page, with: {to: '${{ run.incident }}', summary: s}}"
    text = book(with_(SCALE, asks), *pages, unknown, LOOK)
    result = load(text.replace("NAME", "p"), "x.yaml", actions)

    def told(directory: Directory, *channels: str) -> list[tuple[int, str]]:
        found = lint(assemble([result]), actions, (), "", directory, channels)
        return [(one.line, one.message) for one in found if one.rule == "unknown-recipient"]

    assert told(NOBODY) == []
    assert told(ana) == [
        (6, "halon.yaml knows no `group:ser` to ask; did you mean `group:sre`?"),
        (6, "halon.yaml knows no `ben` to ask; known: ana, group:night, group:sre"),
    ]
    assert told(NOBODY, "team") == [
        (8, "`notify.channels` of halon.yaml has no `tame`; did you mean `team`?"),
        (9, "`notify.channels` of halon.yaml has no `o`; known: team"),
    ]


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        ("{type: duration, default: 5 minutes}", "must be a duration such as 10m, not '5 minutes'"),
        ("{type: duration, default: 5}", "must be text, not 5"),
        ("{type: integer, default: many}", 'must be a whole number, not "many"'),
        ("{enum: [a, b], default: c}", "must be one of a, b"),
        ("{type: list, default: \"${{ 'a' }}\"}", "must be a list, and this gives text"),
        ("{type: duration, default: 5m}", ""),
        ("{type: duration, default: \"${{ duration('5m') }}\"}", ""),
        ("{type: number, default: 5}", ""),
        ("{type: list, default: [a, {b: c}]}", ""),
        ("{type: object, default: {a: 1}}", ""),
        ("{enum: [1, 2], type: integer, default: 2}", ""),
        ("{enum: [a, b], default: '${{ metadata.name }}'}", ""),
        ("{required: false}", ""),
    ],
)
def test_what_an_input_does_not_take_is_told(actions: ActionSchemas, declared: str, said: str) -> None:
    use = "{set: {x: '${{ inputs.i }}'}}"
    found = linted(actions, [book(use, more=f"inputs:\n  i: {declared}\n")])
    expected = [(5, "wrong-input", f"the default of `i` {said}")] if said else []
    assert [(one.line, one.rule, one.message) for one in found] == expected


def test_what_a_called_playbook_does_not_take_is_told(actions: ActionSchemas) -> None:
    callee = book("{set: {x: '${{ inputs.i }}'}}", more="inputs: {i: {type: integer}}\n")
    found = rules(actions, callee, book("{playbook: p0, inputs: {i: many}}"))
    assert found == [("wrong-input", 6)]
