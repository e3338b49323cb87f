"""What Opsgenie is told is fitted to its bounds, and an alias finds the open alert."""

from typing import Any

import pytest
from notice import telling
from opsgenie_double import OpsgenieDouble, opsgenie


@pytest.fixture
async def double() -> OpsgenieDouble:
    return OpsgenieDouble()


def on(double: OpsgenieDouble, action: str, **params: Any) -> Any:
    return telling(double, opsgenie, f"opsgenie.{action}", params)


async def test_an_alert_says_what_is_wrong_within_the_bounds_and_without_secrets(double: OpsgenieDouble) -> None:
    params = {
        "reference": "i-1",
        "message": "cart is down " * 50,
        "description": "password=hunter22 " + "x" * 20_000,
        "priority": "P1",
        "responders": [{"name": "shop"}, {"type": "user", "name": "ana@example.com"}],
        "tags": ["halon"],
        "entity": "cart",
        "details": {"run": "y" * 2000},
    }
    async with on(double, "create_alert", **params) as here:
        assert await here.run() == {"alias": "i-1", "found": True}
    alert = double.alerts[0]
    assert (len(alert["message"]), len(alert["description"]), len(alert["details"]["run"])) == (130, 15_000, 1000)
    assert "hunter22" not in str(alert)
    assert alert["responders"] == [{"type": "team", "name": "shop"}, {"type": "user", "username": "ana@example.com"}]


async def test_an_open_alert_takes_what_repeats_it_and_one_that_was_closed_does_not(double: OpsgenieDouble) -> None:
    async with on(double, "create_alert", reference="i-1", message="down") as here:
        await here.run()
        await here.run()
        assert [one["count"] for one in double.alerts] == [2]
        double.alerts[0]["status"] = "closed"
        await here.run()
    assert [one["status"] for one in double.alerts] == ["open", "closed"]


async def test_a_note_goes_along_and_what_is_not_open_says_so(double: OpsgenieDouble) -> None:
    double.opened("i-1")
    async with on(double, "close_alert", reference="i-1", note="rolled back") as here:
        assert await here.run() == {"alias": "i-1", "found": True}
        assert await here.run() == {"alias": "i-1", "found": False}
    assert (double.alerts[0]["status"], double.alerts[0]["notes"]) == ("closed", ["rolled back"])


async def test_a_reference_that_no_path_can_hold_has_a_mark_for_an_alias(double: OpsgenieDouble) -> None:
    async with on(double, "create_alert", reference="i-1/page", message="down") as here:
        made = await here.run()
    assert made["alias"].startswith("halon-")
    async with on(double, "acknowledge_alert", reference="i-1/page") as here:
        assert await here.run() == made
    assert double.alerts[0]["acknowledged"]
