"""What somebody may do, and the reason."""

from datetime import UTC, datetime, timedelta

import pytest

from halon.contracts.people import Delegation, Method, Person, Principal, Right, Role
from halon.core.directory import Directory
from halon.operations.rights import Rights

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
AWAY = Delegation(to="dan@example.com", from_=NOW - timedelta(days=1), until=NOW + timedelta(days=1))
PEOPLE = {
    "ana": Person(delegates=(AWAY,)),
    "ben": Person(),
    "cyd": Person(),
    "dan": Person(email="dan@example.com"),
}
ROLES = {
    "shop": Role(may=(Right.READ, Right.DECIDE, Right.RUN), to=("ana",), where={"team": "shop"}),
    "stage": Role(may=(Right.READ,), to=("ben",), where={"environment": "stag*"}),
    "chief": Role(may=(Right.ADMINISTER,), to=("cyd",)),
    "watch": Role(may=(Right.PAUSE,), to=("group:watch",)),
}


def rights(
    roles: dict[str, Role] = ROLES, people: dict[str, Person] = PEOPLE, environment: str = "production"
) -> Rights:
    directory = Directory(people, {"watch": ()}, roles)
    return Rights(lambda: directory, environment, lambda: NOW)


def who(person: str, method: Method = Method.TOKEN, *groups: str) -> Principal:
    return Principal(person=person, method=method, groups=groups)


@pytest.mark.parametrize(
    ("principal", "labels", "may"),
    [
        (who("ana"), {"team": "shop"}, {Right.READ, Right.DECIDE, Right.RUN}),
        (who("ana"), {"team": "pay"}, set()),
        (who("ana"), {}, set()),
        (who("ana"), None, set()),
        (who("ben"), {"team": "shop"}, set()),
        (who("cyd"), {"team": "pay"}, set(Right)),
        (who("cyd"), None, set(Right)),
        (who("eve"), {"team": "shop"}, set()),
        (who("eve", Method.OIDC, "watch"), None, {Right.PAUSE}),
        (who("eve", Method.OIDC, "unknown"), None, set()),
        (who("dan"), {"team": "shop"}, {Right.READ, Right.DECIDE}),
        (who("dan"), {"team": "pay"}, set()),
        (who("root", Method.OPERATOR), None, set(Right)),
        (who("ana", Method.CLAIMED), {"team": "shop"}, {Right.READ, Right.DECIDE, Right.RUN}),
    ],
    ids=lambda value: "" if isinstance(value, set) else str(value),
)
def test_a_right_is_a_roles_where_its_labels_match(
    principal: Principal, labels: dict[str, str] | None, may: set[Right]
) -> None:
    assert set(rights().of(principal, labels)) == may


def test_the_environment_is_that_of_halon_yaml_whatever_an_alert_says() -> None:
    alert = {"environment": "production"}
    assert rights(environment="staging").may(who("ben"), Right.READ, alert).allowed
    assert not rights(environment="production").may(who("ben"), Right.READ, {"environment": "staging"}).allowed


def test_without_roles_people_have_what_makes_nobody_elses_word_less() -> None:
    everybody = rights({})
    assert everybody.of(who("ana")) == [Right.READ, Right.DECIDE, Right.RUN, Right.PAUSE]
    assert everybody.of(who("eve")) == []


def test_without_people_a_claimed_name_may_do_everything_and_a_proven_one_only_what_roles_say() -> None:
    nobody = rights({}, {})
    assert set(nobody.of(who("whoever", Method.CLAIMED))) == set(Right)
    assert nobody.of(who("eve", Method.OIDC)) == []


def test_a_delegation_that_is_over_gives_nothing() -> None:
    over = AWAY.model_copy(update={"until": NOW})
    people = PEOPLE | {"ana": Person(delegates=(over,))}
    assert rights(people=people).of(who("dan"), {"team": "shop"}) == []


@pytest.mark.parametrize(
    ("principal", "right", "labels", "reason"),
    [
        (who("ana"), Right.READ, {"team": "shop"}, "ana has the right `read`"),
        (who("dan"), Right.READ, {"team": "shop"}, "dan stands in for ana, who has the right `read`"),
        (who("eve"), Right.READ, None, "halon.yaml does not know them"),
        (who("ana"), Right.RUN, None, "their roles are for some labels only"),
        (who("ana"), Right.TRIP, None, "none of their roles in halon.yaml gives it"),
    ],
    ids=lambda value: "" if isinstance(value, set) else str(value),
)
def test_the_reason_is_told(principal: Principal, right: Right, labels: dict[str, str] | None, reason: str) -> None:
    assert reason in rights().may(principal, right, labels).reason


def test_a_right_for_some_labels_is_one_somewhere() -> None:
    assert rights().anywhere(who("ana"), Right.RUN)
    assert rights().anywhere(who("dan"), Right.DECIDE)
    assert not rights().anywhere(who("ana"), Right.PAUSE)
    assert not rights().anywhere(who("eve"), Right.READ)
