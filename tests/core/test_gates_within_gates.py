"""A step with an `approve` of its own asks those whom it names, whatever was approved around it."""

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from random_runs import TrueWorld

from halon.contracts.decision import Verdict
from halon.contracts.plan import Effect
from halon.contracts.playbook import Playbook
from halon.contracts.run import RunSpec
from halon.core.virtual import Course, Reply, run_virtually

GATE: dict[str, Any] = {"id": "gate", "approve": {"within": "5m"}}
STRICT: dict[str, Any] = {
    "id": "a",
    "uses": "world.set",
    "with": {"name": "cart", "to": 5},
    "approve": {"quorum": 2, "within": "5m"},
}
PLAIN: dict[str, Any] = {"id": "b", "uses": "world.set", "with": {"name": "orders", "to": 3}}
LOOP: dict[str, Any] = {
    "id": "each",
    "for_each": {"in": "${{ [1] }}", "max_items": 1, "steps": [STRICT]},
    "approve": {"within": "5m"},
}


def spec(*steps: dict[str, Any]) -> RunSpec:
    metadata = {"name": "p", "title": "P", "owner": "team"}
    head = {"apiVersion": "halon/v1", "kind": "Playbook", "metadata": metadata}
    playbook = Playbook.model_validate({**head, "steps": steps})
    return RunSpec(incident="i", playbook=playbook, effects={"world.set": Effect.CHANGE}, alerts=())


def yes(step: str, by: str) -> Reply:
    return Reply(step=step, verdict=Verdict.APPROVE, by=by)


@pytest.mark.parametrize(("steps", "gate"), [((GATE, STRICT), "gate"), ((LOOP,), "each")])
def test_one_word_on_a_gate_is_not_the_two_that_a_step_behind_it_asks_for(
    steps: tuple[dict[str, Any], ...], gate: str
) -> None:
    world = TrueWorld([1])
    ran = run_virtually(spec(*steps), world, Course(replies=[yes(gate, "ana"), yes("a", "ana")]))
    assert ran.result is not None
    assert (ran.result.reason.split("a: ")[-1], world.keys) == ("nobody decided within 5m", [])


@pytest.mark.parametrize(("steps", "gate"), [((GATE, STRICT), "gate"), ((LOOP,), "each")])
def test_with_its_own_two_it_is_made(steps: tuple[dict[str, Any], ...], gate: str) -> None:
    replies = [yes(gate, "ana"), yes("a", "ana"), yes("a", "ben")]
    ran = run_virtually(spec(*steps), TrueWorld([1]), Course(replies=replies))
    assert ran.result is not None
    assert [name.rsplit(".", 1)[-1] for name in ran.result.applied] == ["a"]


def test_the_gate_still_covers_what_asks_for_nobody_of_its_own() -> None:
    replies = [yes("gate", "ana"), yes("a", "ana"), yes("a", "ben")]
    ran = run_virtually(spec(GATE, STRICT, PLAIN), TrueWorld([1]), Course(replies=replies))
    assert ran.result is not None
    assert ran.result.applied == ("a", "b")
