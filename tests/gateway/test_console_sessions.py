"""A session is worth something for a bounded time, to whom it was given, and nowhere else."""

from datetime import UTC, datetime, timedelta

import jwt
import pytest

from halon.contracts.people import Method, Principal
from halon.gateway.console.links import LINK_LASTS, Links
from halon.gateway.console.sessions import IDLE, LONGEST, VISIT, Session, Sessions

ANA = Principal(person="ana", method=Method.TOKEN)
SECRET = b"k" * 32


def key() -> bytes:
    return SECRET


def other_key() -> bytes:
    return b"o" * 32


NOW = datetime(2026, 1, 2, 3, 0, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


class Marks(dict[str, str]):
    """What people's sign-in rests on."""

    def __call__(self, principal: Principal) -> str | None:
        return self.get(principal.person)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def marks() -> Marks:
    return Marks(ana="1")


@pytest.fixture
def sessions(clock: Clock, marks: Marks) -> Sessions:
    return Sessions(key, marks, clock)


def test_a_session_is_read_as_it_was_written_by_any_gateway_with_the_key(
    sessions: Sessions, clock: Clock, marks: Marks
) -> None:
    session = sessions.begin(ANA)
    assert Sessions(key, marks, clock).read(sessions.write(session)) == session


def test_it_ends_when_nobody_uses_it(sessions: Sessions, clock: Clock) -> None:
    cookie = sessions.write(sessions.begin(ANA))
    clock.now = NOW + IDLE - timedelta(seconds=1)
    assert sessions.read(cookie) is not None
    clock.now = NOW + IDLE
    assert sessions.read(cookie) is None


def test_it_ends_for_good_however_often_it_is_used(sessions: Sessions, clock: Clock) -> None:
    session: Session | None = sessions.begin(ANA)
    while session is not None and clock.now < NOW + LONGEST:
        session = sessions.touched(session)
        clock.now += IDLE / 2
        session = sessions.read(sessions.write(session))
    assert (session, clock.now) == (None, NOW + LONGEST)


def test_one_that_was_ended_is_refused_also_as_a_copy(sessions: Sessions) -> None:
    session = sessions.begin(ANA)
    copy = sessions.write(session)
    sessions.end(session)
    assert sessions.read(copy) is None


def test_it_ends_when_the_person_gets_other_tokens_or_leaves(sessions: Sessions, marks: Marks) -> None:
    cookie = sessions.write(sessions.begin(ANA))
    marks["ana"] = "2"
    assert sessions.read(cookie) is None
    del marks["ana"]
    assert sessions.read(cookie) is None


def test_a_visitor_is_nobody_and_has_an_hour(sessions: Sessions, clock: Clock) -> None:
    cookie = sessions.write(sessions.begin())
    found = sessions.read(cookie)
    assert found is not None
    assert found.principal is None
    clock.now = NOW + VISIT
    assert sessions.read(cookie) is None


@pytest.mark.parametrize("cookie", [None, "", "x", "a.b.c", "x" * 100_000])
def test_what_is_no_session_is_none(sessions: Sessions, cookie: str | None) -> None:
    assert sessions.read(cookie) is None


def test_one_of_another_key_or_without_a_signature_is_none(sessions: Sessions, clock: Clock, marks: Marks) -> None:
    session = sessions.begin(ANA)
    said = session.model_dump(mode="json")
    headers = {"typ": "halon-session+jwt"}
    assert sessions.read(Sessions(other_key, marks, clock).write(session)) is None
    assert sessions.read(jwt.encode(said, None, algorithm="none", headers=headers)) is None
    assert sessions.read(jwt.encode(said, SECRET, algorithm="HS256", headers=headers)) == session
    assert sessions.read(jwt.encode(said, SECRET, algorithm="HS256")) is None, "a token for something else"


def test_a_forms_token_is_that_of_its_session_alone(sessions: Sessions) -> None:
    mine, other = sessions.begin(ANA), sessions.begin(ANA)
    assert sessions.is_form_token(mine, sessions.form_token(mine))
    assert not sessions.is_form_token(mine, sessions.form_token(other))
    assert not sessions.is_form_token(mine, "")
    assert not sessions.is_form_token(mine, "é")


def test_a_link_signs_in_once() -> None:
    links = Links(key)
    link = links.make(ANA, NOW)
    assert links.take(link, NOW) == ANA
    assert links.take(link, NOW) is None


def test_a_link_that_is_old_forged_or_no_link_signs_nobody_in(sessions: Sessions) -> None:
    links = Links(key)
    assert links.take(links.make(ANA, NOW - LINK_LASTS), NOW) is None
    assert links.take(Links(other_key).make(ANA, NOW), NOW) is None
    assert links.take(sessions.write(sessions.begin(ANA)), NOW) is None
    assert links.take("x" * 10_000, NOW) is None
