"""Who may decide a question: those who are asked, as far as they have the right."""

from datetime import UTC, datetime, timedelta

import pytest

from halon.contracts.people import Delegation, Electorate, ElectorateRequest, Person, Right, Role
from halon.core.directory import Directory
from halon.core.electorate import electorate

NOW = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
PEOPLE = {
    "ana": Person(
        email="ana@example.com",
        delegates=(Delegation(to="dan", until=NOW + DAY), Delegation(to="cyd", until=NOW - DAY)),
    ),
    "ben": Person(email="ben@example.com"),
    "cyd": Person(),
    "dan": Person(email="dan@example.com"),
}
ROLES = {
    "responder": Role(may=(Right.READ, Right.DECIDE), to=("group:sre",), where={"team": ("shop",)}),
    "owner": Role(may=(Right.ADMINISTER,), to=("cyd",)),
}
DIRECTORY = Directory(
    PEOPLE, {"sre": ("ana", "ben"), "oncall": (), "guests": ("dan",)}, ROLES, frozenset({"sre", "guests"})
)


def asked(*references: str, team: str = "shop", directory: Directory = DIRECTORY, started_by: str = "") -> Electorate:
    request = ElectorateRequest(incident="i", from_=references, started_by=started_by, at=NOW)
    return electorate(
        directory, request, {"team": team}, trust="namespace", unreachable={"oncall": "the schedule does not answer"}
    )


def test_without_people_anyone_may_decide() -> None:
    assert asked("group:sre", directory=Directory({}, {}, {})).anyone


@pytest.mark.parametrize(
    ("references", "people"),
    [
        (("group:sre",), ["ana", "ben"]),
        (("ana@example.com",), ["ana"]),
        (("group:sre", "BEN", "cyd"), ["ana", "ben", "cyd"]),
        (("group:guests",), []),
        ((), ["ana", "ben", "cyd"]),
    ],
)
def test_those_who_are_asked_may_decide_where_they_have_the_right(
    references: tuple[str, ...], people: list[str]
) -> None:
    assert [one.person for one in asked(*references).electors] == people


def test_a_right_that_holds_elsewhere_does_not_hold_here() -> None:
    found = asked("group:sre", "cyd", team="pay")
    assert [one.person for one in found.electors] == ["cyd"]
    assert found.missing == ("ana: has no right to decide here", "ben: has no right to decide here")
    assert found.groups == ()


def test_each_elector_says_why_they_are_asked_and_who_may_stand_in() -> None:
    ana, ben = asked("group:sre", "ben@example.com").electors
    assert (ana.asked_as, ben.asked_as) == (("group:sre",), ("group:sre", "ben@example.com"))
    assert [one.person for one in ana.deputies] == ["dan"]
    assert ana.deputies[0].names == ("dan@example.com",)


def test_what_leads_to_nobody_is_told_with_the_reason() -> None:
    assert asked("group:oncall", "group:nobody", "eve").missing == (
        "group:oncall: the schedule does not answer",
        "group:nobody: nobody in halon.yaml is called so",
        "eve: nobody in halon.yaml is called so",
    )
    assert asked("group:guests").missing == ("dan: has no right to decide here",)


def test_a_proof_of_membership_counts_in_asked_groups_that_have_the_right() -> None:
    assert asked("group:sre", "group:guests").groups == ("sre",)
    assert asked().groups == ("sre",)
    assert asked("ana").groups == ()
    closed = Directory(PEOPLE, {"sre": ("ana",)}, ROLES)
    assert asked("group:sre", directory=closed).groups == ()


def test_who_may_break_the_glass_needs_a_role_that_says_so() -> None:
    assert [one.person for one in asked("group:sre").breakers] == ["cyd"]
    no_roles = Directory(PEOPLE, {"sre": ("ana",)}, {})
    assert asked("group:sre", directory=no_roles).breakers == ()
    assert [one.person for one in asked("group:sre", directory=no_roles).electors] == ["ana"]


def test_who_started_the_run_is_found_by_any_of_their_names() -> None:
    starter = asked("group:sre", started_by="ALopez").starter
    assert starter is None
    starter = asked("group:sre", started_by="Dan@example.com").starter
    assert starter is not None
    assert starter.person == "dan"
