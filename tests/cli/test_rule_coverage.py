"""`halon coverage`: what it writes, and when it fails."""

from pathlib import Path

import pytest
from command import Shell

RULES = """
groups:
- name: lab
  rules:
  - {alert: Lab, expr: a > 1, labels: {severity: critical}}
  - {alert: Other, expr: a > 1, labels: {severity: warning}}
  - {alert: Watchdog, expr: vector(1), labels: {severity: none}}
"""


@pytest.fixture
def rules(tmp_path: Path) -> str:
    file = tmp_path / "rules.yaml"
    file.write_text(RULES)
    return str(file)


def test_it_lists_alerts_with_their_playbooks_and_counts_by_severity(shell: Shell, rules: str) -> None:
    answer = shell("coverage", rules, "--ignore", "Watchdog")
    assert answer.code == 0
    lines = [line.split() for line in answer.out.splitlines()]
    assert ["Lab", "critical", "ask-first", f"{rules}:5"] in lines
    assert ["Other", "warning", "-", f"{rules}:6"] in lines
    assert ["critical", "1", "1", "100"] in lines
    assert answer.out.endswith("1 of 2 alerts have a playbook (50 %); 1 ignored\n")
    only = shell("coverage", rules, "--uncovered").out
    assert ("Other" in only, "ask-first" in only) == (True, False)


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["--min-percent", "33"], 0),
        (["--min-percent", "34"], 1),
        (["--fail-uncovered"], 1),
        (["--fail-unfired"], 0),
        (["--fail-uncovered", "--ignore", "Watchdog", "--ignore", "Oth*"], 0),
    ],
)
def test_it_fails_when_that_is_asked_for(shell: Shell, rules: str, options: list[str], code: int) -> None:
    assert shell("coverage", rules, *options).code == code


def test_a_trigger_that_nothing_fires_is_told_at_its_line(shell: Shell, rules: str) -> None:
    Path(rules).write_text(RULES.replace("alert: Lab", "alert: Labs"))
    answer = shell("coverage", rules, "--fail-unfired")
    assert answer.code == 1
    place = f"{shell.config.parent}/playbooks/ask-first.yaml:5"
    assert f"{place}: ask-first: no rule fires Lab; did you mean `Labs`?" in answer.out


def test_programs_get_json(shell: Shell, rules: str) -> None:
    answer = shell("coverage", rules, "--json").json
    assert answer["total"] == {"alerts": 3, "covered": 1, "percent": 33.3}
    lab = answer["alerts"][0]
    assert (lab["alert"], lab["line"], lab["playbooks"]) == ("Lab", 5, [{"name": "ask-first", "when": []}])
    assert (answer["unfired"], answer["problems"]) == ([], [])


def test_what_cannot_be_read_is_an_error_after_what_can(shell: Shell, rules: str, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("groups:\n- rules:\n  - expr: a\n")
    answer = shell("coverage", rules, str(tmp_path / "bad.yaml"))
    assert (answer.code, "ask-first" in answer.out) == (2, True)
    assert f"{tmp_path}/bad.yaml:3:5: a rule must have `alert` or `record`" in answer.err
    (tmp_path / "bad.yaml").write_text("groups: []\n")
    assert "there is no alert" in shell("coverage", str(tmp_path / "bad.yaml")).err
