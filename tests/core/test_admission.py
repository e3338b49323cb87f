"""What a run may do that its guards have not admitted, and what it asks them when names are strange."""

import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from random_runs import TrueWorld

from halon.contracts.base import MAX_DURATION, format_duration, parse_duration
from halon.contracts.decision import Verdict
from halon.contracts.ledger import Admission, AdmissionRequest, Holder
from halon.contracts.outcome import Outcome
from halon.contracts.plan import Applied, Effect, Plan
from halon.contracts.playbook import Playbook
from halon.contracts.policy import PolicyRule
from halon.contracts.run import RunSpec
from halon.core.admission import NOT_ADMITTED, _longest
from halon.core.virtual import START, Answer, Course, Reply, run_virtually

EFFECTS = {"world.set": Effect.CHANGE}
SET: dict[str, Any] = {"id": "a", "uses": "world.set", "with": {"name": "cart", "to": 5}}
LOCKED: dict[str, Any] = {"target": "cart", "guard": {"lock": "target"}, "steps": [SET]}


def book(name: str = "p", **more: Any) -> Playbook:
    metadata = {"name": name, "title": "P", "owner": "team"}
    return Playbook.model_validate({"apiVersion": "halon/v1", "kind": "Playbook", "metadata": metadata, **more})


def spec(playbook: Playbook, **more: Any) -> RunSpec:
    return RunSpec(incident="i", playbook=playbook, effects=EFFECTS, alerts=(), **more)


def locked_world() -> TrueWorld:
    world = TrueWorld([1])
    other = AdmissionRequest(
        holder=Holder(workflow="other", run="1"),
        incident="other",
        playbook="q",
        lock="cart",
        holds_for=timedelta(hours=1),
        automatic=True,
    )
    assert world.ledger.admit(other, START).granted
    return world


@pytest.mark.parametrize("tail", ["on_failure", "finally"])
def test_a_refused_run_changes_nothing_at_its_end_either(tail: str) -> None:
    world = locked_world()
    ran = run_virtually(spec(book(**(LOCKED | {tail: [{**SET, "id": "b"}]}))), world)
    assert ran.result is not None
    assert (ran.result.outcome, world.keys) == (Outcome.REFUSED, [])
    assert NOT_ADMITTED in [one.reason for one in ran.result.steps]


@pytest.mark.parametrize("tail", ["on_failure", "finally"])
def test_a_refused_playbook_within_another_changes_nothing_at_its_end_either(tail: str) -> None:
    world = locked_world()
    child = book("child", **(LOCKED | {tail: [{**SET, "id": "b"}]}))
    outer = book(steps=[{"id": "call", "playbook": "child", "on_failure": "continue"}])
    ran = run_virtually(spec(outer, library={"child": child}), world)
    assert ran.result is not None
    assert world.keys == []


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"target": "x" * 2001, "guard": {"lock": "target"}, "steps": [SET]}, "`target`"),
        (
            {
                "target": "x" * 1500,
                "guard": {"budget": {"scope": "s", "max_targets": 5, "per": "1h"}},
                "steps": [{"for_each": {"in": "${{ [target + target] }}", "as": "n", "max_items": 3, "steps": [SET]}}],
            },
            "`targets.0`",
        ),
        (
            {
                "target": "x",
                "guard": {"budget": {"scope": "${{ target == 'x' ? '' : target }}", "max_targets": 5, "per": "1h"}},
                "steps": [SET],
            },
            "`scope`",
        ),
    ],
)
def test_a_name_that_the_guards_cannot_take_ends_the_run_and_does_not_stop_it(more: dict[str, Any], said: str) -> None:
    ran = run_virtually(spec(book(**more)), TrueWorld([1]))
    assert ran.result is not None
    assert said in ran.result.reason


def test_the_longest_lease_can_be_asked_for() -> None:
    playbook = book(target="cart", steps=[{**SET, "expires": "366d"}], guard={"lock": "target"})
    until = run_virtually(spec(playbook), TrueWorld([1]))
    assert until.result is not None
    assert until.result.outcome is Outcome.UNVERIFIED
    longest = format_duration(_longest(playbook))
    assert parse_duration(longest) == MAX_DURATION


def test_a_rule_that_wants_more_people_after_a_pause_asks_again() -> None:
    night = {"name": "night", "if": "${{ now.getHours() >= 18 }}", "require": {"quorum": 2}}

    class PausedUntilNight(TrueWorld):
        held = False

        def admit(self, request: AdmissionRequest, now: datetime) -> Answer[Admission]:
            granted = self.ledger.admit(request, now)
            return Answer(granted.model_copy(update={"rules": (PolicyRule.model_validate(night),)}))

        def apply(self, plan: Plan, step: str, key: str) -> Answer[Applied]:
            self.held, first = True, not self.held
            return Answer(Applied(status="held", reason="paused")) if first else super().apply(plan, step, key)

        def clearance(self, plan: Plan, step: str) -> Answer[None]:
            return Answer(None, timedelta(hours=10))

    world = PausedUntilNight([1])
    approved = {**SET, "approve": {"within": "1h"}}
    ana = Reply(step="a", verdict=Verdict.APPROVE, by="ana")
    ran = run_virtually(spec(book(timeout="1d", steps=[approved])), world, Course(replies=[ana]))
    assert ran.result is not None
    assert (ran.result.outcome, world.keys) == (Outcome.EXPIRED, [])
