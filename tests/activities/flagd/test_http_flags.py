"""A flag in a served document is changed where it lies, and nothing beside it is, whoever else writes there."""

import copy
from typing import Any

import pytest
from documents_double import Documents, documents
from pydantic import ValidationError
from vendor import TOKEN, vendor_world

from activities.flagd.set_http_flag import SetHttpFlag
from halon.errors import Misconfigured, NotFound, PermanentError

FLAG = {"document": "shop", "flag": "new-cart"}


@pytest.fixture
async def double() -> Any:
    made = Documents()
    async with made.serving():
        yield made


@pytest.fixture
async def world(double: Documents) -> Any:
    client = documents(double.url)
    yield lambda **params: vendor_world(double, "flagd.set_http_flag", {**FLAG, **params}, client)
    await client.close()


async def test_a_flag_is_changed_and_put_back_without_its_neighbours(double: Documents, world: Any) -> None:
    was = copy.deepcopy(double.content)
    here = world(variant="off", state="DISABLED")
    plan = await here.plan()
    await here.apply(plan)
    flag = double.content["flags"]["new-cart"]
    assert (flag["state"], flag["defaultVariant"]) == ("DISABLED", "off")
    assert flag["metadata"] == {"team": "shop", "halon.dev/change": "i-1/step"}
    await here.apply(await here.plan(plan.undo.call, undoing=plan), key="back")
    del double.content["flags"]["new-cart"]["metadata"]["halon.dev/change"]
    assert double.content == was


async def test_what_somebody_else_writes_in_between_stays(double: Documents, world: Any) -> None:
    here = world(variant="off")
    plan = await here.plan()
    double.racing = True
    assert (await here.apply(plan)).status == "applied"
    assert double.content["flags"]["other"]["state"] == "DISABLED"
    assert double.content["flags"]["new-cart"]["defaultVariant"] == "off"


@pytest.mark.parametrize("tagging", ["weak", "none"])
async def test_a_server_that_cannot_tell_whose_document_it_is_is_refused(
    double: Documents, world: Any, tagging: str
) -> None:
    double.tagging = tagging
    with pytest.raises(PermanentError, match="no strong ETag"):
        await world(variant="off").plan()


async def test_what_is_not_there_says_so(double: Documents, world: Any) -> None:
    with pytest.raises(NotFound, match="no flag gone"):
        await world(flag="gone", variant="off").plan()
    with pytest.raises(Misconfigured, match=r"flagd\.documents \(it names: shop\)"):
        await world(document="other", variant="off").plan()
    assert (await world(variant="maybe").plan()).kind == "refused"
    double.content = ["no", "document"]
    with pytest.raises(PermanentError, match="no JSON object") as caught:
        await world(variant="off").plan()
    assert TOKEN not in str(caught.value)


def test_a_change_says_what_it_changes() -> None:
    with pytest.raises(ValidationError, match="say what shall change"):
        SetHttpFlag.model_validate(FLAG)
