"""A flag that is archived is left alone, and only environments that are allowed are touched."""

from typing import Any

import pytest
from flag_double import FlagDouble, launchdarkly
from vendor import TOKEN, vendor_world
from world import KEY

from halon.errors import NotFound, PermissionDenied

PARAMS = {"project": "shop", "environment": "production", "flag": "new-cart", "on": False}


@pytest.fixture
async def double() -> Any:
    made = FlagDouble()
    async with made.serving():
        yield made


@pytest.fixture
async def world(double: FlagDouble) -> Any:
    client = launchdarkly(double.url)
    yield lambda **params: vendor_world(double, "launchdarkly.set_flag", {**PARAMS, **params}, client)
    await client.close()


async def test_what_everybody_gets_is_said_and_the_key_stands_in_the_audit_log(double: FlagDouble, world: Any) -> None:
    plan = await world().plan()
    assert plan.notes == ("everybody gets `Old`",)
    await world().apply(plan)
    assert double.log[0]["comment"].endswith(KEY)
    assert double.there["on"] is False


async def test_an_archived_flag_is_refused_and_one_that_is_so_already_is_left(double: FlagDouble, world: Any) -> None:
    assert (await world(on=True).plan()).kind == "nothing"
    double.archived = True
    assert (await world().plan()).kind == "refused"


async def test_what_is_not_allowed_or_not_there_is_not_touched(double: FlagDouble, world: Any) -> None:
    with pytest.raises(PermissionDenied, match=r"launchdarkly\.allow"):
        await world(environment="staging").plan()
    assert double.asked == []
    with pytest.raises(NotFound) as caught:
        await world(flag="other").plan()
    assert TOKEN not in str(caught.value)
