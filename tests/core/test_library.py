"""What an incident's workflow is started with."""

from typing import Any

from halon.contracts.plan import Effect
from halon.contracts.playbook import Playbook
from halon.core.library import incident_input


def playbook(name: str, *steps: dict[str, Any]) -> Playbook:
    stop = {"stop": {"outcome": "unnecessary", "reason": "a test"}}
    return Playbook.model_validate(
        {
            "apiVersion": "halon/v1",
            "kind": "Playbook",
            "metadata": {"name": name, "title": name, "owner": "team-a"},
            "steps": [*steps, stop],
            "tests": [{"name": "ends", "expect": {"outcome": "unnecessary"}}],
        }
    )


def test_it_carries_what_a_run_may_need_and_no_tests() -> None:
    inner, other = playbook("inner"), playbook("other")
    middle = playbook("middle", {"playbook": "inner"})
    outer = playbook("outer", {"switch": {"cases": [{"if": "${{ true }}", "steps": [{"playbook": "middle"}]}]}})
    effects = {"lab.look": Effect.READ, "lab.turn": Effect.CHANGE}
    given = incident_input(
        "outer-0a", outer, {one.metadata.name: one for one in (inner, other, middle, outer)}, effects
    )
    assert (given.group, sorted(given.library)) == ("outer-0a", ["inner", "middle"])
    assert given.effects == effects
    assert all(not one.tests for one in (given.playbook, *given.library.values()))
    assert given.playbook.digest == outer.digest
