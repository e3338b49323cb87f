import json

import pytest

from halon.playbook.actions import ActionSchemas
from halon.playbook.catalogue import assemble
from halon.playbook.lint import Finding, exit_code, lint
from halon.playbook.loader import load
from halon.playbook.report import as_github, as_json, as_text

TEXT = """\
apiVersion: halon/v1
kind: Playbook
metadata: {name: some, title: Some, owner: team}
tests: [{name: t, expect: {}}]
steps:
  - id: scale ABOVE
    uses: kubernetes.scale_deployment BESIDE
    with: {namespace: a, name: b, replicas: 1}
  - wait: 1m LATER
"""
WHY = "# halon: allow change-without-verification: the next run looks"


def linted(actions: ActionSchemas, text: str, file: str = "x.yaml") -> list[Finding]:
    return lint(assemble([load(text, file, actions)]), actions)


def waived(actions: ActionSchemas, above: str = "", beside: str = "", later: str = "") -> list[tuple[str, int]]:
    text = TEXT.replace("ABOVE", above).replace("BESIDE", beside).replace("LATER", later)
    return [(one.rule, one.line) for one in linted(actions, text)]


def test_a_finding_is_waived_beside_it_above_it_and_at_its_step(actions: ActionSchemas) -> None:
    assert waived(actions) == [("change-without-verification", 7)]
    assert waived(actions, beside=WHY) == []
    assert waived(actions, above=WHY) == []
    assert waived(actions, above=f"\n    {WHY}\n    # and more of a comment") == []
    text = TEXT.replace("  - id: scale", f"  {WHY}\n  # another comment\n\n  - id: scale")
    assert linted(actions, text.replace("ABOVE", "").replace("BESIDE", "").replace("LATER", "")) == []


def test_a_waiver_elsewhere_waives_nothing_and_is_told(actions: ActionSchemas) -> None:
    assert waived(actions, later=WHY) == [("change-without-verification", 7), ("unused-waiver", 9)]


@pytest.mark.parametrize(
    ("comment", "words"),
    [
        ("# halon: allow change-without-verification", "a waiver needs a reason"),
        ("# halon: allow change-without-verification:  ", "a waiver needs a reason"),
        ("# halon: allow change-without-verifcation: x", "did you mean `change-without-verification`?"),
        ("# halon: ignore change-without-verification", "write `# halon: allow RULE: the reason`"),
    ],
)
def test_a_waiver_that_is_not_complete_is_an_error_and_waives_nothing(
    actions: ActionSchemas, comment: str, words: str
) -> None:
    text = TEXT.replace("ABOVE", "").replace("BESIDE", comment).replace("LATER", "")
    finding, bad = linted(actions, text)
    assert (finding.rule, bad.rule, bad.severity.value, bad.line) == (
        "change-without-verification",
        "bad-waiver",
        "error",
        7,
    )
    assert words in bad.message


def test_one_comment_may_waive_several_rules(actions: ActionSchemas) -> None:
    both = "# halon: allow missing-tests, change-without-verification: an example"
    text = TEXT.replace("tests: [{name: t, expect: {}}]\n", "").replace("LATER", "").replace("ABOVE", "")
    assert [one.rule for one in linted(actions, text.replace("BESIDE", both))] == [
        "missing-tests",
        "unused-waiver",
    ]


def test_text_that_looks_like_a_waiver_is_none(actions: ActionSchemas) -> None:
    text = TEXT.replace("ABOVE", f"\n    name: |\n      {WHY}").replace("BESIDE", "").replace("LATER", "")
    assert [one.rule for one in linted(actions, text)] == ["change-without-verification"]


def test_a_problem_of_loading_is_an_error_and_cannot_be_waived(actions: ActionSchemas) -> None:
    found = linted(actions, "apiVersion: halon/v1 # halon: allow missing: x\nkind: Playbok\nstep: 1\n")
    assert [one.severity.value for one in found] == ["error"] * len(found)
    assert {"bad-waiver", "literal_error", "extra_forbidden", "missing"} <= {one.rule for one in found}


def test_exit_codes_are_for_pipelines(actions: ActionSchemas) -> None:
    warning = linted(actions, TEXT.replace("ABOVE", "").replace("BESIDE", "").replace("LATER", ""))
    error = linted(actions, "a: 1\n")
    assert [exit_code([]), exit_code(warning), exit_code(error)] == [0, 0, 1]
    assert [exit_code([], strict=True), exit_code(warning, strict=True)] == [0, 1]


def test_findings_are_written_for_people_programs_and_pull_requests(actions: ActionSchemas) -> None:
    text = TEXT.replace("ABOVE", "").replace("BESIDE", "").replace("LATER", "")
    found = linted(actions, text, "dir/a,b:c%.yaml")
    lines = as_text(found).splitlines()
    assert lines[0].startswith(
        "dir/a,b:c%.yaml:7:11: warning: no `verify` step comes after kubernetes.scale_deployment"
    )
    assert lines[0].endswith("[change-without-verification]")
    assert lines[-1] == "0 errors, 1 warning"
    report = json.loads(as_json(found))
    assert report["warnings"] == 1
    assert report["findings"][0]["column"] == 11
    commands = as_github(found).splitlines()
    assert len(commands) == 1
    assert commands[0].startswith("::warning file=dir/a%2Cb%3Ac%25.yaml,line=7,col=11,title=halon lint%3A change-")
    assert "%0A" in commands[0]


def test_nothing_found_is_said() -> None:
    assert as_text([]) == "no findings\n"
    assert as_github([]) == ""
    assert json.loads(as_json([])) == {"findings": [], "errors": 0, "warnings": 0}
