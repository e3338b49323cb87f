"""Whose name is whose, who is in a group, and what somebody may do."""

import pytest

from halon.contracts.people import Person, Right, Role
from halon.core.directory import Directory

PEOPLE = {
    "ana": Person(email="ana@example.com", aliases=("alopez",)),
    "ben": Person(email="ben@example.com"),
    "cyd": Person(),
}
ROLES = {
    "responder": Role(may=(Right.READ, Right.DECIDE), to=("group:sre",), where={"team": ("shop", "pay-*")}),
    "owner": Role(may=(Right.ADMINISTER,), to=("cyd",)),
    "guest": Role(may=(Right.READ,), to=("group:guests",)),
}
DIRECTORY = Directory(PEOPLE, {"sre": ("ana", "ben@example.com"), "guests": ()}, ROLES)


@pytest.mark.parametrize(
    ("name", "person"),
    [("ana", "ana"), (" Ana@Example.com ", "ana"), ("ALOPEZ", "ana"), ("cyd", "cyd"), ("dan", None), ("  ", None)],
)
def test_a_name_is_one_persons_without_regard_to_case(name: str, person: str | None) -> None:
    assert DIRECTORY.who(name) == person


def test_a_group_has_its_members_and_an_unknown_one_is_not_an_empty_one() -> None:
    assert DIRECTORY.members("group:sre") == ("ana", "ben")
    assert DIRECTORY.members("group:guests") == ()
    assert DIRECTORY.members("group:nobody") is None
    assert DIRECTORY.members("dan") is None
    assert DIRECTORY.groups_of("ben") == ("sre",)


@pytest.mark.parametrize(
    ("person", "right", "labels", "allowed"),
    [
        ("ana", Right.DECIDE, {"team": "shop"}, True),
        ("ana", Right.DECIDE, {"team": "pay-eu"}, True),
        ("ana", Right.DECIDE, {"team": "core"}, False),
        ("ana", Right.DECIDE, {}, False),
        ("ana", Right.DECIDE, None, False),
        ("ana", Right.PAUSE, {"team": "shop"}, False),
        ("cyd", Right.PAUSE, None, True),
        ("cyd", Right.DECIDE, {"team": "core"}, True),
        ("dan", Right.READ, None, False),
    ],
)
def test_a_right_holds_where_its_role_says(
    person: str, right: Right, labels: dict[str, str] | None, *, allowed: bool
) -> None:
    assert DIRECTORY.may(person, right, labels) is allowed


def test_a_group_that_a_token_claims_gives_its_rights() -> None:
    assert not DIRECTORY.may("ben", Right.READ, None)
    assert DIRECTORY.may("ben", Right.READ, None, groups=("guests",))


@pytest.mark.parametrize("right", Right)
def test_without_roles_people_may_do_what_makes_nobody_elses_word_less(right: Right) -> None:
    plain = Directory(PEOPLE, {"sre": ("ana",)}, {})
    ordinary = right in {Right.READ, Right.DECIDE, Right.RUN, Right.PAUSE}
    assert plain.may("ana", right) is ordinary
    assert plain.may("eve@example.com", right, groups=("sre",)) is ordinary
    assert not plain.may("eve@example.com", right, groups=("elsewhere",))
