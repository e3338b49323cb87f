"""One incident on the page for a reference, from its first word to its last, and each word once."""

from typing import Any

import pytest
from notice import telling
from statuspage_double import StatusPageDouble, statuspage

from halon.errors import NotFound, TransientError

INCIDENT = {"reference": "i-1", "name": "Orders fail", "body": "We look into it.", "components": ["c1"]}


@pytest.fixture
async def double() -> StatusPageDouble:
    return StatusPageDouble()


def publishing(double: StatusPageDouble, **more: Any) -> Any:
    params = {**INCIDENT, "status": "investigating", "impact": "major", **more}
    return telling(double, statuspage, "statuspage.publish_incident", params)


async def test_an_incident_is_created_updated_and_resolved_with_its_components(double: StatusPageDouble) -> None:
    async with publishing(double) as here:
        assert await here.run() == {"id": "p1", "url": "https://stspg.io/p1"}
        assert double.incidents[0]["components"] == {"c1": "partial_outage"}
        assert (await here.run(status="identified", body="token: abcdefgh12345"))["id"] == "p1"
        assert (await here.run(status="resolved", body="It is over."))["id"] == "p1"
    assert [status for status, _ in double.updates] == ["investigating", "identified", "resolved"]
    assert "abcdefgh" not in double.updates[1][1]
    assert double.incidents[0]["components"] == {"c1": "operational"}
    assert double.incidents[1] == {"id": "p0", "status": "investigating", "metadata": {}}


async def test_an_end_whose_answer_got_lost_is_not_said_twice_and_opens_nothing(double: StatusPageDouble) -> None:
    async with publishing(double) as here:
        await here.run()
        double.lose()
        with pytest.raises(TransientError):
            await here.run(status="resolved", body="It is over.")
        assert (await here.run(status="resolved", body="It is over."))["id"] == "p1"
    assert len(double.updates) == 2
    assert len(double.incidents) == 2


async def test_what_the_page_does_not_show_is_not_resolved(double: StatusPageDouble) -> None:
    async with publishing(double, status="resolved") as here:
        with pytest.raises(NotFound, match="i-1"):
            await here.run()
    assert double.updates == []


async def test_what_begins_again_after_its_end_is_an_incident_of_its_own(double: StatusPageDouble) -> None:
    async with publishing(double) as here:
        await here.run()
        await here.run(status="resolved", body="It is over.")
        assert (await here.run(body="It is back."))["id"] == "p2"


async def test_long_words_are_cut(double: StatusPageDouble) -> None:
    async with publishing(double, name="n" * 500, body="b" * 9000) as here:
        await here.run()
    assert (len(double.incidents[0]["name"]), len(double.updates[0][1])) == (200, 4000)
