"""An incident is found again by its mark, and what ServiceNow leaves out without a word is noticed."""

from typing import Any

import pytest
from notice import telling
from servicenow_double import ServiceNowDouble, servicenow

from halon.errors import InvalidInput, NotFound, PermanentError, PermissionDenied

INCIDENT = {"reference": "i-1", "short_description": "cart is down"}


@pytest.fixture
async def double() -> ServiceNowDouble:
    return ServiceNowDouble()


def on(double: ServiceNowDouble, action: str, **params: Any) -> Any:
    return telling(double, servicenow, f"servicenow.{action}", params)


async def test_an_incident_says_what_is_wrong_within_the_bounds_and_without_secrets(double: ServiceNowDouble) -> None:
    more = {
        "short_description": "cart\nis down " * 50,
        "description": "password=hunter22 " + "x" * 9000,
        "urgency": "1",
        "assignment_group": "Shop Operations",
        "fields": {"category": "software"},
    }
    async with on(double, "create_incident", **INCIDENT | more) as here:
        made = await here.run()
    assert (made["number"], made["state"], made["written"]) == ("INC0010002", "1", True)
    assert made["url"] == f"{double.url}/nav_to.do?uri=incident.do%3Fsys_id%3D{made['sys_id']}"
    there = double.incidents[1]
    assert (len(there["short_description"]), len(there["description"])) == (160, 4000)
    assert "hunter22" not in str(there)
    assert (there["assignment_group"], there["category"]) == ("a" * 32, "software")
    assert there["correlation_id"].startswith("halon-")


async def test_one_incident_for_each_reference_also_when_it_was_resolved(double: ServiceNowDouble) -> None:
    async with on(double, "create_incident", **INCIDENT) as here:
        await here.run()
        double.incidents[1]["state"] = "6"
        again = await here.run()
        assert (again["number"], again["state"], again["written"]) == ("INC0010002", "6", False)
        assert (await here.run(reference="i-2"))["number"] == "INC0010003"


async def test_a_query_that_the_instance_ignores_finds_nobody_elses_incident(double: ServiceNowDouble) -> None:
    double.fields = set()
    async with on(double, "create_incident", **INCIDENT) as here:
        with pytest.raises(PermanentError, match="does not search the table incident by `correlation_id`"):
            await here.run()
    async with on(double, "resolve_incident", number="INC0010007", close_notes="done") as here:
        with pytest.raises(PermanentError, match="by `number`"):
            await here.run()
    assert double.journal == []


async def test_a_group_that_is_not_there_and_fields_that_are_not_to_set_are_refused(double: ServiceNowDouble) -> None:
    async with on(double, "create_incident", **INCIDENT) as here:
        with pytest.raises(NotFound, match="no group 'Nobody'"):
            await here.run(assignment_group="Nobody")
        for params in ({"assignment_group": "a^ORname=b"}, {"fields": {"sys_id": "x"}}, {"fields": {"state": "7"}}):
            with pytest.raises(InvalidInput):
                await here.run(**params)
    assert len(double.incidents) == 1


async def test_one_note_for_each_reference_and_the_caller_sees_it_only_when_meant_to(double: ServiceNowDouble) -> None:
    params = {"number": "INC0010001", "reference": "i-1/found", "text": "It grew. " + "x" * 9000}
    async with on(double, "update_incident", **params) as here:
        assert [(await here.run())["written"] for _ in range(2)] == [True, False]
        assert (await here.run(reference="i-1/over", seen_by="caller"))["written"]
        with pytest.raises(NotFound, match="INC0010009"):
            await here.run(number="INC0010009")
    assert [len(one) for one in double.incidents[0]["notes"]] == [4000, 4000]
    assert '"comments"' in double.journal[1]


async def test_an_incident_is_resolved_with_its_code_unless_it_is_over(double: ServiceNowDouble) -> None:
    async with on(double, "resolve_incident", number="INC0010001", close_notes="Rolled back") as here:
        first, again = await here.run(), await here.run()
    assert [(one["state"], one["written"]) for one in (first, again)] == [("6", True), ("6", False)]
    assert double.incidents[0]["close_code"] == "Solution provided"


async def test_an_instance_that_leaves_the_state_as_it_is_has_not_resolved_it(double: ServiceNowDouble) -> None:
    double.read_only = {"state"}
    async with on(double, "resolve_incident", number="INC0010001", close_notes="Rolled back") as here:
        with pytest.raises(PermissionDenied, match="in state 1"):
            await here.run()


async def test_only_tables_that_are_allowed_are_asked(double: ServiceNowDouble) -> None:
    async with on(double, "create_incident", **INCIDENT, table="sys_user") as here:
        with pytest.raises(PermissionDenied, match=r"servicenow\.allow"):
            await here.run()
    assert double.asked == []
