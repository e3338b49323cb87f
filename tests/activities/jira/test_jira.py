"""An issue is found again whatever Jira's search knows, and what Jira is told is in its own format."""

from typing import Any

import pytest
from jira_double import JiraDouble, jira
from notice import telling

from halon.clients.jira import UNINDEXED, document
from halon.errors import InvalidInput, NotFound, PermissionDenied, TransientError


@pytest.fixture
async def double() -> JiraDouble:
    return JiraDouble()


def on(double: JiraDouble, action: str, client: Any = jira, **params: Any) -> Any:
    return telling(double, client, f"jira.{action}", params)


ISSUE = {"project": "OPS", "reference": "i-1", "summary": "cart is down"}


async def test_an_issue_says_what_is_wrong_in_the_format_of_jira_and_without_secrets(double: JiraDouble) -> None:
    more = {
        "summary": "cart\nis down " * 100,
        "description": "First line\nsecond line\n\nThen password=hunter22",
        "issue_type": "Bug",
        "priority": "High",
        "labels": ["cart"],
        "components": ["shop"],
        "assignee": "5b10ac8d82e05b22cc7d4ef5",
        "fields": {"customfield_10010": {"value": "Production"}},
    }
    async with on(double, "create_issue", **ISSUE | more) as here:
        assert await here.run() == {"key": "OPS-2", "url": f"{double.url}/browse/OPS-2", "created": True}
    fields = double.issues["OPS-2"]["fields"]
    assert (len(fields["summary"]), "\n" in fields["summary"]) == (255, False)
    assert [one["type"] for one in fields["description"]["content"][0]["content"]] == ["text", "hardBreak", "text"]
    assert "hunter22" not in str(fields)
    assert fields["labels"][0] == "cart"
    assert fields["labels"][1].startswith("halon-")
    assert fields["project"] == {"key": "OPS"}
    assert fields["customfield_10010"] == {"value": "Production"}
    assert (fields["priority"], fields["components"]) == ({"name": "High"}, [{"name": "shop"}])


async def test_an_issue_that_the_search_does_not_know_yet_is_found_by_its_number(double: JiraDouble) -> None:
    double.lagging = True
    async with on(double, "create_issue", **ISSUE) as here:
        double.lose()
        with pytest.raises(TransientError):
            await here.run()
        double.made({"labels": []})
        assert (await here.run())["key"] == "OPS-2"
    assert len(double.issues) == 3
    assert len([one for one in double.asked if "bulkfetch" in one]) == 2


async def test_a_project_without_issues_is_no_hindrance(double: JiraDouble) -> None:
    double.issues, double.indexed = {}, set()
    async with on(double, "create_issue", **ISSUE) as here:
        assert (await here.run())["key"] == "OPS-1"


async def test_one_issue_for_each_reference_also_when_it_was_closed(double: JiraDouble) -> None:
    async with on(double, "create_issue", **ISSUE) as here:
        await here.run()
        double.issues["OPS-2"]["fields"]["status"] = {"name": "Done"}
        assert await here.run() == {"key": "OPS-2", "url": f"{double.url}/browse/OPS-2", "created": False}
        assert (await here.run(reference="i-2"))["key"] == "OPS-3"


async def test_what_the_project_does_not_take_is_said_in_the_words_of_jira(double: JiraDouble) -> None:
    async with on(double, "create_issue", **ISSUE, issue_type="Story") as here:
        with pytest.raises(InvalidInput, match="valid issue type"):
            await here.run()
        with pytest.raises(InvalidInput, match="larger than"):
            await here.run(fields={"customfield_1": "x" * 40_000})


@pytest.mark.parametrize(
    ("action", "params"),
    [
        ("create_issue", {**ISSUE, "project": "HR"}),
        ("add_comment", {"issue": "HR-1", "reference": "r", "text": "t"}),
        ("transition_issue", {"issue": "HR-1", "to": "Done"}),
    ],
)
async def test_only_projects_that_are_allowed_are_asked(double: JiraDouble, action: str, params: Any) -> None:
    async with on(double, action, **params) as here:
        with pytest.raises(PermissionDenied, match=r"jira\.allow"):
            await here.run()
    assert double.asked == []


async def test_one_comment_for_each_reference(double: JiraDouble) -> None:
    async with on(
        double, "add_comment", issue="OPS-1", reference="i-1/found", text="It grew.\n\ntoken: abcdefgh123"
    ) as here:
        assert await here.run() == {"id": "1", "written": True}
        assert await here.run() == {"id": "1", "written": False}
        assert await here.run(reference="i-1/over") == {"id": "2", "written": True}
        with pytest.raises(NotFound):
            await here.run(issue="OPS-77")
    assert "abcdefgh123" not in str(double.issues["OPS-1"]["comments"])


async def test_an_issue_is_brought_to_a_status_and_what_cannot_be_reached_says_what_can(double: JiraDouble) -> None:
    async with on(double, "transition_issue", issue="OPS-1", to="done", resolution="Fixed") as here:
        assert await here.run() == {"status": "done", "was": "To Do"}
        assert await here.run() == {"status": "Done", "was": "Done"}
        with pytest.raises(NotFound, match="they lead to: To Do"):
            await here.run(to="In Progress")
    assert double.issues["OPS-1"]["fields"]["resolution"] == {"name": "Fixed"}
    assert len(double.journal) == 1


async def test_what_is_reached_through_the_gateway_of_atlassian_has_no_page_there() -> None:
    url = "https://api.atlassian.com/ex/jira/11-22"
    made = jira(url)
    assert made.address("OPS-1") == ""
    await made.close()


def test_the_document_of_no_text_is_empty_and_the_look_behind_the_search_is_one_call() -> None:
    assert document("") == {"type": "doc", "version": 1, "content": []}
    assert document("a\n\n\n\nb", "end")["content"][-1]["content"][0]["marks"] == [{"type": "code"}]
    assert UNINDEXED <= 100
