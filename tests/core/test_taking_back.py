"""What is told of taking back a change that was refused, so that it never was there."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from random_runs import TrueWorld

from halon.contracts.audit import AuditKind
from halon.contracts.plan import Applied, Effect, Plan
from halon.contracts.playbook import Playbook
from halon.contracts.run import RunSpec
from halon.core.runtime import ActionFailed
from halon.core.virtual import Answer, Course, run_virtually

STEP = {"id": "a", "uses": "world.set", "with": {"name": "cart", "to": 5}}


class Forbidding(TrueWorld):
    """A world that lets nobody write."""

    def apply(self, plan: Plan, step: str, key: str) -> Answer[Applied]:
        return Answer(ActionFailed("may not", kind="permission_denied"))


def test_it_is_not_told_to_be_taken_back() -> None:
    head = {"apiVersion": "halon/v1", "kind": "Playbook", "metadata": {"name": "p", "title": "P", "owner": "team"}}
    playbook = Playbook.model_validate({**head, "steps": [STEP]})
    spec = RunSpec(incident="i", playbook=playbook, effects={"world.set": Effect.CHANGE}, alerts=())
    ran = run_virtually(spec, Forbidding([1]), Course())
    (message,) = [told.event.message for told in ran.told if told.event.kind is AuditKind.UNDONE]
    assert message.startswith("Nothing of it is there: ")
