"""`halon simulate`: what it says of a playbook and an alert, without Temporal."""

import json
from pathlib import Path

import pytest
from command import Shell

BY_LABEL = """
apiVersion: halon/v1
kind: Playbook
metadata: {name: by-label, title: By label, owner: team-a}
trigger: {alerts: [Lab], labels: {severity: critical}, after: {count: 2, within: 10m}}
target: lab/${{ alert.labels.shard }}
steps:
  - id: gate
    approve: {from: [ana@example.com], within: 5m}
  - id: wait
    wait: 5m
"""


def alert(directory: Path, **labels: str) -> str:
    one = {
        "status": "firing",
        "labels": {"alertname": "Lab", **labels},
        "startsAt": "2026-01-02T03:04:05Z",
        "fingerprint": "f1",
    }
    file = directory / "alert.json"
    file.write_text(json.dumps({"version": "4", "alerts": [one]}))
    return str(file)


@pytest.fixture
def book(tmp_path: Path) -> str:
    file = tmp_path / "by-label.yaml"
    file.write_text(BY_LABEL)
    return str(file)


def test_it_says_what_the_trigger_the_guards_and_the_steps_would_do(shell: Shell, book: str, tmp_path: Path) -> None:
    answer = shell("simulate", book, "--alert", alert(tmp_path, severity="critical", shard="a"))
    assert answer.code == 0, answer
    assert "its trigger takes it; it acts only when 2 come within 10m" in answer.out
    assert "target   lab/a" in answer.out
    assert "guards   would let it run" in answer.out
    assert "are not known: Temporal at 127.0.0.1:9 does not answer" in answer.out
    asked = "would ask at gate: an approval from ana@example.com within 5m (halon.yaml names no people)"
    assert f"{asked}, for the steps behind it" in answer.out
    assert "left out: wait: waits 5m" in answer.out


def test_an_alert_that_the_trigger_does_not_take_is_told_with_the_reason(
    shell: Shell, book: str, tmp_path: Path
) -> None:
    answer = shell("simulate", book, "--alert", alert(tmp_path, severity="info", shard="a"))
    assert (answer.code, answer.out) == (1, "no run: by-label: label severity is info, not critical\n")
    found = shell("simulate", book, "--alert", alert(tmp_path, shard="a"), "--json")
    assert (found.code, found.json["matched"]) == (1, False)


def test_an_alert_of_which_nobody_says_whose_it_is_is_alertmanagers(shell: Shell, book: str, tmp_path: Path) -> None:
    file = Path(book)
    text = file.read_text(encoding="utf-8").replace("trigger: {", "trigger: {sources: [SOURCE], ", 1)
    alone = tmp_path / "alone.json"
    alone.write_text('{"name": "Lab", "labels": {"severity": "critical", "shard": "a"}}', encoding="utf-8")
    for source, code in (("alertmanager", 0), ("grafana", 1)):
        file.write_text(text.replace("SOURCE", source), encoding="utf-8")
        sent = shell("simulate", book, "--alert", alert(tmp_path, severity="critical", shard="a"))
        assert (sent.code, shell("simulate", book, "--alert", str(alone)).code) == (code, code), sent


def test_programs_get_json(shell: Shell, book: str, tmp_path: Path) -> None:
    file = alert(tmp_path, severity="critical", shard="a")
    found = shell("simulate", book, "--alert", file, "--source", "alertmanager", "--json").json
    assert (found["target"], found["outcome"], found["guards"]["granted"]) == ("lab/a", "dry_run", True)
    assert [one["step"] for one in found["questions"]] == ["gate"]
    assert [one["path"] for one in found["steps"]] == ["gate", "wait"]


def test_a_run_by_hand_takes_inputs(shell: Shell) -> None:
    answer = shell("simulate", "ask-first", "--input", "namespace=web", "--json")
    assert (answer.code, answer.json["outcome"]) == (0, "unnecessary")
    assert answer.json["outcome_reason"] == "nothing to do in web, size 3"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["ask-frist"], "did you mean `ask-first`?"),
        (["nowhere.yaml"], "there is no file or directory nowhere.yaml"),
        (["ask-first", "--alert", "{alert}", "--source", "alertmanger"], "did you mean `alertmanager`?"),
        (["ask-first", "--alert", "{alert}", "--source", "generic"], "needs settings"),
        (["ask-first", "--alert", "{alert}", "--source", "sns"], "alert.json: the body is no message"),
        (["ask-first", "--alert", "nowhere.json"], "cannot be read"),
    ],
)
def test_a_wrong_call_is_one_sentence(shell: Shell, tmp_path: Path, arguments: list[str], said: str) -> None:
    file = alert(tmp_path)
    answer = shell("simulate", *(file if one == "{alert}" else one for one in arguments))
    assert answer.code in {1, 2}
    assert said in answer.err
