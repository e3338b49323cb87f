"""`halon new` writes a draft where playbooks are, and `halon explain` tells of it."""

import json
from pathlib import Path

import pytest
from command import Shell

ALERT = {
    "status": "firing",
    "labels": {"alertname": "CartBroken", "namespace": "shop", "deployment": "cart", "severity": "critical"},
    "startsAt": "2026-01-02T03:04:05Z",
    "fingerprint": "f1",
}


@pytest.fixture
def alert(tmp_path: Path) -> str:
    file = tmp_path / "alert.json"
    file.write_text(json.dumps({"version": "4", "alerts": [ALERT | {"status": "resolved"}, ALERT]}))
    return str(file)


def test_a_draft_is_written_below_the_playbooks_with_a_schema_for_editors(shell: Shell, alert: str) -> None:
    answer = shell("new", "cart-broken", "--from-template", "restart", "--alert", alert, "--area", "shop", "--json")
    assert answer.code == 0, answer
    books = shell.config.parent / "playbooks"
    file = books / "shop" / "cart-broken.yaml"
    assert answer.json == {"file": str(file), "schema": str(books / "schema.json"), "tests": 2, "warnings": []}
    assert file.read_text().startswith("# yaml-language-server: $schema=../schema.json\n")
    assert json.loads((books / "schema.json").read_text())["title"].startswith("Halon playbook")
    assert "CartBroken" in file.read_text()
    assert shell("lint", str(file), "--strict").code == 0
    assert shell("test", str(file)).code == 0


def test_a_file_that_is_there_is_kept_unless_it_may_be_replaced(shell: Shell) -> None:
    assert shell("new", "mine").code == 0
    file = shell.config.parent / "playbooks" / "mine.yaml"
    file.write_text("precious")
    refused = shell("new", "mine")
    assert (refused.code, "use --force" in refused.err, file.read_text()) == (2, True, "precious")
    assert shell("new", "mine", "--force").code == 0
    assert "kind: Playbook" in file.read_text()


def test_a_name_that_another_playbook_has_is_refused_and_nothing_is_written(shell: Shell, tmp_path: Path) -> None:
    out = tmp_path / "elsewhere" / "other.yaml"
    answer = shell("new", "ask-first", "--out", str(out))
    assert (answer.code, out.exists(), out.parent.exists()) == (2, False, False)
    assert "the name `ask-first` is taken by" in answer.err


def test_what_overlaps_with_another_playbook_is_told(shell: Shell, alert: str) -> None:
    shell("new", "cart-broken", "--from-template", "restart", "--alert", alert)
    again = shell("new", "cart-again", "--from-template", "rollback", "--alert", alert)
    assert again.code == 0
    assert "[overlapping-triggers]" in again.err


def test_an_explanation_is_words_a_page_or_a_diagram(shell: Shell) -> None:
    words = shell("explain", "ask-first").out
    assert "ask-first: Ask before anything" in words
    assert "- On the alert `Lab`" in words
    assert "At `gate`, about the steps up to the next question: an approval by group:sre within 10m" in words
    assert shell("explain", "ask-first", "--format", "mermaid").out.startswith("flowchart TD\n")
    assert "```mermaid\nflowchart TD" in shell("explain", "ask-first", "--format", "markdown").out
    file = str(shell.config.parent / "playbooks" / "ask-first.yaml")
    assert shell("explain", file, "--json").json["playbook"] == "ask-first"
    assert shell("explain", "ask-frist").code == 2


def test_an_owner_who_is_no_channel_of_the_installation_is_told(shell: Shell) -> None:
    shell.config.write_text(
        f"{shell.config.read_text()}\nnotify: {{channels: {{team-shop: [{{env: NOT_ASKED_FOR}}]}}}}\n"
    )
    assert (
        "no `team-shpo`; did you mean `team-shop`? [unknown-recipient]"
        in shell("new", "one", "--owner", "team-shpo").err
    )
    assert "unknown-recipient" not in shell("new", "two", "--owner", "team-shop").err
    found = shell("lint", "--json").json["findings"]
    assert {one["rule"] for one in found if one["file"].endswith("one.yaml")} == {"unknown-recipient"}
