"""Flags are changed where flagd reads them, and nothing beside them is."""

import json
from pathlib import Path
from typing import Any

import pytest
from custom_objects import CustomObjects, kubernetes
from flagd_double import CONFIG_MAP, FLAG, definition, flagd
from pydantic import ValidationError
from vendor import vendor_world

from activities.flagd.set_flag import SetFlag
from halon.errors import NotFound, PermanentError


@pytest.fixture
async def double() -> CustomObjects:
    return flagd()


@pytest.fixture
async def world(double: CustomObjects, tmp_path: Path) -> Any:
    async with kubernetes(double, tmp_path) as api:
        yield lambda **params: vendor_world(double, "flagd.set_flag", {**FLAG, **params}, api)


async def test_a_flag_in_a_config_map_is_changed_and_put_back_without_its_neighbours(
    double: CustomObjects, world: Any
) -> None:
    def flags() -> Any:
        return json.loads(double.objects[CONFIG_MAP]["data"]["flags.flagd.json"])["flags"]

    here = world(source="ConfigMap", variant="off")
    plan = await here.plan()
    assert [(one.field, one.before, one.after) for one in plan.rows] == [("new-cart: variant", "on", "off")]
    await here.apply(plan)
    assert flags() == {"new-cart": {**definition(), "defaultVariant": "off"}, "other": definition()}
    await here.apply(await here.plan(plan.undo.call, undoing=plan), key="back")
    assert flags() == {"new-cart": definition(), "other": definition()}


async def test_what_is_not_there_is_refused_by_name(world: Any) -> None:
    plan = await world(variant="maybe").plan()
    assert (plan.kind, "off, on" in plan.reason) == ("refused", True)
    assert (await world(state="ENABLED").plan()).kind == "nothing"
    with pytest.raises(NotFound, match="no flag other"):
        await world(flag="other", variant="off").plan()
    with pytest.raises(NotFound, match=r"no `gone\.json`"):
        await world(source="ConfigMap", file="gone.json", variant="off").plan()
    with pytest.raises(PermanentError, match="no JSON"):
        await world(source="ConfigMap", file="broken.json", variant="off").plan()


def test_a_change_says_what_it_changes() -> None:
    with pytest.raises(ValidationError, match="say what shall change"):
        SetFlag.model_validate(FLAG)
