import os
import time
from pathlib import Path

import pytest

from halon.errors import NotFound
from halon.playbook.actions import ActionSchemas
from halon.playbook.catalogue import load_catalogue

HEAD = "apiVersion: halon/v1\nkind: Playbook\nmetadata: {name: NAME, title: T, owner: o}\n"
WAIT = HEAD + "steps: [{wait: 1m}]\n"


def write(directory: Path, **texts: str) -> None:
    for name, text in texts.items():
        (directory / f"{name}.yaml").write_text(text.replace("NAME", name), encoding="utf-8")


def test_an_invalid_playbook_is_told_and_the_valid_ones_are_served(tmp_path: Path, actions: ActionSchemas) -> None:
    write(tmp_path, good=WAIT, bad=HEAD + "steps: [{wait: soon}]\n", broken="a: [", other=WAIT)
    catalogue = load_catalogue([tmp_path], actions)
    assert list(catalogue.playbooks) == ["good", "other"]
    assert {Path(one.file).name for one in catalogue.problems} == {"bad.yaml", "broken.yaml"}
    assert len(catalogue.results) == 4


def test_a_name_that_two_files_claim_is_served_by_neither(tmp_path: Path, actions: ActionSchemas) -> None:
    write(tmp_path, one=WAIT, two=WAIT.replace("NAME", "one"), three=WAIT)
    catalogue = load_catalogue([tmp_path], actions)
    assert list(catalogue.playbooks) == ["three"]
    assert [one.code for one in catalogue.problems] == ["duplicate_name"] * 2
    assert "two.yaml too, so none of them is served" in catalogue.problems[0].message
    assert (catalogue.problems[0].line, catalogue.problems[0].column) == (3, 18)


def test_a_broken_file_keeps_its_name_so_that_no_other_version_takes_its_place(
    tmp_path: Path, actions: ActionSchemas
) -> None:
    write(tmp_path, one=HEAD + "steps: [{wait: soon}]\n", two=WAIT.replace("NAME", "one"))
    assert not load_catalogue([tmp_path], actions).playbooks


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ("[{playbook: chidl}]", "playbook `chidl` is not installed; did you mean `child`?"),
        ("[{playbook: child, inputs: {who: a, wo: b}}]", "playbook `child` has no input `wo`; did you mean `who`?"),
        ("[{playbook: child}]", "playbook `child` needs an input `who`"),
        ("[{playbook: bad}]", "playbook `bad` is there but cannot be used"),
        ("[{playbook: parent}]", "playbooks that call each other"),
    ],
)
def test_a_call_of_another_playbook_is_checked(tmp_path: Path, actions: ActionSchemas, steps: str, words: str) -> None:
    child = WAIT + "inputs: {who: {type: string}}\n"
    write(tmp_path, child=child, bad=HEAD + "steps: 1\n", parent=HEAD + f"steps: {steps}\n")
    catalogue = load_catalogue([tmp_path], actions)
    assert list(catalogue.playbooks) == ["child"]
    assert any(words in one.message for one in catalogue.problems)


def test_who_calls_a_playbook_that_cannot_be_used_cannot_be_used_either(tmp_path: Path, actions: ActionSchemas) -> None:
    call = HEAD + "steps: [{playbook: %s}]\n"
    write(tmp_path, a=call % "b", b=call % "c", c=call % "gone", d=WAIT)
    assert list(load_catalogue([tmp_path], actions).playbooks) == ["d"]


def test_files_are_found_below_directories_and_links_do_not_lead_out(tmp_path: Path, actions: ActionSchemas) -> None:
    inside, outside = tmp_path / "in" / "deep", tmp_path / "out"
    hidden = tmp_path / "in" / "..data"
    for directory in (inside, outside, hidden):
        directory.mkdir(parents=True)
    write(inside, deep=WAIT)
    write(outside, secret=WAIT)
    write(hidden, mounted=WAIT)
    (inside / "leads-out.yaml").symlink_to(outside / "secret.yaml")
    (inside / "mounted.yaml").symlink_to(hidden / "mounted.yaml")
    (inside / ".hidden.yaml").write_text(WAIT, encoding="utf-8")
    (inside / "notes.txt").write_text("x", encoding="utf-8")
    assert list(load_catalogue([tmp_path / "in"], actions).playbooks) == ["deep", "mounted"]


def test_what_is_not_there_or_is_no_file_is_told(tmp_path: Path, actions: ActionSchemas) -> None:
    with pytest.raises(NotFound, match="there is no file or directory"):
        load_catalogue([tmp_path / "nowhere"], actions)
    os.mkfifo(tmp_path / "pipe.yaml")
    assert not load_catalogue([tmp_path], actions).results


def test_three_hundred_playbooks_load_in_a_moment(tmp_path: Path, actions: ActionSchemas) -> None:
    for index in range(300):
        write(tmp_path, **{f"book-{index}": WAIT})
    began = time.perf_counter()
    assert len(load_catalogue([tmp_path], actions).playbooks) == 300
    assert time.perf_counter() - began < 3
