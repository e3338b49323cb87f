"""What PagerDuty is told is fitted to its bounds, and what it cannot be told says which setting is missing."""

from typing import Any

import pytest
from notice import telling
from pagerduty_double import SERVICE, PagerDutyDouble, pagerduty
from vendor import Secret

from halon.clients.pagerduty import PagerDuty
from halon.errors import InvalidInput, Misconfigured, NotFound
from halon.settings.services import PagerDutySettings

EVENT = {"service": SERVICE, "reference": "i-1"}


@pytest.fixture
async def double() -> PagerDutyDouble:
    return PagerDutyDouble()


def on(double: PagerDutyDouble, action: str, client: Any = pagerduty, **params: Any) -> Any:
    return telling(double, client, f"pagerduty.{action}", params)


async def test_an_incident_says_what_is_wrong_within_the_bounds_and_without_secrets(double: PagerDutyDouble) -> None:
    details = {"logs": "password=hunter22", "long": "x" * 20_000}
    more = {"component": "cart", "link": "https://halon.example.com/i-1", "severity": "error"}
    async with on(double, "trigger_incident", **EVENT, summary="down\n" * 1000, details=details, **more) as here:
        assert await here.run() == {"incident": "", "dedup_key": "i-1"}
    event = double.incidents[0]["event"]
    payload = event["payload"]
    assert (len(payload["summary"]), "\n" in payload["summary"]) == (1024, False)
    assert "hunter22" not in str(payload)
    assert len(payload["custom_details"]["long"]) == 8000
    assert (payload["component"], payload["severity"], payload["source"]) == ("cart", "error", "halon")
    assert event["links"][0]["href"] == "https://halon.example.com/i-1"


async def test_an_incident_that_was_resolved_is_triggered_anew(double: PagerDutyDouble) -> None:
    async with on(double, "trigger_incident", **EVENT, summary="down") as here:
        await here.run()
        double.incidents[0]["status"] = "resolved"
        await here.run()
    assert [one["status"] for one in double.incidents] == ["triggered", "resolved"]


async def test_what_is_not_there_is_acknowledged_and_resolved_without_an_error(double: PagerDutyDouble) -> None:
    for action in ("acknowledge_incident", "resolve_incident"):
        async with on(double, action, **EVENT) as here:
            assert await here.run() == {"incident": "", "dedup_key": "i-1"}
    assert double.journal == []


async def test_a_service_that_halon_yaml_does_not_name_says_which_it_names(double: PagerDutyDouble) -> None:
    async with on(double, "trigger_incident", service="billing", reference="i-1", summary="down") as here:
        with pytest.raises(Misconfigured, match=r"pagerduty\.services \(it names: shop\)"):
            await here.run()
    assert double.asked == []


async def test_a_key_that_pagerduty_does_not_know_is_told_without_the_key(double: PagerDutyDouble) -> None:
    def client(url: str) -> PagerDuty:
        return pagerduty(url, Secret("planted-other-key"))

    async with on(double, "trigger_incident", client, **EVENT, summary="down") as here:
        with pytest.raises(InvalidInput, match="routing_key") as caught:
            await here.run()
    assert "planted" not in str(caught.value)


async def test_an_incident_of_pagerdutys_own_is_moved_on_by_its_id_and_never_back(double: PagerDutyDouble) -> None:
    there = double.opened("somebody's")
    for action, status in [("acknowledge", "acknowledged"), ("resolve", "resolved"), ("acknowledge", "resolved")]:
        async with on(double, f"{action}_incident", incident=there["id"]) as here:
            assert await here.run() == {"incident": there["id"], "dedup_key": ""}
            await here.run()
        assert there["status"] == status
    assert len(double.journal) == 2


async def test_an_incident_is_named_in_exactly_one_way(double: PagerDutyDouble) -> None:
    async with on(double, "resolve_incident") as here:
        for params in ({}, {"service": "shop"}, {"reference": "r"}, {**EVENT, "incident": "Q1"}):
            with pytest.raises(InvalidInput, match="say which incident"):
                await here.run(**params)
        with pytest.raises(NotFound):
            await here.run(incident="Q9")


async def test_a_note_goes_to_the_newest_incident_of_the_key(double: PagerDutyDouble) -> None:
    old, new = double.opened("i-1"), double.opened("i-1")
    params = {"dedup_key": "i-1", "reference": "i-1/found", "text": "token: abcdefgh12345678"}
    async with on(double, "add_note", **params) as here:
        assert await here.run() == {"incident": new["id"], "written": True}
        assert await here.run() == {"incident": new["id"], "written": False}
        assert await here.run(reference="i-1/more") == {"incident": new["id"], "written": True}
    assert double.notes[old["id"]] == []
    assert "abcdefgh" not in double.notes[new["id"]][0]["content"]


async def test_a_note_needs_an_incident_that_is_there_and_exactly_one_way_to_it(double: PagerDutyDouble) -> None:
    async with on(double, "add_note", reference="r", text="t") as here:
        for params in ({"dedup_key": "other"}, {"incident": "Q7"}):
            with pytest.raises(NotFound):
                await here.run(**params)
        for params in ({}, {"dedup_key": "i-1", "incident": "Q1"}):
            with pytest.raises(InvalidInput, match="exactly one"):
                await here.run(**params)


async def test_notes_need_a_token_and_events_do_not(double: PagerDutyDouble) -> None:
    def client(url: str) -> PagerDuty:
        return pagerduty(url, token=None, user=None)

    note = {"reference": "r", "text": "t"}
    for action, params in [("add_note", note), ("acknowledge_incident", {})]:
        async with on(double, action, client, incident="Q1", **params) as here:
            with pytest.raises(Misconfigured, match="`token` and `user`"):
                await here.run()
    async with on(double, "trigger_incident", client, **EVENT, summary="down") as here:
        await here.run()
    assert len(double.incidents) == 1


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"token": {"env": "T"}}, "belong together"),
        ({"token": {"env": "T"}, "user": "a@b.c", "url": "http://pagerduty.example.com"}, "https"),
        ({"services": {"a": {"routing_key": {"env": "K"}}}, "events_url": "http://pagerduty.example.com"}, "https"),
        ({"services": {"a": {"routing_key": "planted"}}}, "named, not written"),
    ],
)
def test_settings_that_would_not_do_are_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        PagerDutySettings.model_validate(given)
