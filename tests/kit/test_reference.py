import json
from datetime import timedelta
from typing import ClassVar

import yaml
from valve import ACTIONS, Look, Turn

from halon.contracts.base import Duration, JsonObject
from halon.kit.action import Permission
from halon.kit.reference import reference
from halon.kit.registry import Registry


class Patient(Turn):
    """Turn the valve slowly.

    Errors: a valve that is stuck is `failed`.
    """

    undoable: ClassVar[bool] = False
    permissions: ClassVar[tuple[Permission, ...]] = (Permission("kubernetes", ("get", "patch"), "/valves", "to turn"),)
    example: ClassVar[JsonObject] = {"to": 3, "pause": "90s"}
    pause: Duration = timedelta(seconds=90)
    """How long it waits | before."""


def test_an_action_is_described_with_all_that_its_user_must_know() -> None:
    text = reference(Registry({"valve.turn": Patient, "valve.look": Look}))
    assert "| [`valve.turn`](#valveturn) | changes | Turn the valve slowly. |" in text
    assert "Errors: a valve that is stuck is `failed`." in text
    assert "**Undo:** none." in text
    assert "| `to` | integer | required | Position, 0 is closed. |" in text
    assert '| `pause` | duration | `"1m30s"` | How long it waits \\| before. |' in text
    assert "| `since` | time |" in text
    assert "| kubernetes | get, patch | /valves | to turn |" in text
    example = yaml.safe_load(text.rpartition("```yaml\n")[2].partition("```")[0])
    assert example == {"uses": "valve.turn", "with": {"to": 3, "pause": "90s"}}


def test_an_action_is_undone_unless_it_says_otherwise() -> None:
    assert "**Undo:** puts back what was there before." in reference(ACTIONS)
    assert ACTIONS.schemas["valve.turn"].undoable
    assert not Registry({"valve.turn": Patient}).schemas["valve.turn"].undoable


def test_a_default_in_the_schema_is_written_as_playbooks_write_it() -> None:
    schema = Registry({"valve.turn": Patient}).schemas["valve.turn"].params
    assert schema["properties"]["pause"]["default"] == "1m30s"
    json.dumps(schema)
