"""A few runs of `make chaos`, and that a run is repeated by its seed and told so that one can repeat it."""

from pathlib import Path
from typing import Any

import chaos
import pytest
import yaml
from hurry import SHIPPED, write_hurried
from run import Report, draw, play
from scenes import CRASHLOOP, SCRIPTS, SUSPECT, WEDGED
from stage import stage

SEEDS = (10, 23, 24)


@pytest.mark.timeout(180)
async def test_runs_hold_what_they_must_while_processes_die_and_the_api_is_cut(tmp_path: Path) -> None:
    async with stage(tmp_path) as here:
        for seed in SEEDS:
            report = await play(here, draw(seed))
            assert report.breaches == [], f"make chaos RUNS=1 SEED={seed}"
        assert await here.proof() == []
    assert chaos.processes_of(tmp_path) == []


def test_a_seed_draws_the_same_run_every_time_and_another_one_another() -> None:
    assert draw(7) == draw(7)
    assert draw(7) != draw(8)


def test_the_playbooks_that_change_deployments_are_run() -> None:
    names = [yaml.safe_load(file.read_text(encoding="utf-8"))["metadata"]["name"] for file in SHIPPED]
    assert set(names) == {script.playbook for script in SCRIPTS} == {CRASHLOOP, WEDGED, SUSPECT}


def test_the_hurried_playbooks_do_what_the_shipped_ones_do(tmp_path: Path) -> None:
    def read(file: Path) -> dict[str, Any]:
        playbook: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
        for step in playbook["steps"]:
            for wait in ("every", "within", "hold") if "verify" in step else ():
                step.pop(wait, None)
        for guard, numbers in (("breaker", "failures"), ("rate", "runs")):
            playbook["guard"].get(guard, {}).pop(numbers, None)
        playbook["inputs"].get("settles_within", {}).pop("default", None)
        del playbook["tests"]
        return playbook

    write_hurried(tmp_path)
    for file in SHIPPED:
        assert read(tmp_path / file.name) == read(file)


def test_a_broken_run_says_how_to_repeat_it_and_where_to_look(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    broken = Report(draw(7), breaches=["once: the change with key k1 took effect 2 times"], logs=tmp_path)
    chaos.tell(broken, 1)
    chaos.summary([Report(draw(6)), broken], 60)
    told = capsys.readouterr().out
    assert "took effect 2 times" in told
    assert f"make chaos RUNS=1 SEED=7      logs, writes and audit: {tmp_path}" in told
    assert "2 runs in 1.0 min, 1 broken" in told
