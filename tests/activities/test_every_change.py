"""What every action that changes something keeps to: once for one key, taken back exactly, and no write in trouble.

An action that is in no family's `worlds.py` fails here: whoever adds one says what it acts on.
"""

import importlib.util
import sys
from pathlib import Path

import pytest
from world import KEY, REGISTRY, Opening

from halon.errors import PermissionDenied, TransientError
from halon.kit.action import Change

HERE = Path(__file__).parent
CHANGES = [name for name in REGISTRY.names if issubclass(REGISTRY.action(name), Change)]


def _worlds() -> dict[str, Opening]:
    found: dict[str, Opening] = {}
    for file in sorted(HERE.glob("*/worlds.py")):
        sys.path.insert(0, str(file.parent))
        spec = importlib.util.spec_from_file_location(f"worlds_of_{file.parent.name}", file)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        found |= module.WORLDS
    return found


WORLDS = _worlds()
every_change = pytest.mark.parametrize("name", CHANGES)


def test_every_change_has_a_world_and_every_world_a_change() -> None:
    assert sorted(WORLDS) == CHANGES


@every_change
async def test_the_same_key_twice_changes_the_world_once_and_undo_puts_it_back(name: str) -> None:
    async with WORLDS[name]() as here:
        plan = await here.plan()
        assert (plan.kind, plan.reason) == ("change", "")
        assert plan.rows
        assert here.writes() == []
        assert (await here.apply(plan)).status == "applied"
        once = here.writes()
        assert once
        again = await here.apply(plan)
        assert (again.status, again.ours) == ("already", True)
        other = await here.apply(plan, key="i-2/step")
        assert (other.status, other.ours) == ("already", not here.change.marks)
        assert here.writes() == once
        assert (await here.confirmed(plan)).state == "settled"
        assert (plan.undo.call is not None) is here.change.undoable
        if plan.undo.call is None:
            assert plan.undo.reason
            return
        back = await here.plan(plan.undo.call, undoing=plan)
        assert (back.kind, back.after) == ("change", plan.before)
        await here.apply(back, key=f"{KEY}/undo")
        undone = here.writes()
        await here.apply(back, key=f"{KEY}/undo")
        assert here.writes() == undone
        assert (await here.confirmed(back)).state == "settled"
        assert here.change.owned(await here.change.observe(here.env)) == plan.before


@every_change
async def test_a_write_whose_answer_is_lost_is_not_made_again(name: str) -> None:
    async with WORLDS[name]() as here:
        plan = await here.plan()
        here.lose_reply()
        with pytest.raises(TransientError):
            await here.apply(plan)
        assert here.writes()
        assert (await here.applied(plan)).status in {"already", "applied"}
        assert len(set(here.writes())) == len(here.writes())
        assert (await here.confirmed(plan)).state == "settled"


@every_change
async def test_what_somebody_else_changed_meanwhile_is_not_written_over(name: str) -> None:
    async with WORLDS[name]() as here:
        plan = await here.plan()
        await here.drift()
        assert (await here.applied(plan)).status == "drift"
        assert here.writes() == []


@every_change
async def test_a_missing_right_and_a_throttled_api_are_told_apart_and_write_nothing(name: str) -> None:
    async with WORLDS[name]() as here:
        plan = await here.plan()
        here.deny()
        with pytest.raises(PermissionDenied):
            await here.apply(plan)
        here.throttle()
        with pytest.raises(TransientError):
            await here.apply(plan)
        assert here.writes() == []
