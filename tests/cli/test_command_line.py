"""The command line: help, exit codes, one sentence for what goes wrong, JSON for programs."""

import json
from pathlib import Path

import pytest
from command import Shell, configure

from halon.cli.app import COMMANDS, application, execute

WITHOUT_JSON = {"audit", "breaker", "keys", "token", "postmortem"}
"""What has commands below it, and what writes Markdown."""


def test_the_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["--help"]) == 0
    shown = capsys.readouterr().out
    assert [one for one in COMMANDS if f" {one} " not in shown] == []


def test_every_command_takes_json_and_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    alone = [[one] for one in COMMANDS if one not in WITHOUT_JSON]
    for command in [*alone, ["audit", "show"], ["audit", "verify"]]:
        assert execute([*command, "--help"]) == 0
        assert "--json" in capsys.readouterr().out, command


def test_a_command_is_found_wherever_it_stands_and_no_other_one_is_made_ready(shell: Shell) -> None:
    assert shell("--verbose", "lint", "--help").code == 0
    assert "there is no playbook lint" in shell("explain", "lint").err, "the name of a command may be an argument"
    alone = application(["lint"])
    assert [one.name for one in alone.registered_commands] == ["lint"]


@pytest.mark.parametrize("arguments", [[], ["audit"], ["breaker"]])
def test_a_call_without_a_command_is_the_help_and_nothing_else(
    capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    assert execute(arguments) == 2
    said = capsys.readouterr()
    assert "Usage: halon" in said.out
    assert said.err == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["incident"], "No such command 'incident'"),
        (["approve"], "Missing"),
        (["incidents", "--limit", "0"], "--limit"),
        (["incidents", "--state", "asleep"], "Invalid value for '--state': 'asleep' is not one of"),
        (["approve", "x-1-2", "--plan", "nothex"], "--plan"),
        (["approve", "x-1-2", "--by", "x" * 400], "--by"),
        (["run", "ask-frist"], "did you mean `ask-first`?"),
        (["run", "ask-first", "--input", "size=many"], "--input size: 'many' is no integer"),
        (["test", "-k", "no such test"], "no test's name holds 'no such test'"),
        (["audit", "verify", "--anchor", "x"], "anchor"),
    ],
)
def test_a_wrong_call_is_one_sentence_and_exit_code_2(shell: Shell, arguments: list[str], said: str) -> None:
    answer = shell(*arguments)
    assert (answer.code, answer.err.startswith("error: ")) == (2, True), answer
    assert said in answer.err
    assert "Traceback" not in answer.err


def test_a_broken_configuration_is_told_with_its_place(shell: Shell) -> None:
    shell.config.write_text("gateway:\n  prot: 8080\n")
    answer = shell("incidents")
    assert answer.code == 2
    assert "halon.yaml:2:3" in answer.err
    assert "port" in answer.err


def test_a_configuration_that_is_not_there_is_told(shell: Shell, tmp_path: Path) -> None:
    shell.config = tmp_path / "other.yaml"
    answer = shell("incidents")
    assert (answer.code, answer.out) == (1, "")
    assert (
        answer.err == f"error: the configuration {tmp_path / 'other.yaml'} cannot be read: No such file or directory\n"
    )


def test_an_incident_that_nobody_knows_is_exit_code_1(shell: Shell) -> None:
    answer = shell("audit", "show", "no-such")
    assert (answer.code, answer.out) == (1, "")
    assert answer.err == "error: no incident's id begins with 'no-such': `halon incidents` lists them\n"


def test_without_temporal_a_decision_fails_with_one_sentence(shell: Shell) -> None:
    answer = shell("approve", "ask-first-0123456789-manual", "--by", "ana@example.com")
    assert (answer.code, answer.out) == (1, "")
    assert answer.err.startswith("error: Temporal at 127.0.0.1:9 does not answer")
    assert answer.err.count("\n") == 1


def test_setup_tells_all_that_is_not_ready_and_does_the_rest(shell: Shell) -> None:
    answer = shell("setup", "--json")
    assert answer.code == 1
    assert {one["name"]: one["ok"] for one in answer.json["checks"]} == {
        "temporal": False,
        "store": True,
        "playbooks": True,
        "guards": True,
        "audit": True,
    }
    assert (shell.config.parent / "data" / "halon.db").exists()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ("policy: [{name: odd, if: '${{ steps.a }}', deny: never}]", "policy[0] ('odd') in halon.yaml"),
        ("freeze: [{name: launches, calendar: missing.ics}]", "of freeze launches cannot be read: No such file"),
    ],
)
def test_setup_tells_of_guards_that_are_wrong(shell: Shell, settings: str, said: str) -> None:
    written = shell.config.read_text()
    try:
        shell.config.write_text(f"{written}\n{settings}\n")
        [guards] = [one for one in shell("setup", "--json").json["checks"] if one["name"] == "guards"]
    finally:
        shell.config.write_text(written)
    assert not guards["ok"]
    assert said in guards["detail"]


def test_an_empty_chain_is_whole(shell: Shell) -> None:
    assert shell("audit", "verify", "--json").json["ok"] is True


def test_lint_gives_findings_as_text_and_as_json(shell: Shell) -> None:
    text = shell("lint")
    assert text.code == 0
    assert "\033" not in text.out
    (shell.config.parent / "playbooks" / "bad.yaml").write_text("apiVersion: halon/v1\nkind: Playbok\n")
    answer = shell("lint", "--json")
    assert answer.code == 1
    assert any(one["file"].endswith("bad.yaml") and one["line"] == 2 for one in answer.json["findings"])
    assert shell("lint", "--format", "github").out.startswith("::")
    assert shell("lint", str(shell.config.parent / "nowhere")).code == 1


def test_the_tests_of_playbooks_run_and_can_be_chosen(shell: Shell) -> None:
    everything = shell("test")
    assert everything.code == 0
    assert "2 passed, 0 failed" in everything.out
    chosen = shell("test", "-k", "denied", "--json")
    assert [(one["name"], one["status"]) for one in chosen.json["results"]] == [("is denied", "passed")]


def test_a_failing_test_is_exit_code_1_and_a_broken_playbook_2(shell: Shell) -> None:
    book = shell.config.parent / "playbooks" / "ask-first.yaml"
    book.write_text(book.read_text().replace("outcome: denied}", "outcome: expired}"))
    assert shell("test").code == 1
    (book.parent / "bad.yaml").write_text("kind: Playbook\n")
    answer = shell("test")
    assert answer.code == 2
    assert "bad.yaml" in answer.err


def test_the_schema_is_json(shell: Shell) -> None:
    assert json.loads(shell("schema").out)["title"] == "Halon playbook, halon/v1"


def test_a_verification_that_finds_something_is_exit_code_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shell = Shell(configure(tmp_path, 'store: {url: "mysql+aiomysql://x/y"}\n'), capsys)
    answer = shell("audit", "verify")
    assert answer.code == 2
    assert "store.url" in answer.err or "halon.yaml" in answer.err
