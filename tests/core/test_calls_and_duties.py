"""A call goes to further people until somebody acknowledges, and no further; a duty is told in time, once each time."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from halon.contracts.communication import Acknowledge, DeadlineRule, Level, PageRule
from halon.contracts.coordination import DeadlineState
from halon.core import calls, duties

NOW = datetime(2026, 1, 2, 3, 0, tzinfo=UTC)
SPANS = st.timedeltas(min_value=timedelta(seconds=1), max_value=timedelta(days=3))


def rule(within: timedelta, then: list[timedelta]) -> PageRule:
    levels = tuple(Level(to=(f"level-{number}",), within=one) for number, one in enumerate(then))
    return PageRule(severities=("critical",), to=("first",), acknowledge=Acknowledge(within=within, then=levels))


@given(SPANS, st.lists(SPANS, max_size=10))
def test_a_call_that_nobody_acknowledges_reaches_everybody_once_in_order_and_ends(
    within: timedelta, then: list[timedelta]
) -> None:
    page = rule(within, then)
    state = calls.called(page, NOW)
    assert state is not None
    reached: list[str] = []
    at = NOW
    for _ in range(len(then) + 1):
        assert state.due is not None
        assert not calls.overdue(state, state.due - timedelta(microseconds=1))
        assert calls.overdue(state, state.due)
        at = state.due
        state, rung = calls.climb(page, state, at)
        reached += rung.to if rung else ()
    assert reached == [f"level-{number}" for number in range(len(then))]
    assert (state.given_up, state.due) == (True, None)
    assert at == NOW + within + sum(then, timedelta())
    assert calls.people_called(page, state) == ("first", *reached)


@given(SPANS, st.lists(SPANS, min_size=1, max_size=5), st.integers(min_value=0, max_value=4))
def test_nobody_is_called_after_somebody_acknowledged(within: timedelta, then: list[timedelta], level: int) -> None:
    page = rule(within, then)
    state = calls.called(page, NOW)
    assert state is not None
    for _ in range(min(level, len(then))):
        assert state.due is not None
        state, _rung = calls.climb(page, state, state.due)
    state = calls.acknowledged(state, "ana", NOW + timedelta(hours=1))
    assert not calls.overdue(state, NOW + timedelta(days=400))
    assert calls.time_to_acknowledge(state) == timedelta(hours=1)


DAYS = st.timedeltas(min_value=timedelta(minutes=1), max_value=timedelta(days=30))


@given(DAYS, st.lists(DAYS, max_size=10))
def test_a_duty_reminds_once_at_each_time_before_its_end_and_is_missed_once(
    within: timedelta, remind: list[timedelta]
) -> None:
    duty = DeadlineRule(
        name="gdpr", title="Tell them", severities=("*",), within=within, remind=tuple(remind), to=("legal",)
    )
    state = duties.begun(duty, NOW)
    told: list[tuple[str, datetime]] = []
    while (at := duties.due_at(duty, state)) is not None:
        before, _word = duties.passed(duty, state, at - timedelta(microseconds=1))
        assert before == state
        state, word = duties.passed(duty, state, at)
        assert word is not None
        told.append((word.what, at))
    wanted = sorted({NOW + within - one for one in remind if one < within})
    assert told == [*(("reminded", one) for one in wanted), ("missed", NOW + within)]


def test_reminders_that_were_slept_through_come_as_one() -> None:
    duty = DeadlineRule(
        name="gdpr",
        title="Tell them",
        severities=("*",),
        within=timedelta(hours=72),
        remind=(timedelta(hours=48), timedelta(hours=24), timedelta(hours=4)),
        to=("legal",),
    )
    state, word = duties.passed(duty, duties.begun(duty, NOW), NOW + timedelta(hours=50))
    assert word == ("reminded", "22h")
    assert duties.due_at(duty, state) == NOW + timedelta(hours=68)


def test_a_duty_is_done_once_and_only_one_that_is_there() -> None:
    state = DeadlineState(name="gdpr", title="Tell them", due=NOW)
    done = duties.done([state], "gdpr", "ana", "file 4711", NOW)
    assert isinstance(done, DeadlineState)
    assert (done.done_by, done.comment) == ("ana", "file 4711")
    assert duties.done([done], "gdpr", "ben", "", NOW) == "gdpr was done by ana at 2026-01-02 03:00 UTC already"
    assert duties.done([state], "nis2", "ana", "", NOW) == "this incident has no deadline nis2; it has: gdpr"
