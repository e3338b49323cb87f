"""A flag without strategies would be on for everybody, and is refused; only what is allowed is touched."""

from typing import Any

import pytest
from toggle_double import ToggleDouble, unleash
from vendor import vendor_world

from halon.errors import NotFound, PermissionDenied

PARAMS = {"environment": "production", "flag": "new-cart", "on": True}


@pytest.fixture
async def double() -> Any:
    made = ToggleDouble()
    async with made.serving():
        yield made


@pytest.fixture
async def world(double: ToggleDouble) -> Any:
    client = unleash(double.url)
    yield lambda **params: vendor_world(double, "unleash.set_flag", {**PARAMS, **params}, client)
    await client.close()


async def test_a_flag_without_strategies_is_not_turned_on(double: ToggleDouble, world: Any) -> None:
    assert (await world().plan()).kind == "nothing"
    double.there |= {"enabled": False, "strategies": []}
    plan = await world().plan()
    assert (plan.kind, "everybody" in plan.reason) == ("refused", True)


async def test_what_is_not_allowed_or_not_there_is_not_touched(double: ToggleDouble, world: Any) -> None:
    with pytest.raises(PermissionDenied, match=r"unleash\.allow"):
        await world(environment="staging").plan()
    assert double.asked == []
    with pytest.raises(NotFound):
        await world(flag="other").plan()
